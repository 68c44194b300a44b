"""Compares a run with published claims: one row per claim, with our number, its interval and a verdict."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import duckdb
import polars as pl
from scipy import stats

from skewbench import sql
from skewbench.eval.claims import LEAST, Claim, judge, published_claims
from skewbench.eval.statistics import paired_change
from skewbench.sql.resampling import select_rows

Row = dict[str, Any]

COLUMNS = {
    "group": pl.String,  # of claims
    "source": pl.String,  # paper, or secondary: an article about it
    "claim": pl.String,
    "metric": pl.String,  # the published metric; NULL if the claim is about two
    "measured_by": pl.String,  # the metric that was used; differs from `metric` only if that has no value in the run
    "published": pl.Float64,
    "ours": pl.Float64,
    "low": pl.Float64,  # 95%
    "high": pl.Float64,
    "n": pl.Int64,
    "verdict": pl.String,  # confirmed, contradicted, not enough data, not applicable
    "why": pl.String,  # the named query, or the missing item
}

_NO_HARM = 0.1
"""A claim of no harm allows a change of this many standard deviations of the baseline's values."""


class _Absent(Exception):
    """Raised when the run lacks what the claim is about; the message names it."""


def claims(
    connection: duckdb.DuckDBPyConnection, run_id: str, known: Mapping[str, pl.DataFrame] | None = None
) -> pl.DataFrame:
    """Judge every published claim against a run.

    Args:
        connection: A connection of `skewbench.sql.connect` that shows only this run.
        run_id: The run.
        known: Answers of named queries with their defaults about the run, by name; other queries are asked here.

    Returns:
        One row per claim, with the columns `COLUMNS`.
    """
    run = _Run(connection, run_id, dict(known or {}))
    return pl.DataFrame([_row(run, claim) for claim in published_claims()], schema=COLUMNS)


@dataclass(frozen=True)
class _Run:
    """The run's answers, each computed when the first claim needs it."""

    lake: duckdb.DuckDBPyConnection
    run_id: str
    answers: dict[str, pl.DataFrame]
    having: dict[str, int] = field(default_factory=dict)
    """The prompts with a value of a metric, counted before."""

    @cached_property
    def kinds(self) -> set[tuple[str, str]]:
        """The metrics with a value in the run, each with its kind."""
        return set(self.lake.execute("SELECT metric, kind FROM metrics").fetchall())

    @cached_property
    def metrics(self) -> set[str]:
        return {metric for metric, _ in self.kinds} | {"alignment"}

    @cached_property
    def knobs(self) -> list[Row]:
        return self.lake.execute("FROM knobs ORDER BY position").pl().to_dicts()

    @cached_property
    def intervals(self) -> pl.DataFrame:
        return self.lake.execute("FROM intervals").pl()

    @cached_property
    def all_prompts(self) -> int:
        return int(self.lake.execute("SELECT count(DISTINCT prompt_id) FROM samples").fetchall()[0][0])

    def prompts(self, metric: str) -> int:
        """Count the prompts with a value of the metric; all prompts if it has none, as a metric of whole cells."""
        if metric not in self.having:
            count = "SELECT count(DISTINCT prompt_id) AS n FROM unit_values WHERE run_id = $1 AND metric = $2"
            self.having[metric] = select_rows(self.lake, count, self.run_id, metric).item()
        return self.having[metric] or self.all_prompts

    def values(self, cell: str, metric: str) -> pl.DataFrame:
        """Read the values of a metric in a cell. Those of all cells do not fit in the memory of a small machine."""
        rows = """
            SELECT unit, prompt_id, comparability, value FROM unit_values
            WHERE run_id = $1 AND cell = $2 AND metric = $3
        """
        return select_rows(self.lake, rows, self.run_id, cell, metric)

    def query(self, name: str) -> pl.DataFrame:
        if name not in self.answers:
            self.answers[name] = sql.query(self.lake, name)
        return self.answers[name]

    def cell(self, key: dict[str, Any]) -> str:
        """The first cell with such a knob and the experiment's own generation."""
        for knob in self.knobs:
            if knob["knob"] == "skew" and knob["overrides"] == "{}" and _fits(knob, key):
                return str(knob["cell"])
        raise _Absent(f"no cell with {_words(key)}")


def _fits(knob: Row, key: dict[str, Any]) -> bool:
    alpha = key["alpha"]
    whole = knob["blocks"] == "all" and (knob["window_start"], knob["window_end"]) == (0, 1)
    if isinstance(alpha, tuple):
        inside = alpha[0] < knob["alpha"] < alpha[1] if key.get("open") else alpha[0] <= knob["alpha"] <= alpha[1]
    else:
        inside = knob["alpha"] == alpha
    others = (knob["rescale"] == key.get("rescale", "norm"), knob["beta"] == key.get("beta", knob["beta"]))
    return whole and inside and all(others) and knob["adaptive"] == key["adaptive"]


