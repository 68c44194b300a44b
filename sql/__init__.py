"""The lake in DuckDB: table schemas, views and named queries."""

from sql.attach import reader
from sql.connect import connect, script
from sql.named import Query, find, queries, query
from sql.pictures import pictures
from sql.place import LakeError, LakeUnreachable, locate
from sql.select import select

__all__ = [
    "LakeError",
    "LakeUnreachable",
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
