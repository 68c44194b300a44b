"""Numbers as text: as many digits as they bear, a true minus sign, and a dash for what is not there."""

from math import isfinite
from typing import Any

import polars as pl

NONE = "–"


def show(value: float | None) -> str:
    """A value to about four digits."""
    if value is None or not isfinite(value):
        return NONE
    size = abs(value)
    digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3
    if 0 < size < 0.0095:
        return _minus(f"{value:.2g}")
    return _minus(f"{value:,.{digits}f}")


def signed(value: float | None) -> str:
    """A change: as `show`, with its sign."""
    text = show(value)
    return text if text == NONE or text.startswith("−") or not value else f"+{text}"


def interval(low: float | None, high: float | None, sign: bool = False) -> str:
    """`[low, high]`; a dash where there is none."""
    if low is None or high is None:
        return NONE
    write = signed if sign else show
    return f"[{write(low)},\u00a0{write(high)}]"  # not broken over lines


def count(value: float | None) -> str:
    """A whole number."""
    return NONE if value is None else f"{int(value):,}"


def span(values: pl.Series) -> str:
    """`125 to 128`, or one number where all are the same."""
    low, high = values.to_numpy().min(), values.to_numpy().max()
    return count(low) if low == high else f"{count(low)} to {count(high)}"


def percent(share: float | None) -> str:
    """A share as a percentage."""
    return NONE if share is None else f"{100 * share:.3g}%"


def is_clear(row: dict[str, Any]) -> bool:
    """Whether a row's interval is there and does not contain 0."""
    low, high = row["low"], row["high"]
    return low is not None and high is not None and (low > 0 or high < 0)


def _minus(text: str) -> str:
    return text.replace("-", "−")
