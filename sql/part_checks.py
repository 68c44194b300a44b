"""Checks the parts of a lake when a query first reads their table, so that opening a large lake reads no part."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock

import duckdb

from skewbench.sql.manifests import part_error
from skewbench.storage.footers import check_footers
from skewbench.storage.location import LakeError, LakeUnreachable, Location
from skewbench.storage.records import Part

_CHECK, _PROBLEM = "parts_are_whole", "problem_of_parts"


def check_when_read(connection: duckdb.DuckDBPyConnection, place: Location, parts: Iterable[Part]) -> None:
    """Define the functions with which views check the footers of their parts, each part once.

    Args:
        connection: The connection, before its views are created with `condition`.
        place: The lake.
        parts: The parts of all tables.
    """
    unchecked: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        unchecked[part.table].append(part)
    found: dict[str, LakeError] = {}
    lock = Lock()

    def are_whole(table: str) -> bool:
        with lock:
            if table in found:
                raise found[table]
            try:
                check_footers(place, unchecked[table])
            except LakeError as error:
                found[table] = error
                raise
            unchecked[table] = []
        return True

    def take_problem() -> str:
        with lock:
            problems = [f"{type(error).__name__}: {error}" for error in found.values()]
            found.clear()  # it is checked again by the next query
        return problems[0] if problems else ""

    connection.create_function(_CHECK, are_whole, ["VARCHAR"], "BOOLEAN")
    connection.create_function(_PROBLEM, take_problem, [], "VARCHAR", side_effects=True)


def condition(table: str) -> str:
    """Write the condition of a view that holds if the parts of its table are whole, and fails otherwise.

    DuckDB evaluates it when it plans a query. If it fails there, it fails again when the query reads its first rows.

    Args:
        table: Name of the table.
    """
    return f"WHERE {_CHECK}('{table}')"


@contextmanager
def part_errors(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Within the block, turn DuckDB's errors about parts into `LakeError`.

    DuckDB may meet a broken part before the view's condition fails, and its own error need not name the part.

    Args:
        connection: A connection of `skewbench.sql.connect`.

    Raises:
        LakeError: A part is missing or broken.
    """
    try:
        yield
    except duckdb.Error as error:
        ours = _problem(connection) or part_error(error)
        if ours is None:
            raise
        raise ours from error


def _problem(connection: duckdb.DuckDBPyConnection) -> LakeError | None:
    """Return what the last check found; None also if the connection is closed, or was checked when it was opened."""
    try:
        ((problem,),) = connection.execute(f"SELECT {_PROBLEM}()").fetchall()
    except duckdb.Error:
        return None
    kind, _, text = problem.partition(": ")
    return (LakeUnreachable if kind == LakeUnreachable.__name__ else LakeError)(text) if text else None
