"""The lake in DuckDB: table schemas, views and named queries."""

from skewbench.sql.attach import reader
from skewbench.sql.connect import connect, script
from skewbench.sql.declaration import Column, Parameter, Query
from skewbench.sql.named import query
from skewbench.sql.pictures import pictures
from skewbench.sql.registry import find, named_queries, problems
from skewbench.sql.select import select
from skewbench.storage.place import LakeError, LakeUnreachable, LakeWarning, locate

__all__ = [
    "Column",
    "LakeError",
    "LakeUnreachable",
    "LakeWarning",
    "Parameter",
    "Query",
    "connect",
    "find",
    "locate",
    "named_queries",
    "pictures",
    "problems",
    "query",
    "reader",
    "script",
    "select",
]
