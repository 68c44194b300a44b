"""The strength of a knob in each step: its window, and the shape of the strength within the window."""

import math
from functools import lru_cache

from skewbench.stability.knobs.fields import WHOLE


def covers(window: tuple[float, float], step: int, steps: int | None) -> bool:
    """Return whether a step is in a window.

    Args:
        window: Part of the steps, as fractions; the end is excluded.
        step: The step's number, from 0.
        steps: The number of steps; None is enough for the whole window.

    Raises:
        ValueError: The window is a part of the steps, and `steps` is None.
    """
    if window == WHOLE:
        return True
    if steps is None:
        raise ValueError(f"window={window}: a window needs `steps`, the number of model calls")
    return window[0] <= step / steps < window[1]


@lru_cache(maxsize=256)
def covered(window: tuple[float, float], steps: int) -> tuple[int, ...]:
    """List the steps in a window.

    Args:
        window: Part of the steps, as fractions; the end is excluded.
        steps: The number of steps.
    """
    return tuple(step for step in range(steps) if covers(window, step, steps))


def amount(window: tuple[float, float], schedule: str, step: int, steps: int | None) -> float:
    """Return the share of its strength that a knob has in a step: 0 outside the window, 0 to 1 within it.

    With n steps in the window, of which this is number i from 1, the share is

        constant      1
        linear-up     i / n
        cosine-up     (1 - cos(pi i / n)) / 2

    and `linear-down` and `cosine-down` are the same backwards. The largest share is always 1, and none is 0.

    Args:
        window: Part of the steps, as fractions.
        schedule: The shape.
        step: The step's number, from 0.
        steps: The number of steps; None is enough for a constant strength in all steps.

    Raises:
        ValueError: `steps` is needed and not given.
    """
    if not covers(window, step, steps):
        return 0.0
    if schedule == "constant":
        return 1.0
    if steps is None:
        raise ValueError(f"schedule={schedule!r} needs `steps`, the number of model calls")
    inside = covered(window, steps)
    shape, _, direction = schedule.partition("-")
    place = inside.index(step) if step in inside else len(inside) - 1
    share = (place + 1 if direction == "up" else len(inside) - place) / len(inside)
    return share if shape == "linear" else (1 - math.cos(math.pi * share)) / 2
