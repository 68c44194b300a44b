"""Timing several sides against each other on a machine that has other things to do."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import floor, log10

import numpy as np
import torch

Side = Callable[[], object]


@dataclass
class Times:
    """What one side took, a value a round: by the clock, and of the processors."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def on(self, device: str) -> list[float]:
        """What ratios are made of: processor seconds on a CPU, where a neighbour would else count; the clock's else."""
        return self.processor if device == "cpu" else self.seconds


@dataclass(frozen=True)
class Spread:
    """A median and the quartiles around it."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{_three(self.median)} [{_three(self.low)}, {_three(self.high)}]"


def spread(values: list[float]) -> Spread:
    """Of some values."""
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return Spread(float(median), float(low), float(high))


def alternate(
    sides: dict[str, Side], device: str = "cpu", rounds: int = 3, seconds: float = 0.0, warm: bool = False
) -> dict[str, Times]:
    """Run all sides in turn, `rounds` times or more, until `seconds` have gone; every other round backwards.

    A first call of each is not counted, unless they are `warm`. On a GPU the clock stops when the device has finished.
    """
    times = {name: Times() for name in sides}
    for side in () if warm else sides.values():
        _timed(side, device)
    began, done = time.perf_counter(), 0
    while done < rounds or time.perf_counter() - began < seconds:
        for name in list(sides) if done % 2 == 0 else reversed(sides):
            clock, processor = _timed(sides[name], device)
            times[name].seconds.append(clock)
            times[name].processor.append(processor)
        done += 1
    return times


def ratios(times: dict[str, Times], side: str, against: str, device: str = "cpu") -> Spread:
    """One side's time over another's, round by round."""
    return spread([a / b for a, b in zip(times[side].on(device), times[against].on(device), strict=True)])


def _three(value: float) -> str:
    """Three digits, without an exponent."""
    places = 2 - floor(log10(abs(value))) if value else 2
    return f"{value:.{max(0, places)}f}"


def _timed(side: Side, device: str) -> tuple[float, float]:
    _wait(device)
    began, worked = time.perf_counter(), time.process_time()
    side()
    _wait(device)
    return time.perf_counter() - began, time.process_time() - worked


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
