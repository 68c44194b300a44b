"""What metrics are called on the page: as the run itself knows them."""

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
        """A metric's name for people."""
        return self.known[metric][0] if metric in self.known else measure_label(metric)

    def sentence(self, metric: str) -> str:
        """A metric with what it says, `Vendi: effective number of images.`; empty for one that nobody declared."""
        return f"{self.of(metric)}: {self.known[metric][1]}." if metric in self.known else ""


def read_labels(lake: duckdb.DuckDBPyConnection) -> Labels:
    """The labels of the runs of a connection; the newest run's, where they differ."""
    rows = lake.execute(
        "SELECT metric, label, meaning FROM metric_declarations JOIN runs USING (run_id) ORDER BY created, run_id"
    ).fetchall()
    return Labels({metric: (label or metric, meaning or "") for metric, label, meaning in rows})
