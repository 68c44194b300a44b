"""The criteria that an experiment sets for the comparison of its metrics and measures."""

from collections.abc import Callable
from typing import Literal

import duckdb
import numpy as np

from skewbench.eval.regressions import Margin
from skewbench.tasks.experiment import NightlySpec
from skewbench.vocabulary.measures import NAMES

_LOWER = ("lost", "peak_memory", "seconds")
_RELATIVE = ("peak_memory", "seconds")


def margins(connection: duckdb.DuckDBPyConnection, spec: NightlySpec) -> Callable[[str, str, np.ndarray], Margin]:
    """Return a function from kind, metric and the earlier run's values to the margin and the better side.

    The margin is in the metric's unit.

    Args:
        connection: A connection to the lake's views. The newest run that declares a metric tells its better side.
        spec: Margins that a person chose, by metric.
    """
    newest_last = "SELECT metric, better FROM metrics JOIN runs USING (run_id) ORDER BY created, run_id"
    sides = dict(connection.execute(newest_last).fetchall())
    sides |= dict.fromkeys(_LOWER, "lower") | dict.fromkeys(NAMES, "neither")
    named = {margin.metric: margin for margin in spec.margins}

    def margin_of(kind: str, metric: str, before: np.ndarray) -> Margin:
        finite = before[np.isfinite(before)]
        given = named.get(metric)
        if given is None:
            spread = float(finite.std(ddof=1)) if kind == "measure" and len(finite) > 1 else 0.0
            return Margin(spec.measures_margin * spread or None, _side(sides.get(metric)), metric == "lost")
        scale = abs(float(finite.mean())) if given.relative or metric in _RELATIVE else 1.0
        return Margin(given.margin * scale or None, _side(given.better or sides.get(metric)), given.required)

    return margin_of


def _side(better: str | None) -> Literal["higher", "lower"] | None:
    return "higher" if better == "higher" else "lower" if better == "lower" else None
