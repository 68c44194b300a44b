"""Numbers as text: as many digits as they bear, a true minus sign, and a dash for what is not there."""

from math import isfinite
from typing import Any

import polars as pl

NONE = "–"


def show(value: float | None) -> str:
    """Format a value to about four digits.

    Args:
        value: The value; None, NaN or infinity: a dash.
    """
    if value is None or not isfinite(value):
        return NONE
    size = abs(value)
    digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3
    if 0 < size < 0.0095:
        return _minus(f"{value:.2g}")
    return _minus(f"{value:,.{digits}f}")


def signed(value: float | None) -> str:
    """Format a change as `show` does, with its sign.

    Args:
        value: The change; None, NaN or infinity: a dash.
    """
    text = show(value)
    return text if text == NONE or text.startswith("−") or not value else f"+{text}"


def interval(low: float | None, high: float | None, sign: bool = False) -> str:
    """Format an interval as `[low, high]`.

    Args:
        low: Lower end; None: a dash.
        high: Upper end; None: a dash.
        sign: Whether positive numbers get a sign.
    """
    if low is None or high is None:
        return NONE
    write = signed if sign else show
    return f"[{write(low)},\u00a0{write(high)}]"  # not broken over lines


def count(value: float | None) -> str:
    """Format a whole number with thousands separators.

    Args:
        value: The number; None: a dash.
    """
    return NONE if value is None else f"{int(value):,}"


def span(values: pl.Series) -> str:
    """Format a range of whole numbers as `125 to 128`, or as one number if all are the same.

    Args:
        values: The numbers, at least one.
    """
    low, high = values.to_numpy().min(), values.to_numpy().max()
    return count(low) if low == high else f"{count(low)} to {count(high)}"


def percent(share: float | None) -> str:
    """Format a share as a percentage.

    Args:
        share: The share, from 0 to 1; None: a dash.
    """
    return NONE if share is None else f"{100 * share:.3g}%"


def is_clear(row: dict[str, Any]) -> bool:
    """Return whether a row has an interval that does not contain 0.

    Args:
        row: Row with the fields `low` and `high`.
    """
    low, high = row["low"], row["high"]
    return low is not None and high is not None and (low > 0 or high < 0)


def _minus(text: str) -> str:
    return text.replace("-", "−")
