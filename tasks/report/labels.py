"""Labels of metrics on the page, from the run itself."""

from dataclasses import dataclass

import duckdb

from skewbench.vocabulary.measures import measure_label


@dataclass(frozen=True)
class Labels:
    """A metric's label and meaning by its name, from the run's declarations.

    A metric that nobody declared keeps its name, and Align, which stands beside metrics, its symbol.
    """

    known: dict[str, tuple[str, str]]

    def of(self, metric: str) -> str:
        """Return a metric's name for people.

        Args:
            metric: Name of the metric in the lake.
        """
        return self.known[metric][0] if metric in self.known else measure_label(metric)

    def sentence(self, metric: str) -> str:
        """Describe a metric, as `Vendi: effective number of images.`; empty for one that no run declared.

        Args:
            metric: Name of the metric in the lake.
        """
        return f"{self.of(metric)}: {self.known[metric][1]}." if metric in self.known else ""


def read_labels(lake: duckdb.DuckDBPyConnection) -> Labels:
    """Read the metrics' labels from the runs of a connection. If runs differ, the newest counts.

    Args:
        lake: A connection to the runs' views.
    """
    rows = lake.execute(
        "SELECT metric, label, meaning FROM metric_declarations JOIN runs USING (run_id) ORDER BY created, run_id"
    ).fetchall()
    return Labels({metric: (label or metric, meaning or "") for metric, label, meaning in rows})
