"""What the comparison of speed finds of a build that takes 15% longer, and how often it cries wolf.

The times are real: two builds that took turns, old new new old and so on, a run each. Both are the same build, so that
each trial knows what it put in: nothing, or the later runs' seconds times 1.15.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from skewbench import sql
from skewbench.eval.regressions import Margin, judged
from skewbench.storage.manifest import find_run
from skewbench.storage.store import open_store
from skewbench.tasks.regressions.speed import Times, speed_rows, times
from tests.regressions import arms
from tests.regressions.trials import LEVEL, Line

SLOWER = 1.15
ENOUGH = 2
"""A trial draws from at least so many times the runs that it takes."""
NIGHTS = (5, 13)
"""Earlier nights: as few as are compared, and as many as `nightly` keeps."""
TURNS = (5, 10)
BATCH = 5
"""Images a batch: of some batches the median leaves out the first, in which a worker still warms up."""
SHARE = 0.1
"""The margin of seconds in the experiment `nightly`."""
_NO_PAIRS = pl.DataFrame(schema=dict.fromkeys(("cell", "kind", "metric", "stage", "unit", "prompt_id"), pl.String))


def make_turns(lake: str, turns: int, prompts: int) -> list[Times]:
    """Two runs a turn, in the order in which they were made, as far as they are not there yet."""
    order = [(turn, build) for turn in range(turns) for build in (("old", "new"), ("new", "old"))[turn % 2]]
    runs = [arms.generated(lake, arms.experiment(f"turn-{turn}-{build}", BATCH, prompts, ())) for turn, build in order]
    with sql.connect(lake, runs) as connection:
        known = times(connection, [find_run(open_store(lake), run) for run in runs])
    made = [
        replace(one.run, identity=one.run.identity | {"source": build})
        for one, (_, build) in zip(known, order, strict=True)
    ]
    return [Times(run, one.seconds) for run, one in zip(made, known, strict=True)]


def speed_lines(known: Sequence[Times], trials: int) -> Iterator[tuple[str, Line]]:
    """(`power` or `false alarms`, line) of each way, with as many nights or turns as there are enough for."""
    for kind, what, factor in (("false alarms", "as fast as before", 1.0), ("power", "15% slower", SLOWER)):
        alarms = ("worse",) if kind == "power" else ("worse", "better")
        for count in NIGHTS:
            if len(known) >= ENOUGH * (count + 1):
                found = [_verdict(*_nights(known, count, factor, trial)) in alarms for trial in range(trials)]
                yield kind, Line(what, f"seconds, {count} earlier nights", sum(found), trials)
        for count in TURNS:
            if len(known) >= ENOUGH * 2 * count:
                found = [_verdict(*_turns(known, count, factor, trial)) in alarms for trial in range(trials)]
                yield kind, Line(what, f"seconds, {count} interleaved pairs of two builds", sum(found), trials)


def spread(known: Sequence[Times]) -> tuple[float, float]:
    """What the machine did: standard deviation of the runs' log seconds, and of the log ratios within turns."""
    logs = np.log([next(iter(one.seconds.values())) for one in known])
    return float(logs.std(ddof=1)), float((logs[1::2] - logs[::2]).std(ddof=1))


def _nights(known: Sequence[Times], count: int, factor: float, trial: int) -> tuple[list[Times], Times, Times]:
    """Earlier nights and tonight's, which takes `factor` times as long, all of one build; tonight's, and the first."""
    drawn = np.random.default_rng(trial).permutation(len(known))[: count + 1]
    build = known[0].run.identity
    nights = [replace(known[at], run=replace(known[at].run, identity=build)) for at in drawn]
    runs = _in_order([*nights[:-1], _slower(nights[-1], factor)])
    return runs, runs[-1], runs[0]


def _turns(known: Sequence[Times], count: int, factor: float, trial: int) -> tuple[list[Times], Times, Times]:
    """Some of the turns, in their order, where the new build takes `factor` times as long; its last, the old one's.

    Each build goes first as often as the other, to within one.
    """
    rng = np.random.default_rng(trial)
    by_order = np.arange(len(known) // 2).reshape(-1, 2).T  # each build goes first in half of them
    drawn = np.sort(
        np.concatenate(
            [rng.choice(turns, (count + at) // 2, replace=False) for at, turns in enumerate(rng.permutation(by_order))]
        )
    )
    taken = [known[2 * turn + which] for turn in drawn for which in (0, 1)]
    runs = _in_order([_slower(one, factor) if one.run.identity["source"] == "new" else one for one in taken])
    last = {one.run.identity["source"]: one for one in runs}
    return runs, last["new"], last["old"]


def _slower(one: Times, factor: float) -> Times:
    return replace(one, seconds={key: factor * seconds for key, seconds in one.seconds.items()})


def _in_order(runs: list[Times]) -> list[Times]:
    """A day between each two, since the comparison goes by when a run was made."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    days = [(began + timedelta(days=at)).isoformat() for at in range(len(runs))]
    return [replace(one, run=replace(one.run, created=day)) for one, day in zip(runs, days, strict=True)]


def _verdict(runs: list[Times], now: Times, against: Times) -> str:
    """On the only row there is."""
    asked = Margin(better="lower", required=True)
    rows = list(speed_rows(runs, now.run, against.run, set(), SHARE, asked, LEVEL))
    (verdict,) = judged(_NO_PAIRS, lambda *_: Margin(), LEVEL, rows)["verdict"]
    return str(verdict)
