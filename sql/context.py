"""What figures show beside an answer: the runs' cells, and what their metrics are called."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb


@dataclass(frozen=True)
class Context:
    """Names for people, and the order in which things stand.

    Args:
        cells: All cells, the baseline first, else in the order of the experiment. Colours go by this order.
        baseline: The baseline's cell, or None.
        labels: What metrics are called; one that nobody declared is missing.
        words: The cells' settings in words.
        fidelity: The metric that stands for fidelity, or None.
        diversity: The metric that stands for diversity, or None.
        better: Whether more is better of a metric; None where neither side is.
    """

    cells: tuple[str, ...]
    baseline: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    fidelity: str | None = None
    diversity: str | None = None
    better: Mapping[str, bool | None] = field(default_factory=dict)

    def label(self, metric: str) -> str:
        """What a metric is called."""
        return self.labels.get(metric, metric)

    def main_first(self, metrics: list[str]) -> list[str]:
        """Metrics with those that stand for fidelity and diversity before the others."""
        first = [metric for metric in (self.fidelity, self.diversity) if metric in metrics]
        return [str(metric) for metric in (*first, *(metric for metric in metrics if metric not in first))]


def read_context(connection: duckdb.DuckDBPyConnection) -> Context:
    """The context of the runs of a connection; the newest run's words, where they differ."""
    cells = connection.execute(
        "SELECT cell, bool_or(baseline) AS baseline, any_value(words) FROM cells GROUP BY cell "
        "ORDER BY baseline DESC, min(position), cell"
    ).fetchall()
    labels = connection.execute(
        "SELECT metric, label FROM metric_declarations JOIN runs USING (run_id) ORDER BY created, run_id"
    ).fetchall()
    main = dict(connection.execute("SELECT role, metric FROM main_metrics").fetchall())
    return Context(
        cells=tuple(cell for cell, *_ in cells),
        baseline=next((cell for cell, baseline, _ in cells if baseline), None),
        labels={metric: label or metric for metric, label in labels},
        words={cell: words for cell, _, words in cells},
        fidelity=main.get("fidelity"),
        diversity=main.get("diversity"),
        better=dict(connection.execute("SELECT metric, higher_is_better FROM metrics").fetchall()),
    )
