"""Turns pairs into one row per cell, metric, stage and set, with change, tests and verdict. Does not read the lake."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl

from skewbench.eval.regressions.verdict import Evidence, judge
from skewbench.eval.statistics import (
    FLIPS,
    PairedChange,
    benjamini_hochberg,
    equivalence,
    least_p,
    paired_change,
    sign_flip,
)

KEY = ("cell", "kind", "metric", "stage", "set")
Row = dict[str, Any]
_FINER = 10
"""The smallest p-value of random flips is at least this many times below the one that a single effect needs."""


@dataclass(frozen=True)
class Margin:
    """The criterion by which a metric or measure is judged."""

    margin: float | None = None
    """The largest change that does not matter, in the unit of the metric; None: no equivalence test."""
    better: Literal["higher", "lower"] | None = None
    required: bool = False


def judged(
    pairs: pl.DataFrame,
    margin_of: Callable[[str, str, np.ndarray], Margin],
    level: float,
    others: Iterable[Row] = (),
    failed: dict[str, int] | None = None,
) -> pl.DataFrame:
    """Judge the pairs of two runs.

    Args:
        pairs: One row per pair, with the columns of `KEY`, `unit`, `prompt_id`, `before` and `value`; `moved`, whether
            the two differ beyond rounding (NULL: unknown, since device or versions differ); and `disappeared`, whether
            the later run lacks a value that it should have (`value` is then NaN).
        margin_of: Returns the criterion of a kind and metric, given the values of the earlier run.
        level: Level of each test, after Benjamini and Hochberg over all rows with a test. Rows of speed form a family
            of their own, because they answer another question from other data, and rows of equal images would hide
            them.
        others: Further rows, which already have evidence (speed) or an `obstacle`.
        failed: By cell, the number of failed images in the later run minus that in the earlier run.

    Returns:
        The table of verdicts, one row per key, in the order in which the keys first appear.
    """
    tests = 0 if pairs.is_empty() else pairs.filter(_TESTED).select(KEY).n_unique()
    parts = pairs.partition_by("cell", "kind", maintain_order=True)
    rows = [row for part in parts for row in _rows(part, margin_of, level, tests)]
    rows += [_EMPTY | row for row in others]
    for family in ([row for row in rows if row["kind"] == "speed"], [row for row in rows if row["kind"] != "speed"]):
        adjusted = benjamini_hochberg([math.nan if row["p"] is None else row["p"] for row in family])
        for row, q in zip(family, adjusted, strict=True):
            row["q"] = float(q)
    for row in rows:
        row["verdict"], row["reason"] = judge(_evidence(row, (failed or {}).get(row["cell"], 0)), level)
        for name in ("obstacle", "least_p", "tests", "nonfinite", "disappeared", "newly_failed"):
            row.pop(name)
    cleaned = [{name: None if _is_nan(value) else value for name, value in row.items()} for row in rows]
    return pl.DataFrame(cleaned, schema=_SCHEMA, infer_schema_length=None)


def _rows(
    pairs: pl.DataFrame, margin_of: Callable[[str, str, np.ndarray], Margin], level: float, tests: int
) -> Iterable[Row]:
    """Yield the rows of one cell and kind. All flip the same prompts.

    A lone effect among many tests needs a p-value of `level / tests`, so random flips must be able to reach below that.
    """
    flips = max(FLIPS, math.ceil(_FINER * tests / level))
    parts = pairs.with_columns(change=_change()).partition_by(KEY, maintain_order=True, as_dict=True)
    wide = pairs.with_columns(
        change=_change(), key=pl.concat_str("metric", *(pl.col(name).fill_null("") for name in KEY[3:]), separator=" ")
    ).pivot(on="key", index=["prompt_id", "unit"], values="change")
    matrix = wide.drop("prompt_id", "unit").cast(pl.Float64).fill_null(math.nan)
    tested = not pairs.filter(_TESTED).is_empty()
    p_values = dict.fromkeys(matrix.columns, math.nan)
    if tested:
        found_p = sign_flip(matrix.to_numpy(), wide["prompt_id"].to_numpy(), flips)
        p_values = dict(zip(matrix.columns, found_p.tolist(), strict=True))
    for key, part in parts.items():
        before, value = part["before"].to_numpy(), part["value"].to_numpy()
        criterion = margin_of(str(key[1]), str(key[2]), before)
        p = p_values[" ".join(str(name or "") for name in key[2:])]
        change = part["change"].to_numpy()
        found = paired_change(np.zeros_like(change), change, part["prompt_id"].to_numpy(), 2 * level)
        row: Row = _EMPTY | dict(zip(KEY, key, strict=True))
        row |= {"n": len(part), "prompts": part["prompt_id"].n_unique()}
        row |= {"before": _mean(before), "mean": _mean(value)}
        row |= evidence_of(found, criterion, p)
        row["moved"] = None if part["moved"].null_count() else int(part["moved"].sum())
        row |= {"least_p": least_p(row["prompts"], flips), "tests": tests}
        row["nonfinite"] = int((np.isfinite(before) & ~np.isfinite(value)).sum())
        row["disappeared"] = int(part["disappeared"].sum())
        row["newly_failed"] = int(((before == 0) & (value == 1)).sum())
        row["method"] = f"sign flips by prompt, two one-sided t tests, {level:.0%} level"
        yield row


def evidence_of(found: PairedChange, criterion: Margin, p: float) -> Row:
    """Return the columns of a row that follow from a change, its criterion and its p-value.

    Args:
        found: The paired change.
        criterion: The criterion of the metric.
        p: p-value of no change; NaN without a test.

    Returns:
        Values by column; `equivalence` is the p-value of the equivalence test, NaN without a margin or pairs.
    """
    same = math.nan if criterion.margin is None or not found.n else equivalence(found, criterion.margin)
    return {
        "change": found.change,
        "low": found.low,
        "high": found.high,
        "p": p,
        "margin": criterion.margin,
        "equivalence": same,
        "better": criterion.better,
        "required": criterion.required,
    }


def _change() -> pl.Expr:
    """The change of each pair: 0 for rounding, NULL if one side is not finite."""
    change = pl.col("value") - pl.col("before")
    return pl.when(pl.col("moved").eq(False)).then(0.0).when(change.is_finite()).then(change)


def _evidence(row: Row, failed: int) -> Evidence:
    names = (
        "n",
        "least_p",
        "tests",
        "nonfinite",
        "disappeared",
        "change",
        "q",
        "equivalence",
        "moved",
        "better",
        "obstacle",
    )
    evidence = Evidence(**{name: row[name] for name in names})
    if row["kind"] == "lost":
        return replace(evidence, newly_failed=row["newly_failed"])
    return replace(evidence, failed=failed)


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


_TESTED = pl.col("kind") != "picture"  # a distance cannot decrease, so its sign cannot be tested
_SCHEMA = {
    "cell": pl.String,
    "kind": pl.String,
    "metric": pl.String,
    "stage": pl.String,
    "set": pl.String,
    "n": pl.Int64,
    "prompts": pl.Int64,
    **dict.fromkeys(("before", "mean", "change", "low", "high", "p", "q", "margin", "equivalence"), pl.Float64),
    "moved": pl.Int64,
    "better": pl.String,
    "required": pl.Boolean,
    "verdict": pl.String,
    "reason": pl.String,
    "method": pl.String,
}
_EMPTY: Row = {
    **dict.fromkeys(KEY),
    "n": 0,
    "prompts": 0,
    **dict.fromkeys(("before", "mean", "change", "low", "high", "p", "q", "margin", "equivalence"), math.nan),
    "moved": None,
    "better": None,
    "required": False,
    "obstacle": "",
    "least_p": 0.0,
    "tests": 1,
    "nonfinite": 0,
    "disappeared": 0,
    "newly_failed": 0,
    "method": "",
}
