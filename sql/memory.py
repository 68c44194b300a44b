"""The memory that DuckDB uses before it spills to disk."""

import os

import duckdb

from skewbench.sql.literals import literal
from skewbench.vocabulary.errors import InputError

MEMORY = "SKEWBENCH_MEMORY"
"""The variable that sets it, such as 4GB. Without it DuckDB takes up to 80% of the machine's memory."""


def limit_memory(connection: duckdb.DuckDBPyConnection) -> None:
    """Limit the memory of a connection to `SKEWBENCH_MEMORY`, if it is set.

    Args:
        connection: The connection.

    Raises:
        InputError: The variable is no size.
    """
    size = os.environ.get(MEMORY)
    if not size:
        return
    try:
        connection.execute(f"SET memory_limit = {literal(size)}")
    except duckdb.Error as error:
        raise InputError(f"{MEMORY} is {size!r}; it must be a size such as 4GB") from error


def more_memory() -> str:
    """Return advice for a query that needs more memory."""
    size = os.environ.get(MEMORY)
    return f"set {MEMORY} to more than {size}" if size else "free some"
