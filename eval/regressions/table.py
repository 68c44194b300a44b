"""Pairs -> a row a cell, metric, stage and set, with change, tests and verdict. Knows nothing of the lake."""

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
"""How much smaller than a lone effect needs it the least p of random flips is, in a table of so many rows."""


@dataclass(frozen=True)
class Margin:
    """What is asked of a metric or measure."""

    margin: float | None = None
    """The largest change that does not matter; None: there is none to test against."""
    better: Literal["higher", "lower"] | None = None
    required: bool = False


def judged(
    pairs: pl.DataFrame,
    margin_of: Callable[[str, str, np.ndarray], Margin],
    level: float,
    others: Iterable[Row] = (),
    lost: dict[str, int] | None = None,
) -> pl.DataFrame:
    """The table of verdicts, in the order in which its keys first appear.

    Args:
        pairs: a row a pair: the columns of `KEY`, `unit`, `prompt_id`, `before`, `value`, and `moved`, whether the two
            differ beyond rounding (NULL: nothing can be said, since device or versions differ), and `gone`, whether
            the later run has no value where it should (`value` is NaN).
        margin_of: from kind, metric and the values of the earlier run to what is asked of it.
        level: of every test, after Benjamini and Hochberg over all rows with one. Those of speed are a family of their
            own: another question, of other data. Beside a hundred rows of equal images three of them would drown.
        others: rows that have evidence already (speed), or an `obstacle`.
        lost: by cell, how many more images the later run lost.
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
        row["verdict"], row["reason"] = judge(_evidence(row, (lost or {}).get(row["cell"], 0)), level)
        for name in ("obstacle", "least_p", "tests", "nonfinite", "gone", "newly_lost"):
            row.pop(name)
    cleaned = [{name: None if _is_nan(value) else value for name, value in row.items()} for row in rows]
    return pl.DataFrame(cleaned, schema=_SCHEMA, infer_schema_length=None)


def _rows(
    pairs: pl.DataFrame, margin_of: Callable[[str, str, np.ndarray], Margin], level: float, tests: int
) -> Iterable[Row]:
    """The rows of one cell and kind: all flips are those of the same prompts.

    An effect that is alone among so many tests needs a p of `level / tests`, so random flips have to reach below that.
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
        asked = margin_of(str(key[1]), str(key[2]), before)
        p = p_values[" ".join(str(name or "") for name in key[2:])]
        change = part["change"].to_numpy()
        found = paired_change(np.zeros_like(change), change, part["prompt_id"].to_numpy(), 2 * level)
        row: Row = _EMPTY | dict(zip(KEY, key, strict=True))
        row |= {"n": len(part), "prompts": part["prompt_id"].n_unique()}
        row |= {"before": _mean(before), "mean": _mean(value)}
        row |= evidence_of(found, asked, p)
        row["moved"] = None if part["moved"].null_count() else int(part["moved"].sum())
        row |= {"least_p": least_p(row["prompts"], flips), "tests": tests}
        row["nonfinite"] = int((np.isfinite(before) & ~np.isfinite(value)).sum())
        row["gone"] = int(part["gone"].sum())
        row["newly_lost"] = int(((before == 0) & (value == 1)).sum())
        row["method"] = f"sign flips by prompt, two one-sided t tests, {level:.0%} level"
        yield row


def evidence_of(found: PairedChange, asked: Margin, p: float) -> Row:
    """The columns of a row that a change and what is asked of it give."""
    same = math.nan if asked.margin is None or not found.n else equivalence(found, asked.margin)
    return {
        "change": found.change,
        "low": found.low,
        "high": found.high,
        "p": p,
        "margin": asked.margin,
        "equivalence": same,
        "better": asked.better,
        "required": asked.required,
    }


def _change() -> pl.Expr:
    """Differences that are rounding count as none; what is not finite on a side has none."""
    change = pl.col("value") - pl.col("before")
    return pl.when(pl.col("moved").eq(False)).then(0.0).when(change.is_finite()).then(change)


def _evidence(row: Row, lost: int) -> Evidence:
    names = ("n", "least_p", "tests", "nonfinite", "gone", "change", "q", "equivalence", "moved", "better", "obstacle")
    evidence = Evidence(**{name: row[name] for name in names})
    if row["kind"] == "lost":
        return replace(evidence, newly_lost=row["newly_lost"])
    return replace(evidence, lost=lost)


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


_TESTED = pl.col("kind") != "picture"  # a distance cannot fall: no side of it is chance
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
    "gone": 0,
    "newly_lost": 0,
    "method": "",
}
