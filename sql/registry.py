"""The named queries: those in `skewbench.sql.queries`, and of installed packages the group `skewbench.queries`."""

import pkgutil
import re
from functools import cache
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from typing import Any, get_args

import duckdb

from skewbench.sql.declaration import Kind, Query
from skewbench.vocabulary.registry import OURS, Registry

_OURS = "skewbench.sql.queries"
_READ = re.compile(r"getvariable\('(\w+)'\)(?:::(\w+))?")


def named_queries() -> list[Query]:
    """Every named query, by name."""
    return REGISTRY.items()


def find(name: str) -> Query:
    """Return a named query.

    Args:
        name: Name of the query.

    Raises:
        UnknownName: No such query. The message names the nearest and lists all.
    """
    return REGISTRY.get(name)


def problems() -> list[str]:
    """Return one line for each query of another package that cannot be used."""
    return REGISTRY.problems()


def is_ours(query: Query) -> bool:
    """Return whether a query belongs to skewbench, and not to another package.

    Args:
        query: The query.
    """
    return query.package.partition(".")[0] == OURS


def _register_ours() -> None:
    for module in pkgutil.iter_modules(import_module(_OURS).__path__, f"{_OURS}."):
        _adopt(module.name, import_module(module.name), module.name)


def _adopt(_: str, loaded: Any, module: str) -> None:
    """Register the query that an entry point names: a `Query`, or a package with one as `QUERY`."""
    query = getattr(loaded, "QUERY", loaded)
    if not isinstance(query, Query):
        raise TypeError(f"{module} declares no QUERY = Query(...)")
    REGISTRY.register(query.name, query, query.package)


def _check(name: str, query: Query) -> None:
    """Raises `ValueError` for a query that breaks the contract."""
    if not name.isidentifier() or not name.islower():
        raise ValueError("the name must consist of lower-case letters, digits and underscores")
    try:
        text = query.text
    except (OSError, ImportError) as error:
        raise ValueError(f"its package has no query.sql: {error}") from None
    if not query.question:
        raise ValueError("query.sql must begin with a comment that states the question")
    _check_columns(query)
    _check_functions(query)
    _check_parameters(query)
    _check_statement(text)


def _check_columns(query: Query) -> None:
    names = [column.name for column in query.columns]
    if not names or len(frozenset(names)) < len(names):
        raise ValueError("it declares no columns, or a duplicate column")
    for column in query.columns:
        if not column.meaning.strip() or "\n" in column.meaning:
            raise ValueError(f"column {column.name!r}: meaning must be one line of text")


def _check_functions(query: Query) -> None:
    """The modules are there; they are imported, and their functions found, when they are needed."""
    for field in ("interval", "figure"):
        module, _, function = getattr(query, field).partition(":")
        if (module or function) and not (function and find_spec(f"{query.package}.{module}")):
            raise ValueError(f"{field} is {getattr(query, field)!r}; `module:function` of its package is required")


def _check_parameters(query: Query) -> None:
    declared = {parameter.name: parameter for parameter in query.parameters}
    for name, parameter in declared.items():
        if parameter.kind not in get_args(Kind):
            raise ValueError(f"parameter {name!r}: kind is {parameter.kind!r}; one of {', '.join(get_args(Kind))}")
        if (parameter.kind == "metric") != (parameter.metrics is not None):
            raise ValueError(f"parameter {name!r}: metrics applies only to the kind metric")
    own, through_views = _variables(query.text), _variables_of_views(query.text)
    if undeclared := sorted(own.keys() - declared.keys()):
        raise ValueError(f"query.sql reads the variable {undeclared[0]!r}, which is not a parameter")
    if unread := sorted(declared.keys() - own.keys() - through_views.keys()):
        raise ValueError(f"parameter {unread[0]!r}: neither query.sql nor a view that it names reads the variable")
    for name, parameter in declared.items():
        as_number = "DOUBLE" in own.get(name, set()) | through_views.get(name, set())
        if as_number != (parameter.kind == "number"):
            raise ValueError(f"parameter {name!r} is of kind {parameter.kind}, but SQL reads it as another type")


def _check_statement(text: str) -> None:
    try:
        statements = _parser().extract_statements(text)
    except duckdb.Error as error:
        raise ValueError(f"query.sql is not valid SQL: {error}") from None
    if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
        raise ValueError("query.sql is not one SELECT statement")


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """One connection for all, because opening one takes longer than parsing. Registration holds a lock."""
    return duckdb.connect(":memory:")


def _variables(text: str) -> dict[str, set[str]]:
    """The session variables that SQL reads, with the types that it reads them as."""
    found: dict[str, set[str]] = {}
    for name, kind in _READ.findall(_without_comments(text)):
        found.setdefault(name, set()).add(kind.upper())
    return found


def _variables_of_views(text: str) -> dict[str, set[str]]:
    """The session variables that the views read which SQL names, themselves or through others."""
    views, seen, left = _views(), set[str](), [text]
    found: dict[str, set[str]] = {}
    while left:
        for word in set(re.findall(r"\w+", _without_comments(left.pop()))) & views.keys() - seen:
            seen.add(word)
            left.append(views[word])
            for name, kinds in _variables(views[word]).items():
                found.setdefault(name, set()).update(kinds)
    return found


@cache
def _views() -> dict[str, str]:
    """The SQL of each view and macro of `sql/views`, by its name."""
    found: dict[str, str] = {}
    for file in (files("skewbench.sql") / "views").iterdir():
        parts = re.split(r"CREATE OR REPLACE (?:VIEW|MACRO) (\w+)", file.read_text(encoding="utf-8"))
        found |= dict(zip(parts[1::2], parts[2::2], strict=True))
    return found


def _without_comments(text: str) -> str:
    return re.sub(r"--.*", "", text)


REGISTRY: Registry[Query] = Registry("skewbench.queries", "query", own=_register_ours, check=_check, adopt=_adopt)
"""All named queries: those of skewbench and of installed packages."""