def _words(key: dict[str, Any]) -> str:
    alpha = key["alpha"]
    words = [f"α {alpha:g}" if not isinstance(alpha, tuple) else f"α from {alpha[0]:g} to {alpha[1]:g}"]
    words += [f"β {key['beta']:g}"] if "beta" in key else []
    words += ["no rescale"] if key.get("rescale") == "off" else []
    return ", ".join([*words, "adaptive" if key["adaptive"] else "static"])


def _row(run: _Run, claim: Claim) -> Row:
    row: Row = dict.fromkeys(COLUMNS)
    row |= {"group": claim.group, "source": claim.source, "claim": claim.says}
    row |= {"metric": claim.metric, "published": claim.published, "measured_by": claim.metric}
    try:
        row["measured_by"] = _metric(run, claim)
        found = _ANSWERS[claim.kind](run, claim, row["measured_by"])
    except _Absent as absent:
        return row | {"measured_by": None, "verdict": "not applicable", "why": str(absent)}
    ours = {name: found.get(name) for name in ("ours", "low", "high", "n")}
    margin = _NO_HARM * (found["baseline_sd"] or 0.0) if claim.no_harm else None
    prompts = found.get("prompts") or run.prompts(row["measured_by"])
    verdict = judge(claim.sign, ours["low"], ours["high"], ours["n"], prompts, margin)
    measured = found.get("measured_by", row["measured_by"])
    return row | ours | {"measured_by": measured, "verdict": verdict, "why": _why(found, prompts, margin)}


def _metric(run: _Run, claim: Claim) -> str:
    """Return the claim's metric, or the one that replaces it in this run."""
    for metric in (claim.metric, claim.stand_in):
        if metric in run.metrics:
            return str(metric)
    if claim.metric is None:
        return ""
    raise _Absent(f"{claim.metric} has no value in this run")


def _why(found: Row, prompts: int, margin: float | None) -> str:
    words = [f"query {found['query']}"]
    if (found["n"] or 0) < LEAST:
        words.append(f"n below {LEAST}")
    elif prompts < LEAST:
        words.append(f"{prompts} prompts, fewer than {LEAST}")
    elif found["low"] is None:
        words.append(found.get("without", "no interval: the run was not analysed"))
    if margin is not None:
        words.append(f"harm means a change below −{margin:.3g}, {_NO_HARM:g} standard deviations")
    return "; ".join(words)


def _only(frame: pl.DataFrame, query: str, value: str, absent: str, /, **key: Any) -> Row:
    """Return the frame's row of a key, with its value as `ours`. Raises `_Absent` if no row exists."""
    rows = frame.filter(**key).to_dicts()
    if not rows or rows[0][value] is None:
        raise _Absent(absent)
    return rows[0] | {"ours": rows[0][value], "query": query}


def _correlation(run: _Run, claim: Claim, metric: str) -> Row:
    return _only(run.query("correlations"), "correlations", "rho", "no correlation", metric=metric, **claim.key)


def _stage_order(run: _Run, claim: Claim, metric: str) -> Row:
    found = run.query("correlations")
    cell = found["cell"][0] if found.height else ""
    key = {"query": "correlations", "statistic": "difference", "cell": cell, "metric": metric, **claim.key}
    absent = "no comparison of these stages in the table analysis"
    return _only(run.intervals, "correlations", "value", absent, **key)


def _effect(run: _Run, claim: Claim, metric: str) -> Row:
    absent = "no pairs with the baseline"
    key = {"cell": run.cell(claim.key), "metric": metric}
    return _only(run.query("static_effect"), "static_effect", "change", absent, **key)


def _median(run: _Run, claim: Claim, metric: str) -> Row:
    effect = _effect(run, claim, metric)
    key = {"query": "static_effect", "statistic": "median_change", "cell": effect["cell"], "metric": metric}
    made_for = (pl.col("n") == effect["n"]) & ((pl.col("value") - effect["median_change"]).abs() < 1e-9)
    spread = run.intervals.filter(made_for, **key).to_dicts()  # not one of an earlier score of the same images
    ends = {name: spread[0][name] if spread else None for name in ("low", "high")}
    return effect | {"ours": effect["median_change"]} | ends


def _worst(run: _Run, claim: Claim, metric: str, regime: str = "worst") -> Row:
    knob = {name: value for name, value in claim.key.items() if name != "chosen_by"}
    chosen = metric if claim.key["chosen_by"] == claim.metric else claim.key["chosen_by"]
    if chosen not in run.metrics:
        raise _Absent(f"{chosen} has no value in this run")
    key = {"cell": run.cell(knob), "metric": metric, "chosen_by": chosen, "regime": regime}
    return _only(run.query("worst_fraction"), "worst_fraction", "change", "no pairs with the baseline", **key)


