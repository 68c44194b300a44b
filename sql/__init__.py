"""The lake in DuckDB: table schemas, views and named queries."""

from sql.connect import connect, script
from sql.manifests import LakeError
from sql.named import Query, find, queries, query
from sql.pictures import pictures
from sql.select import select

__all__ = ["LakeError", "Query", "connect", "find", "pictures", "queries", "query", "script", "select"]
