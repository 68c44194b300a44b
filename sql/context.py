"""Context for figures: the cells of the runs and the labels of their metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb


@dataclass(frozen=True)
class Context:
    """Labels, and the order of cells and metrics.

    Args:
        cells: All cells: the baseline first, then in the order of the experiment. Colours follow this order.
        baseline: The baseline's cell, or None.
        labels: Labels by metric; undeclared metrics are missing.
        words: Settings in words, by cell.
        fidelity: The metric that stands for fidelity, or None.
        diversity: The metric that stands for diversity, or None.
        better: Whether higher is better, by metric; None if neither side is.
    """

    cells: tuple[str, ...]
    baseline: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    fidelity: str | None = None
    diversity: str | None = None
    better: Mapping[str, bool | None] = field(default_factory=dict)

    def label(self, metric: str) -> str:
        """Return a metric's label, or its name if it has none.

        Args:
            metric: Name of the metric.
        """
        return self.labels.get(metric, metric)

    def main_first(self, metrics: list[str]) -> list[str]:
        """Sort metrics so that those for fidelity and diversity come first.

        Args:
            metrics: Names of metrics. The others keep their order.
        """
        first = [metric for metric in (self.fidelity, self.diversity) if metric in metrics]
        return [str(metric) for metric in (*first, *(metric for metric in metrics if metric not in first))]


def read_context(connection: duckdb.DuckDBPyConnection) -> Context:
    """Read the context of a connection's runs. If their words differ, the newest run's are used.

    Args:
        connection: A connection of `skewbench.sql.connect`.
    """
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