def _worst_control(run: _Run, claim: Claim, metric: str) -> Row:
    return _worst(run, claim, metric, "swap")


def _rule(run: _Run, claim: Claim, metric: str) -> Row:
    if "against" in claim.key:
        return _against(run, claim, metric)
    key = {"cell": run.cell(claim.key), "metric": metric}
    run.cell(claim.key | {"adaptive": False})
    return _only(run.query("adaptive_vs_static"), "adaptive_vs_static", "change", "no pairs of the two", **key)


def _against(run: _Run, claim: Claim, metric: str) -> Row:
    """Return the paired difference of two cells, as a share of the second one's mean."""
    cells = (run.cell(claim.key["against"]), run.cell(claim.key))
    one, other = (run.values(cell, metric) for cell in cells)
    pairs = one.join(other, on=["unit", "prompt_id", "comparability"], nulls_equal=True)
    change = paired_change(pairs["value"], pairs["value_right"], pairs["prompt_id"])
    mean = float(pl.Series(pairs["value"]).to_numpy().mean()) if pairs.height else 0.0
    if not mean:
        raise _Absent("no pairs of the two")
    ends = [None if change.clusters < 2 else end / mean for end in (change.low, change.high)]
    return {"ours": change.change / mean, "low": ends[0], "high": ends[1], "n": change.n, "query": "unit_values"}


def _area(run: _Run, claim: Claim, metric: str) -> Row:
    key = {"query": "pareto_front", "statistic": "added", "regime": "static - temperature"}
    families = {knob["family"] for knob in run.knobs}
    for family in ("static", "temperature"):
        if family not in families:
            raise _Absent(f"no {family} cell")
    found = _only(run.intervals, "pareto_front", "value", "no areas in the table analysis", **key)
    return found | {"measured_by": f"{found['metric']} and {found['measure']}"}


def _pearson(run: _Run, claim: Claim, metric: str) -> Row:
    baseline = [knob["cell"] for knob in run.knobs if knob["baseline"]]
    if not baseline or (metric, "prompt") not in run.kinds:
        raise _Absent("the metric is not of a prompt's images, so there are too few values for a correlation")
    stability = run.values(baseline[0], "alignment").group_by("prompt_id").agg(pl.col("value").mean())
    pairs = run.values(baseline[0], metric).join(stability, on="prompt_id")
    if pairs.height < 4 or pairs["value"].n_unique() < 2 or pairs["value_right"].n_unique() < 2:
        raise _Absent("no spread to correlate")
    found = stats.pearsonr(pairs["value_right"].to_numpy(), pairs["value"].to_numpy())
    spread = found.confidence_interval()
    ours = {"ours": float(found.statistic), "low": float(spread.low), "high": float(spread.high)}
    return ours | {"n": pairs.height, "query": "unit_values"}


def _cell_metric(run: _Run, claim: Claim, metric: str) -> Row:
    """Compare a metric of a whole cell with another cell's, or with the lowest of the others, as a share of it."""
    means = run.query("operating_curve").filter(metric=metric, kind="cell")
    cell = run.cell(claim.key)
    against = [run.cell(claim.key["against"])] if "against" in claim.key else _others(means, cell)
    own, other = (means.filter(pl.col("cell").is_in(cells)) for cells in ([cell], against))
    if own.is_empty() or other.is_empty():
        raise _Absent(f"{metric} has no value in both cells")
    lowest = other.sort("mean").row(0, named=True)["mean"]
    found = own.row(0, named=True)
    absent = "one value per cell has no interval"
    return found | {"ours": found["mean"] / lowest - 1, "query": "operating_curve", "without": absent}


def _others(means: pl.DataFrame, cell: str) -> list[str]:
    return [name for name in means["cell"].to_list() if name != cell]


_ANSWERS: dict[str, Callable[[_Run, Claim, str], Row]] = {
    "correlation": _correlation,
    "stage_order": _stage_order,
    "effect": _effect,
    "median": _median,
    "worst": _worst,
    "worst_control": _worst_control,
    "rule": _rule,
    "area": _area,
    "pearson": _pearson,
    "cell_metric": _cell_metric,
}


def counted(frame: pl.DataFrame) -> Iterator[tuple[str, int]]:
    """Yield each verdict with its number of claims, in the order of verdicts, including those without a claim.

    Args:
        frame: Claims with their column `verdict`.
    """
    for verdict in ("confirmed", "contradicted", "not enough data", "not applicable"):
        yield verdict, frame.filter(verdict=verdict).height
