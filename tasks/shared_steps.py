"""Cells of one prompt and seed share the steps in which their settings agree: the first cell computes them for all.

Knobs have no state, so the model's calls agree until a step in which a knob acts differently.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from skewbench.stability.knobs import by_place
from skewbench.tasks.experiment import Cell
from skewbench.tasks.generation import GenerationSpec
from skewbench.tasks.plan import Shard

if TYPE_CHECKING:
    from skewbench.stability import Trajectory

LARGEST = 1 << 28
"""Bytes of calls that a worker keeps. Those of the oldest samples go first."""


class _Step(NamedTuple):
    """What decides a step: before the model's prediction, and after it."""

    before: Hashable
    after: Hashable


def shared_steps(one: Cell, other: Cell, generation: GenerationSpec, steps: int) -> int:
    """Count the first steps whose model calls are the same in two cells.

    Args:
        one: A cell.
        other: Another cell of the same run.
        generation: The experiment's generation settings.
        steps: Steps of the loop.

    Returns:
        The number of steps. In the last of them, guidance rules may differ, because they act after the model's call.
    """
    if generation.overridden(one.generation) != generation.overridden(other.generation):
        return 0
    return _agreeing(_states(one.knobs, steps), _states(other.knobs, steps))


def most_shared(cell: Cell, cells: Sequence[Cell], generation: GenerationSpec, steps: int) -> int:
    """Count the steps that a cell shares with the one that it shares most with.

    Args:
        cell: The cell.
        cells: All cells of the run.
        generation: The experiment's generation settings.
        steps: Steps of the loop.
    """
    return max((shared_steps(cell, one, generation, steps) for one in cells if one.name != cell.name), default=0)


def in_groups(shards: Sequence[Shard], cells: Sequence[Cell], generation: GenerationSpec) -> list[tuple[str, Shard]]:
    """Order shards so that those of the same samples follow each other, if any of their cells share steps.

    Args:
        shards: All shards of the run, in order of cells.
        cells: The cells that may share steps; none: the order stays.
        generation: The experiment's generation settings.

    Returns:
        Each shard with the name of its group, which is empty if nothing is shared.
    """
    # the number of steps is enough to tell whether cells agree at first; a worker knows the number of model calls
    if not any(most_shared(one, cells, generation, generation.overridden(one.generation).steps) for one in cells):
        return [("", shard) for shard in shards]
    places: dict[str, int] = {}
    for shard in shards:
        places.setdefault(shard.samples[0].pair_id, len(places))
    grouped = [(shard.samples[0].pair_id, shard) for shard in shards]
    return sorted(grouped, key=lambda pair: places[pair[0]])


def _agreeing(one: Sequence[_Step], other: Sequence[_Step]) -> int:
    for step, (mine, theirs) in enumerate(zip(one, other, strict=True)):
        if mine.before != theirs.before:
            return step
        if mine.after != theirs.after:
            return step + 1
    return len(one)


@lru_cache(maxsize=256)
def _states(knobs: tuple[Any, ...], steps: int) -> tuple[_Step, ...]:
    placed: dict[Any, Any] = dict(by_place(knobs).items())
    rule, others = placed.pop("predictions", None), sorted(placed.items())
    # the pipeline's own guidance may round differently than a rule or a weak branch, even outside of their windows
    own = rule is None and getattr(placed.get("attention"), "weak", None) is None
    return tuple(
        _Step(
            tuple((place, state) for place, knob in others if (state := knob.state(step, steps)) is not None),
            (own, rule and rule.state(step, steps)),
        )
        for step in range(steps)
    )


class _Kept(NamedTuple):
    cell: Cell
    trajectory: "Trajectory"

    @property
    def nbytes(self) -> int:
        return sum(call.nbytes for call in self.trajectory.calls)


class Trajectories:
    """A worker's memory of the steps that cells share.

    Args:
        cells: All cells of the run; none: no steps are shared.
        generation: The experiment's generation settings.
    """

    def __init__(self, cells: Sequence[Cell], generation: GenerationSpec) -> None:
        self._cells, self._generation = cells, generation
        self._kept: OrderedDict[tuple[str, ...], list[_Kept]] = OrderedDict()

    @contextmanager
    def trajectory(self, cell: Cell, pairs: tuple[str, ...], steps: int) -> "Iterator[Trajectory]":
        """Yield the trajectory of a batch. If the block ends without an error, the steps that others share are kept.

        Args:
            cell: The cell of the batch.
            pairs: Ids of the batch's pairs of prompt and noise, in its order.
            steps: Steps of the loop.
        """
        from skewbench.stability import Trajectory  # imported here: the driver needs no torch

        keep = most_shared(cell, self._cells, self._generation, steps)
        if keep == 0:
            yield Trajectory()
            return
        known = []
        for one in self._kept.get(pairs, ()):
            shared = shared_steps(cell, one.cell, self._generation, steps)
            known.append([call for call in one.trajectory.calls if call.step < shared])
        trajectory = Trajectory(max(known, key=len, default=[]), keep)
        yield trajectory
        self._kept.setdefault(pairs, []).append(_Kept(cell, trajectory))
        self._kept.move_to_end(pairs)
        while len(self._kept) > 1 and sum(one.nbytes for kept in self._kept.values() for one in kept) > LARGEST:
            self._kept.popitem(last=False)
