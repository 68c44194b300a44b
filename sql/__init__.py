"""The lake in DuckDB: table schemas, views and named queries."""

from sql.connect import connect, script
from sql.manifests import LakeError
from sql.named import Query, queries, query
from sql.select import select

__all__ = ["LakeError", "Query", "connect", "queries", "query", "script", "select"]
