"""The answers of the named queries about a run, for the page's figures."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import duckdb
import polars as pl

from skewbench import sql
from skewbench.sql import Context
from skewbench.storage.manifest import find_run
from skewbench.storage.records import Manifest
from skewbench.storage.store import Store
from skewbench.storage.verify import reporting_broken_parts
from skewbench.tasks.claims import claims
from skewbench.tasks.report.labels import Labels, read_labels


@dataclass(frozen=True)
class Answers:
    """A run, its cells in their order (the baseline first), and the answers about it. `lake` holds the lake's views."""

    run: Manifest
    lake: duckdb.DuckDBPyConnection
    cells: list[str]
    baseline: str | None
    settings: dict[str, str]
    labels: Labels
    context: Context
    metrics: pl.DataFrame  # metric, kind, higher_is_better
    fidelity: str | None  # the metric that stands for fidelity: a score of an image, if there is one
    diversity: str | None  # the metric that stands for diversity: of a set of images
    correlations: pl.DataFrame
    curve: pl.DataFrame
    regimes: pl.DataFrame
    worst: pl.DataFrame
    profile: pl.DataFrame
    effects: pl.DataFrame
    front: pl.DataFrame
    scatter: pl.DataFrame
    claims: pl.DataFrame
    failures: pl.DataFrame
    speed: pl.DataFrame
    known: dict[str, pl.DataFrame] = field(default_factory=dict)

    def of(self, query: str) -> pl.DataFrame:
        """Answer a named query with its defaults; each answer is computed once.

        Args:
            query: Name of the query.
        """
        if query not in self.known:
            self.known[query] = sql.query(self.lake, query)
        return self.known[query]

    @property
    def others(self) -> list[str]:
        """The cells that are compared with the baseline."""
        return [cell for cell in self.cells if cell != self.baseline]


@contextmanager
def answered(store: Store, run_id: str) -> Iterator[Answers]:
    """Open the lake for one run, finished or not, and run the named queries.

    Args:
        store: The lake.
        run_id: The run's id, or a unique beginning of it.

    Yields:
        The answers. Further queries can be answered within the block.

    Raises:
        InputError: There is no such run.
        RunError: Parts that the manifest names are broken. The message names the first one.
    """
    run = find_run(store, run_id)
    with (
        reporting_broken_parts(store, run),
        closing(sql.connect(store.lake, run.run_id, include_running=True)) as lake,
    ):
        yield _ask(lake, run)


def _ask(lake: duckdb.DuckDBPyConnection, run: Manifest) -> Answers:
    context = sql.read_context(lake)
    known = {name: sql.query(lake, name) for name in _ASKED}
    return Answers(
        run=run,
        lake=lake,
        cells=list(context.cells),
        baseline=context.baseline,
        settings=dict(context.words),
        labels=read_labels(lake),
        context=context,
        metrics=sql.select(lake, "SELECT metric, kind, higher_is_better FROM metrics ORDER BY kind DESC, metric"),
        fidelity=context.fidelity,
        diversity=context.diversity,
        correlations=known["correlations"],
        curve=known["operating_curve"],
        regimes=known["regimes"],
        worst=known["worst_fraction"],
        profile=known["stability_profile"],
        effects=known["static_effect"],
        front=known["pareto_front"],
        scatter=known["change_by_alignment"],
        claims=claims(lake, run.run_id, known),
        failures=known["failures"],
        speed=known["speed"],
        known=known,
    )


_ASKED = (
    "correlations",
    "operating_curve",
    "regimes",
    "worst_fraction",
    "stability_profile",
    "static_effect",
    "pareto_front",
    "change_by_alignment",
    "failures",
    "speed",
)
"""Queries that the page's own sections show."""
