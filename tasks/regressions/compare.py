"""One run against another, from the lake to the table of verdicts."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from skewbench import sql
from skewbench.eval.regressions import Margin, judged, tolerance
from skewbench.eval.regressions.table import KEY, Row
from skewbench.storage.manifest import list_runs
from skewbench.storage.records import Manifest
from skewbench.storage.store import Store
from skewbench.storage.tables.regressions import REGRESSIONS
from skewbench.tasks.experiment import NightlySpec
from skewbench.tasks.media import medium_of
from skewbench.tasks.regressions.gather import Sides, image_pairs, pairs, sides
from skewbench.tasks.regressions.image_differences import differences
from skewbench.tasks.regressions.margins import margins
from skewbench.tasks.regressions.speed import runs_of_experiment, speed_rows, times, worse_nights
from skewbench.vocabulary.errors import InputError, RunError
from skewbench.vocabulary.verdicts import VERDICTS

_NOT = "not comparable"
_SINGLE = 4
"""Rounding error of one step of one block, relative to that of a mean over steps and blocks."""
_SAME_SIZE = pl.col("n_before").eq_missing(pl.col("n"))  # the diversity of a set depends on its size
_OF_PAIRING = ("scorer_before", "scorer", "n_before", "n")


@dataclass(frozen=True)
class Comparison:
    """The comparison of a run with an earlier one.

    Args:
        table: Verdicts with the columns of `storage.tables.REGRESSIONS`, the most important first.
        images: One row per pair of images, with their distance (`differences`).
        platform: The differences in device and versions; empty if there are none.
    """

    run: Manifest
    against: Manifest
    table: pl.DataFrame
    images: pl.DataFrame
    platform: str

    @property
    def worse(self) -> pl.DataFrame:
        """Return the rows that are required and worse."""
        return self.table.filter(pl.col("required") & (pl.col("verdict") == "worse"))

    @property
    def unchecked(self) -> list[str]:
        """Return the required metrics without a comparable row, except seconds, which need some nights first."""
        required = self.table.filter(pl.col("required") & (pl.col("kind") != "speed"))
        judged = required.filter(pl.col("verdict") != _NOT)["metric"].to_list()
        return [metric for metric in required["metric"].unique(maintain_order=True) if metric not in judged]

    def check(self) -> None:
        """Raise `RunError` if nothing could be compared: then the absence of regressions means nothing."""
        if self.table.filter(pl.col("verdict") != _NOT).is_empty():
            reasons = self.table["reason"].drop_nulls().mode(maintain_order=True)
            why = f" ({reasons[0]})" if len(reasons) else ""
            raise RunError(f"nothing could be compared{why}: {self.run.run_id} against {self.against.run_id}")

    def to_arrow(self) -> pa.Table:
        """Convert the table to the lake's schema."""
        return self.table.to_arrow().select(REGRESSIONS.schema.names).cast(REGRESSIONS.schema)


def compare(
    store: Store, run: Manifest, against: Manifest, spec: NightlySpec, baseline: str | None = None
) -> Comparison:
    """Compare a run with an earlier one.

    Args:
        store: The lake of both runs.
        run: The later run.
        against: The earlier run.
        spec: Margins and level.
        baseline: Name of the baseline that names `against`, or None.

    Raises:
        InputError: A run that is still running, or a run against itself.
    """
    for one in (run, against):
        if one.status == "running":
            raise InputError(f"run {one.run_id} is still running; compare it when it is finished")
    if run.run_id == against.run_id:
        raise InputError(f"cannot compare run {run.run_id} with itself; name two runs")
    experiment = runs_of_experiment(list_runs(store), run)
    ids = dict.fromkeys([run.run_id, against.run_id, *(one.run_id for one in experiment)])
    with sql.connect(store.lake, list(ids)) as connection:
        known = gather(connection, store, run, against, spec)
        slow = worse_nights(connection, against.run_id)
        share = next((one.margin for one in spec.margins if one.metric == "seconds"), None)
        criterion = known.margin_of("speed", "seconds", np.ones(1))
        speed = speed_rows(times(connection, experiment), run, against, slow, share, criterion, spec.level)
        others = [
            row | {"required": known.margin_of(row["kind"], row["metric"], np.ones(1)).required}
            for row in known.hindered
        ]
        others += [row | _obstacle_of(known.cells, row) for row in speed]
        failed = {name: cell.failed for name, cell in known.cells.items()}
        table = judged(known.pairs, known.margin_of, spec.level, others, failed)
        table = _located(connection, table, run.run_id, against.run_id, known.cells)
    table = table.with_columns(
        against=pl.lit(against.run_id),
        baseline=pl.lit(baseline, pl.String),
        night=pl.lit(run.experiment.get("repeat") or None, pl.String),
    )
    platform = next((cell.platform for cell in known.cells.values() if cell.platform and not cell.obstacle), "")
    rows = _sorted(table, list(known.cells)).select(REGRESSIONS.schema.names)
    return Comparison(run, against, rows, known.images, platform)


