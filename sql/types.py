"""Arrow's types as DuckDB names them. DuckDB's own conversion imports a quarter of pyarrow for that."""

import pyarrow as pa

_PLAIN = {
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
}


def duckdb_type(kind: pa.DataType) -> str:
    """Name a type as DuckDB does.

    Args:
        kind: A plain type, or a list or struct of such.

    Raises:
        ValueError: A type that no table of the lake has.
    """
    if pa.types.is_list(kind):
        return f"{duckdb_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        return f"STRUCT({', '.join(f'{field.name} {duckdb_type(field.type)}' for field in kind)})"
    if kind not in _PLAIN:
        raise ValueError(
            f"type {kind}: one of {', '.join(map(str, _PLAIN))}, or a list or struct of these, is required"
        )
    return _PLAIN[kind]
