"""The lake in DuckDB: views over its tables, and named queries.

Each name is imported when it is first used: what opens a lake needs neither Polars nor the queries.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skewbench.sql.attach import reader
    from skewbench.sql.connection import connect, script
    from skewbench.sql.context import Context, read_context
    from skewbench.sql.declaration import Column, Drawing, Parameter, Query, Section
    from skewbench.sql.images import SampleFiles, encoded_files, encoded_images
    from skewbench.sql.named import query
    from skewbench.sql.part_checks import part_errors
    from skewbench.sql.registry import find, named_queries, problems
    from skewbench.sql.statement import select
    from skewbench.storage.location import LakeError, LakeUnreachable, LakeWarning, locate

_MODULES = {
    "skewbench.sql.attach": ("reader",),
    "skewbench.sql.connection": ("connect", "script"),
    "skewbench.sql.context": ("Context", "read_context"),
    "skewbench.sql.declaration": ("Column", "Drawing", "Parameter", "Query", "Section"),
    "skewbench.sql.images": ("SampleFiles", "encoded_files", "encoded_images"),
    "skewbench.sql.named": ("query",),
    "skewbench.sql.part_checks": ("part_errors",),
    "skewbench.sql.registry": ("find", "named_queries", "problems"),
    "skewbench.sql.statement": ("select",),
    "skewbench.storage.location": ("LakeError", "LakeUnreachable", "LakeWarning", "locate"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Column",
    "Context",
    "Drawing",
    "LakeError",
    "LakeUnreachable",
    "LakeWarning",
    "Parameter",
    "Query",
    "SampleFiles",
    "Section",
    "connect",
    "encoded_files",
    "encoded_images",
    "find",
    "locate",
    "named_queries",
    "part_errors",
    "problems",
    "query",
    "read_context",
    "reader",
    "script",
    "select",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
