"""What can be done to self-attention: one frozen dataclass a knob, checked when it is made."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, get_args

Blocks = str | int | Sequence[str | int]
"""Which blocks: "all", a stage ("down", "mid", "up", "none"), a number, a regex on names, or a sequence of those."""

AdaptAlpha = Literal["off", "dev", "scale"]
EtaScope = Literal["sample", "batch"]
Rescale = Literal["norm", "off"]

WHOLE = (0.0, 1.0)
"""The window that covers every call, however many there are."""


@dataclass(frozen=True)
class Vanilla:
    """The model as it is."""


@dataclass(frozen=True)
class Skew:
    """Scales the skew-symmetric part of attention by alpha, and blends the retrieval towards it by beta.

    Xi_beta = Xi + beta (Xi_alpha - Xi), with Xi_alpha = softmax((M_sym + alpha M_skew) / sqrt d) X. alpha = 1 is plain
    attention, alpha = 0 symmetric attention.

    `adapt_alpha`: "dev" 1 + (alpha - 1) eta, "scale" alpha eta; `adapt_beta`: beta (1 - eta); eta is the symmetry
    index, averaged over a sample's heads and branches ("sample") or over the whole batch ("batch", as released).
    `rescale`: "norm" gives each token of each head the norm of Xi_alpha, within a factor of 4 (released code); "off" is
    the paper's equation. `window` (a, b) covers the calls with a <= call / steps < b.

    Raises ValueError for a value that is not allowed.
    """

    alpha: float
    beta: float
    adapt_alpha: AdaptAlpha = "off"
    adapt_beta: bool = False
    eta_scope: EtaScope = "sample"
    rescale: Rescale = "norm"
    blocks: Blocks = "all"
    window: tuple[float, float] = WHOLE

    def __post_init__(self) -> None:
        _set(self, "alpha", _number(self, "alpha", "a finite number >= 0", lambda alpha: alpha >= 0))
        _set(self, "beta", _number(self, "beta", "a finite number", lambda beta: True))
        _one_of(self, "adapt_alpha", get_args(AdaptAlpha))
        _one_of(self, "adapt_beta", (True, False))
        _one_of(self, "eta_scope", get_args(EtaScope))
        _one_of(self, "rescale", get_args(Rescale))
        _set(self, "blocks", _blocks(self))
        _set(self, "window", _window(self))


@dataclass(frozen=True)
class Temperature:
    """Attention at another temperature: softmax(q k' / (tau sqrt d)) takes the place of P; no blend and no rescale.

    Raises ValueError for a value that is not allowed.
    """

    tau: float
    blocks: Blocks = "all"
    window: tuple[float, float] = WHOLE

    def __post_init__(self) -> None:
        _set(self, "tau", _number(self, "tau", "a finite number > 0", lambda tau: tau > 0))
        _set(self, "blocks", _blocks(self))
        _set(self, "window", _window(self))


Knob = Vanilla | Skew | Temperature


def covers(window: tuple[float, float], call: int, steps: int | None) -> bool:
    """Whether the model's call number `call` (from 0) of `steps` lies in the window; the whole one needs no steps."""
    if window == WHOLE:
        return True
    if steps is None:
        raise ValueError(f"window={window}: a part of the steps needs `steps`, the number of calls of the model")
    return window[0] <= call / steps < window[1]


def _set(knob: Any, field: str, value: Any) -> None:
    object.__setattr__(knob, field, value)  # frozen for everyone else: equal knobs must be equal and hash alike


def _refuse(knob: Any, field: str, allowed: str) -> ValueError:
    return ValueError(f"{type(knob).__name__}.{field}={getattr(knob, field)!r}: must be {allowed}")


def _is_finite(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _number(knob: Any, field: str, allowed: str, holds: Any) -> float:
    value = getattr(knob, field)
    if not _is_finite(value) or not holds(value):
        raise _refuse(knob, field, allowed)
    return float(value)


def _one_of(knob: Any, field: str, choices: tuple[Any, ...]) -> None:
    value = getattr(knob, field)
    if not any(value is choice or (isinstance(choice, str) and value == choice) for choice in choices):
        raise _refuse(knob, field, "one of " + ", ".join(map(repr, choices)))


def _window(knob: Any) -> tuple[float, float]:
    window = knob.window
    if (
        not isinstance(window, Sequence)
        or len(window) != 2
        or not all(map(_is_finite, window))
        or not 0 <= window[0] < window[1] <= 1
    ):
        raise _refuse(knob, "window", "(a, b) with 0 <= a < b <= 1")
    return float(window[0]), float(window[1])


def _blocks(knob: Any) -> Blocks:
    """The selection, hashable; its regexes must compile, what they match is the model's to say."""
    spec = knob.blocks
    items = [spec] if isinstance(spec, str | int) else spec
    valid = isinstance(items, Sequence) and len(items) > 0
    if not valid or not all(isinstance(item, str | int) and not isinstance(item, bool) for item in items):
        raise _refuse(knob, "blocks", '"all", a stage, a number, a regex on names, or a sequence of those')
    for pattern in (item for item in items if isinstance(item, str)):
        try:
            re.compile(pattern)
        except re.error as error:
            raise _refuse(knob, "blocks", f"a valid regex ({error})") from error
    return spec if isinstance(spec, str | int) else tuple(spec)
