"""Python values written as SQL."""

import math
from collections.abc import Iterable


def literal(value: str | float | bool | None) -> str:
    """Write a value as SQL, safe against quotes.

    Args:
        value: Numbers become DOUBLE, also NaN and infinities; None becomes NULL.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value!r}::DOUBLE" if math.isfinite(value) else f"'{value!r}'::DOUBLE"
    return "'" + value.replace("'", "''") + "'"


def list_literal(values: Iterable[str]) -> str:
    """Write texts as a list of SQL.

    Args:
        values: The texts, in order.
    """
    return f"[{', '.join(map(literal, values))}]"