@dataclass(frozen=True)
class Gathered:
    """The values by which two runs are compared.

    Args:
        pairs: Pairs for `skewbench.eval.regressions.judged`.
        hindered: Rows that cannot be compared, each with an `obstacle`.
        margin_of: Returns the criterion of a kind and metric, given the values of the earlier run.
    """

    cells: dict[str, Sides]
    pairs: pl.DataFrame
    hindered: list[Row]
    images: pl.DataFrame
    margin_of: Callable[[str, str, np.ndarray], Margin]


def gather(
    connection: duckdb.DuckDBPyConnection, store: Store, run: Manifest, against: Manifest, spec: NightlySpec
) -> Gathered:
    """Gather all pairs of two runs, without their times.

    Args:
        connection: A connection to the lake's views.
        store: The lake.
        run: The later run.
        against: The earlier run.
        spec: Margins and required metrics.
    """
    cells = sides(connection, run.run_id, against.run_id)
    images = differences(connection, store.lake, run.run_id, against.run_id, medium_of(run))
    known, hindered = _comparable(pairs(connection, run.run_id, against.run_id, cells, images), cells)
    hindered += list(_missing(connection, run.run_id, against.run_id))
    alike = [cell.cell for cell in cells.values() if cell.alike and not cell.obstacle]
    seen = image_pairs(images.filter(pl.col("cell").is_in(alike)))
    return Gathered(cells, pl.concat([known, seen], how="diagonal"), hindered, images, margins(connection, spec))


def summary(comparison: Comparison) -> str:
    """Summarise a comparison in one line: rows by verdict, and required metrics that are worse or not comparable.

    Args:
        comparison: The comparison.
    """
    counts = comparison.table["verdict"].value_counts()
    by_verdict = dict(counts.iter_rows())
    verdicts = ", ".join(f"{by_verdict[verdict]} {verdict}" for verdict in VERDICTS if verdict in by_verdict)
    worse = comparison.worse
    names = [
        f"{row['metric']} of {row['cell']}" for row in worse.unique(["metric", "cell"], maintain_order=True).to_dicts()
    ]
    required = f"; required and worse: {', '.join(names)}" if names else ""
    unchecked = comparison.unchecked
    required += f"; required and not comparable: {', '.join(unchecked)}" if unchecked else ""
    other = f"; the runs differ in {comparison.platform}" if comparison.platform else ""
    runs = f"{comparison.run.run_id} against {comparison.against.run_id}"
    return f"{runs}: {verdicts or 'nothing to compare'}{required}{other}"


def _comparable(known: pl.DataFrame, cells: dict[str, Sides]) -> tuple[pl.DataFrame, list[Row]]:
    """Split pairs into those that can be compared, and rows for the others with the reason."""
    parts, hindered = [], []
    for part in known.partition_by(KEY, maintain_order=True):
        cell = cells[part["cell"][0]]
        complete = part.filter(pl.col("disappeared") | (pl.col("before").is_not_null() & pl.col("value").is_not_null()))
        obstacle = cell.obstacle or _why_not(part, complete, cell)
        if obstacle:
            row: Row = {name: part[name][0] for name in KEY}
            hindered.append(row | {"obstacle": obstacle})
        else:
            moved = pl.when("disappeared").then(pl.lit(cell.alike or None, pl.Boolean)).otherwise("moved")
            value = pl.when("disappeared").then(math.nan).otherwise("value")
            parts.append(complete.filter(_SAME_SIZE).with_columns(moved=moved, value=value).drop(_OF_PAIRING))
    whole = pl.concat(parts) if parts else known.clear().drop(_OF_PAIRING)
    return whole, hindered


