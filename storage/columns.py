"""Columns that several tables of the lake share, and rows of plain values as a table of Arrow."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from skewbench.vocabulary.measures import CONTROLS, NAMES

IDS = (
    pa.field("sample_id", pa.string(), nullable=False),
    pa.field("pair_id", pa.string(), nullable=False),
    pa.field("cell", pa.string(), nullable=False),
    pa.field("prompt_id", pa.string(), nullable=False),
    pa.field("seed", pa.int32(), nullable=False),  # the index of the seed within its prompt
)
"""Columns that name a sample."""

FILE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
"""An encoded file as the library `datasets` stores it."""


def shown_by_datasets(schema: pa.Schema, **files: str) -> dict[bytes, bytes]:
    """Return the metadata of Parquet files by which the library `datasets` shows columns as what they are.

    Args:
        schema: Of the table.
        files: The kind of each column of files, such as `Image`, by its name.
    """
    values = {
        field.name: {"_type": files[field.name]}
        if field.name in files
        else {"dtype": str(field.type).replace("double", "float64"), "_type": "Value"}
        for field in schema
    }
    return {b"huggingface": json.dumps({"info": {"features": values}}).encode()}


MEASURE_FIELDS = (
    *(pa.field(name, pa.float32()) for name in (*NAMES, *CONTROLS)),  # means over steps, heads, columns
    pa.field("steps", pa.list_(pa.int16())),  # the recorded calls, from 0
    *(pa.field(f"{name}_steps", pa.list_(pa.float32())) for name in (*NAMES, *CONTROLS)),
    *(pa.field(f"{name}_heads", pa.list_(pa.list_(pa.float32()))) for name in NAMES),  # steps x heads
)
"""Columns of what a recorder keeps of a block: by measure, and of `CONTROLS` by sample and step."""

SCORE_FIELDS = (
    pa.field("metric", pa.string(), nullable=False),
    pa.field("value", pa.float64()),
    pa.field("reason", pa.string()),  # why the value is NULL
    pa.field("scorer", pa.string(), nullable=False),
    pa.field("scorer_version", pa.int32(), nullable=False),
    pa.field("package", pa.string()),  # of the scorer's environment, with its version; NULL: it has no environment
)
"""Columns of one metric's value."""


def table_of_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Make a table of a schema from rows; columns that a row lacks are NULL.

    Args:
        rows: Values by column.
        schema: Of the table.

    Returns:
        The table, with the rows in their order.

    Raises:
        ValueError: A row has a key that is no column. pyarrow would drop it without an error.
    """
    if unknown := sorted({name for row in rows for name in row}.difference(schema.names)):
        raise ValueError(f"rows have {', '.join(map(repr, unknown))}; the schema has no such column")
    return pa.Table.from_pylist(list(rows), schema=schema)
