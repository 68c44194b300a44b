"""What the named queries say of a run: all that the page's figures show."""

from dataclasses import dataclass

import duckdb
import polars as pl

from skewbench import sql
from skewbench.storage.records import Manifest
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
    metrics: pl.DataFrame  # metric, kind, higher_is_better
    fidelity: str | None  # the metric that stands for fidelity: a score of a picture, if there is one
    diversity: str | None  # the metric that stands for diversity: of a set of pictures
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

    @property
    def others(self) -> list[str]:
        """The cells that are compared with the baseline."""
        return [cell for cell in self.cells if cell != self.baseline]


def ask(lake: duckdb.DuckDBPyConnection, run: Manifest) -> Answers:
    """Run the named queries over a connection that sees this run alone."""
    cells = sql.select(lake, "SELECT cell, words FROM cells ORDER BY baseline DESC, position")
    knobs = dict(cells.select("cell", "words").iter_rows())
    main = dict(sql.select(lake, "SELECT role, metric FROM main_metrics").iter_rows())
    return Answers(
        run=run,
        lake=lake,
        cells=cells["cell"].to_list(),
        baseline=run.baseline if run.baseline in knobs else None,
        settings=knobs,
        labels=read_labels(lake),
        metrics=sql.select(lake, "SELECT metric, kind, higher_is_better FROM metrics ORDER BY kind DESC, metric"),
        fidelity=main.get("fidelity"),
        diversity=main.get("diversity"),
        correlations=sql.query(lake, "correlations"),
        curve=sql.query(lake, "operating_curve"),
        regimes=sql.query(lake, "regimes"),
        worst=sql.query(lake, "worst_fraction"),
        profile=sql.query(lake, "stability_profile"),
        effects=sql.query(lake, "static_effect"),
        front=sql.query(lake, "pareto_front"),
        scatter=sql.query(lake, "change_by_alignment"),
        claims=claims(lake, run.run_id),
        failures=sql.query(lake, "failures"),
        speed=sql.query(lake, "speed"),
    )
