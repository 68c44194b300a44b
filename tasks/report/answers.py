"""What the named queries say of a run: all that the page's figures show."""

import json
from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl

from skewbench import sql
from skewbench.storage.manifest import Manifest
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
    cells = sql.select(lake, "SELECT cell, knob, settings, baseline FROM cells ORDER BY baseline DESC, position")
    knobs = {row["cell"]: _words(row["knob"], json.loads(row["settings"])) for row in cells.to_dicts()}
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


def _words(kind: str, settings: dict[str, Any]) -> str:
    """A knob in words: what differs from plain attention."""
    given = {name: value for name, value in settings.items() if value is not None}
    if kind == "vanilla":
        return "plain attention"
    words = [kind]
    words += [f"{symbol} {given[name]:g}" for name, symbol in _SYMBOLS.items() if name in given]
    if given.get("adapt_alpha", "off") != "off":
        words.append(f"α adaptive ({given['adapt_alpha']})")
    if given.get("adapt_beta"):
        words.append("β adaptive")
    if given.get("eta_scope") == "batch":
        words.append("η over the batch")
    if given.get("rescale") == "off":
        words.append("no rescale")
    if given.get("blocks", "all") != "all":
        words.append(f"blocks {given['blocks']}")
    start, end = given.get("window", (0.0, 1.0))
    if (start, end) != (0.0, 1.0):
        words.append(f"steps from {start:.0%} to {end:.0%}")
    return ", ".join(words)


_SYMBOLS = {"alpha": "α", "beta": "β", "tau": "τ"}
