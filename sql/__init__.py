"""The lake in DuckDB: table schemas, views and named queries."""

from skewbench.sql.attach import reader
from skewbench.sql.connect import connect, script
from skewbench.sql.context import Context, read_context
from skewbench.sql.declaration import Column, Drawing, Parameter, Query, Section
from skewbench.sql.images import encoded_images
from skewbench.sql.named import query
from skewbench.sql.registry import find, named_queries, problems
from skewbench.sql.select import select
from skewbench.storage.place import LakeError, LakeUnreachable, LakeWarning, locate

__all__ = [
    "Column",
    "Context",
    "Drawing",
    "LakeError",
    "LakeUnreachable",
    "LakeWarning",
    "Parameter",
    "Query",
    "Section",
    "connect",
    "encoded_images",
    "find",
    "locate",
    "named_queries",
    "problems",
    "query",
    "read_context",
    "reader",
    "script",
    "select",
]
