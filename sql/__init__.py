"""The lake in DuckDB: table schemas, views and named queries."""

from skewbench.sql.attach import reader
from skewbench.sql.connect import connect, script
from skewbench.sql.named import Query, find, queries, query
from skewbench.sql.pictures import pictures
from skewbench.sql.select import select
from skewbench.storage.place import LakeError, LakeUnreachable, LakeWarning, locate

__all__ = [
    "LakeError",
    "LakeUnreachable",
    "LakeWarning",
    "Query",
    "connect",
    "find",
    "locate",
    "pictures",
    "queries",
    "query",
    "reader",
    "script",
    "select",
]