def _why_not(part: pl.DataFrame, complete: pl.DataFrame, cell: Sides) -> str:
    if complete.is_empty():
        what = f"it of {part['set'][0]}" if part["set"][0] else "it"  # the other may have it of another set
        if part["before"].null_count() == len(part):
            return f"only the later run has {what}"
        if part["value"].null_count() == len(part):
            return f"only the earlier run has {what}"
        return "no pair of the same prompt, noise and size has a value in both runs"
    if part["kind"][0] == "memory" and not cell.alike:
        return f"peak memory depends on device and versions, which differ: {cell.platform or 'several devices'}"
    if complete.filter(_SAME_SIZE).is_empty():
        sizes = [", ".join(map(str, sorted(set(complete[name])))) for name in ("n_before", "n")]
        return f"sets of {sizes[0]} and of {sizes[1]} images"
    versions = [sorted(set(part[name].drop_nulls())) for name in ("scorer_before", "scorer")]
    if all(versions) and versions[0] != versions[1]:
        return f"scored by {', '.join(versions[0])} and by {', '.join(versions[1])}: score both runs again"
    return ""


def _missing(connection: duckdb.DuckDBPyConnection, *runs: str) -> Iterator[Row]:
    """Yield rows for metrics that have no value in one run or in both."""
    rows = connection.execute(
        "SELECT metric, min(reason) FROM missing_metrics AS m WHERE run_id IN (?, ?) AND NOT EXISTS "
        "(FROM metrics WHERE metrics.metric = m.metric AND metrics.run_id IN (?, ?)) GROUP BY metric ORDER BY metric",
        [*runs, *runs],
    )
    for metric, reason in rows.fetchall():
        yield {"cell": "all", "kind": "sample", "metric": metric, "obstacle": f"no value: {reason}"}


def _obstacle_of(cells: dict[str, Sides], row: Row) -> Row:
    obstacle = cells[row["cell"]].obstacle
    return {"obstacle": obstacle} if obstacle else {}


def _located(
    connection: duckdb.DuckDBPyConnection, table: pl.DataFrame, run: str, against: str, cells: dict[str, Sides]
) -> pl.DataFrame:
    """Rows whose pairs moved, with the first step and block at which a measure differs: their own measure, or any."""
    dtypes = sorted({cell.dtype for cell in cells.values() if cell.alike})
    if not dtypes:
        return table.with_columns(_nowhere())
    share = _SINGLE * max(tolerance(dtype) for dtype in dtypes)
    found = sql.query(connection, "first_difference", run=run, against=against, tolerance=share)
    order = ["step", "block"]
    found = found.select("cell", "stage", metric="measure", step="step", block="block", block_name="block_name")
    found = found.with_columns(pl.col("step").cast(pl.Int32), pl.col("block").cast(pl.Int32)).sort(order)
    everywhere = found.with_columns(stage=pl.lit("all")).unique(["cell", "metric"], keep="first", maintain_order=True)
    first = found.unique(["cell"], keep="first", maintain_order=True).drop("stage", "metric")
    own = table.join(pl.concat([found, everywhere]), on=["cell", "stage", "metric"], how="left", maintain_order="left")
    any_of = table.select("cell").join(first, on="cell", how="left", maintain_order="left")
    moved = pl.col("moved").fill_null(0) > 0
    of_measure = pl.col("kind") == "measure"
    return own.with_columns(
        pl.when(moved & of_measure).then(pl.col(name)).when(moved & ~of_measure).then(any_of[name]).alias(name)
        for name in ("step", "block", "block_name")
    )


def _nowhere() -> list[pl.Expr]:
    kinds = {"step": pl.Int32(), "block": pl.Int32(), "block_name": pl.String()}
    return [pl.lit(None, kind).alias(name) for name, kind in kinds.items()]


def _sorted(table: pl.DataFrame, cells: list[str]) -> pl.DataFrame:
    """Sort rows: required and worse first, then by verdict, then in the order of the cells."""
    kind = _place("kind", REGRESSIONS.words["kind"])
    return table.sort(
        _place("verdict", VERDICTS), ~pl.col("required"), _place("cell", cells), kind, maintain_order=True
    )


def _place(column: str, order: Sequence[str]) -> pl.Expr:
    places = {value: at for at, value in enumerate(order)}
    return pl.col(column).replace_strict(places, default=len(order), return_dtype=pl.Int32)
