"""Two runs of the same images in one synthetic lake, the later with changes of our own."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from skewbench.storage.table import Table
from skewbench.storage.tables.regressions import REGRESSIONS
from skewbench.storage.tables.trials import TRIALS
from skewbench.tasks.rating import QUESTIONS, Votes, commit_votes, find_comparisons, shuffled
from tests.lakes import Lake, made

Change = Callable[[pa.Table], pa.Table]


def two_runs(
    folder: Path, lake: Lake, changes: dict[str, Change] | None = None, later: dict[str, Any] | None = None
) -> tuple[str, str]:
    """The ids of an earlier run and of a later one; `changes` alter the later's tables, `later` what it is made of."""
    identity = {"source": "a", "versions": {}, "revision": "r", "repeat": ""}
    known = {"failed_jobs": [], "identity": identity}
    earlier = made(folder, lake, **known, created="2026-01-01T00:00:00+00:00")
    run = made(
        folder, replace(lake, name=f"{lake.name}-later", **(later or {})), **known, created="2026-01-02T00:00:00+00:00"
    )
    for table, change in (changes or {}).items():
        alter(folder, run, table, change)
    return earlier, run


def alter(folder: Path, run_id: str, table: str, change: Change) -> None:
    """Write a run's parts of a table anew, changed, with the manifest that names them."""
    manifest = folder / "_runs" / f"{run_id}.json"
    content = json.loads(manifest.read_text())
    for part in content["parts"]:
        if part["table"] == table:
            path = folder / part["path"]
            rows = change(pq.ParquetFile(path).read())
            pq.write_table(rows, path)
            part |= {"rows": rows.num_rows, "bytes": path.stat().st_size}
            part["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(content))


def add_regressions(folder: Path, run_id: str, against: str = "toy-earlier", **columns: Any) -> None:
    """A row of `regressions` for a run, of seconds, which was worse; `columns` replace what it says."""
    row = {"against": against, "cell": "baseline", "kind": "speed", "metric": "seconds", "n": 5, "prompts": 5}
    row |= {
        "required": True,
        "verdict": "worse",
        "reason": "the effect is significant",
        "method": "t prediction",
        **columns,
    }
    _add_part(folder, run_id, REGRESSIONS, row, row["verdict"].replace(" ", "-"))


def add_trials(folder: Path, run_id: str) -> None:
    """A row of `trials` for a run: a held-out measurement."""
    row = {
        "objective": "binding",
        "step": 1,
        "round": 3,
        "phase": "held-out",
        "measured_in": run_id,
        "metric": "binding",
    }
    row |= {"trial": "trial-1", "words": "skew, α 1.2, β 5", "setting": "{}", "n": 40, "prompts": 10, "failed": 0}
    _add_part(folder, run_id, TRIALS, row | {"feasible": "yes", "chosen": True, "verdict": "not shown"}, "trials")


def add_ratings(folder: Path, run_id: str) -> None:
    """Votes of two raters on both questions for a run: ann prefers the cells to the baseline, bob does not."""
    store = LocalStore(folder)
    manifest = find_run(store, run_id)
    for question in QUESTIONS:
        placed = shuffled(find_comparisons(store, manifest, question).comparisons, 1)
        for rater, index in (("ann", 1), ("bob", 0)):
            votes = Votes(store, manifest, rater)
            for one in placed[::4]:
                votes.write(one, one.comparison.cells[index])
    commit_votes(store, run_id, print)


def add_attributes(folder: Path, run_id: str) -> None:
    """Values of an attribute's diversity for a run: those of `diversity`, under a name of each way of seeing."""

    def change(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        names = ("attribute_scene_texture", "attribute_scene_layout", "attribute_clip_colour")
        diverse = [row for row in rows if row["metric"] == "diversity"]
        rows += [{**row, "metric": name, "scorer": name[:-8]} for name in names for row in diverse]
        return pa.Table.from_pylist(rows, table.schema)

    alter(folder, run_id, "group_scores", change)


def _add_part(folder: Path, run_id: str, table: Table, row: dict[str, Any], name: str) -> None:
    path = folder / table.name / f"run_id={run_id}" / f"{table.name}-{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([row], table.schema), path)
    manifest = folder / "_runs" / f"{run_id}.json"
    content = json.loads(manifest.read_text())
    part = {"table": table.name, "path": path.relative_to(folder).as_posix(), "rows": 1, "bytes": 1, "sha256": ""}
    content["parts"].append(part | {"schema_version": table.since})
    manifest.write_text(json.dumps(content))


def with_column(name: str, value: Callable[[dict[str, Any]], Any]) -> Change:
    """A table with one column computed anew, row by row."""

    def change(table: pa.Table) -> pa.Table:
        at = table.column_names.index(name)
        values = pa.array([value(row) for row in table.to_pylist()], table.schema.field(name).type)
        return table.set_column(at, table.schema.field(name), values)

    return change
