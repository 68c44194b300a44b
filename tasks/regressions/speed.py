"""Seconds per image: compared with earlier nights on the same device, or between interleaved runs of two builds.

Other load on a machine changes its times more than a build does, so comparing two single runs is not informative.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np

from skewbench.eval.regressions import Margin
from skewbench.eval.regressions.table import Row, evidence_of
from skewbench.eval.statistics import PairedChange, against_history, in_turns
from skewbench.storage.records import Manifest

LEAST = 5
"""Earlier nights, or interleaved pairs of runs, that a comparison of speed needs."""
_NUMBERS = {"source", "versions", "revision", "repeat"}
"""Settings that may differ between two runs of one experiment."""
_BUILD = ("source", "versions", "revision")


@dataclass(frozen=True)
class Times:
    """One run's median seconds per image, by cell and device."""

    run: Manifest
    seconds: dict[tuple[str, str], float]


def runs_of_experiment(runs: list[Manifest], run: Manifest) -> list[Manifest]:
    """Select the committed runs of the same experiment, of any build, oldest first.

    The run itself is selected even if it is incomplete, because it has the times of its samples.

    Args:
        runs: Runs of the lake, oldest first.
        run: The run whose experiment counts.
    """
    alike = [other for other in runs if other.name == run.name and _same(other, run)]
    return [other for other in alike if other.status == "committed" or other.run_id == run.run_id]


def _same(one: Manifest, other: Manifest) -> bool:
    settings = [{name: of for name, of in run.identity.items() if name not in _NUMBERS} for run in (one, other)]
    return settings[0] == settings[1] and one.samples == other.samples


def times(connection: duckdb.DuckDBPyConnection, runs: list[Manifest]) -> list[Times]:
    """Measure each run's median seconds of a sample, by cell and device.

    The median ignores the first images of a worker and other load of the machine, which are no property of the build.

    Args:
        connection: A connection to the lake's views.
        runs: The runs.
    """
    found: dict[str, dict[tuple[str, str], float]] = {run.run_id: {} for run in runs}
    for run_id, cell, device, seconds in connection.execute(
        "SELECT run_id, cell, device, median(seconds / (1 - coalesce(shared_calls, 0))) FROM samples "
        "WHERE shared_calls IS DISTINCT FROM 1 AND seconds > 0 AND device IS NOT NULL AND status = 'ok' GROUP BY ALL"
    ).fetchall():
        if run_id in found:
            found[run_id][cell, device] = seconds
    return [Times(run, found[run.run_id]) for run in runs]


def worse_nights(connection: duckdb.DuckDBPyConnection, against: str) -> set[tuple[str, str]]:
    """Find the runs and cells that were slower than the nights before them.

    Args:
        connection: A connection to the lake's views.
        against: Id of the baseline's run that they were compared with.

    Returns:
        Pairs of run id and cell.
    """
    rows = connection.execute(
        "SELECT run_id, cell FROM regressions WHERE kind = 'speed' AND verdict = 'worse' AND against = ?", [against]
    )
    return {(run_id, cell) for run_id, cell in rows.fetchall()}


def speed_rows(
    known: list[Times],
    run: Manifest,
    against: Manifest,
    slow: set[tuple[str, str]],
    share: float | None,
    criterion: Margin,
    level: float,
) -> Iterator[Row]:
    """Yield one row per cell and device of the run.

    Args:
        known: Times of all runs of the experiment, oldest first.
        run: The later run.
        against: The earlier run.
        slow: Runs and cells that were found slower; they are not part of the history.
        share: Margin, as a share of the earlier seconds; None: no equivalence test.
        criterion: Better side, and whether a worse time fails the night.
        level: Level of the tests.
    """
    now = next(one for one in known if one.run.run_id == run.run_id)
    for (cell, device), seconds in now.seconds.items():
        row: Row = {"cell": cell, "kind": "speed", "metric": "seconds", "mean": seconds}
        row |= {"better": criterion.better, "required": criterion.required}
        turns = _turns(known, run, against, (cell, device))
        earlier = [
            one.seconds[cell, device]
            for one in known
            if (cell, device) in one.seconds
            and (one.run.created, one.run.run_id) < (run.created, run.run_id)
            and (one.run.run_id, cell) not in slow
        ]
        if len(turns) >= 2 * LEAST:
            later, logs = np.array([new for new, _ in turns]), np.log([one for _, one in turns])
            found = in_turns(logs, later, 2 * level)
            row["mean"] = math.exp(logs[later].mean())
            row["method"] = f"{found.n} interleaved pairs of runs, t test with {found.freedom} degrees of freedom"
        elif len(earlier) >= LEAST:
            found = against_history(earlier, seconds, 2 * level)
            row["method"] = f"{len(earlier)} earlier nights, t prediction"
        else:
            yield row | {"obstacle": _too_few(len(earlier), len(turns) // 2, device)}
            continue
        before = row["mean"] / math.exp(found.change)
        yield row | {"before": before, "n": found.n, "prompts": found.n} | _in_seconds(found, before, share, criterion)


def _turns(known: list[Times], run: Manifest, against: Manifest, key: tuple[str, str]) -> list[tuple[bool, float]]:
    """Neighbours in time, one of each build, oldest first: whether a run is of the later build, and its seconds."""
    builds = [_build(against), _build(run)]
    if builds[0] == builds[1]:
        return []
    line = [
        (_build(one.run) == builds[1], one.seconds[key])
        for one in known
        if key in one.seconds and _build(one.run) in builds
    ]
    found, at = [], 0
    while at + 1 < len(line):
        if line[at][0] == line[at + 1][0]:
            at += 1
        else:
            found += line[at : at + 2]
            at += 2
    return found


def _build(run: Manifest) -> tuple[Any, ...]:
    return tuple(str(run.identity.get(name)) for name in _BUILD)


def _too_few(earlier: int, turns: int, device: str) -> str:
    return (
        f"times on {device} need {LEAST} earlier nights (found {earlier}) or {LEAST} interleaved pairs of runs of the "
        f"two builds (found {turns})"
    )


def _in_seconds(found: PairedChange, before: float, share: float | None, criterion: Margin) -> Row:
    """Evidence of a log ratio, its numbers in seconds."""
    margin = None if share is None else math.log1p(share)
    columns = evidence_of(found, Margin(margin, criterion.better, criterion.required), found.p)
    for name in ("change", "low", "high", "margin"):
        value = columns[name]
        columns[name] = value if value is None or math.isnan(value) else before * math.expm1(value)
    return columns
