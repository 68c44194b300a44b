"""Parts: the Parquet files of a lake. Each says in its metadata which job wrote it, or which parts it was merged of."""

import io
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from skewbench.storage.records import Part
from skewbench.storage.schemas import TABLES, VERSION
from skewbench.storage.store import Store

MERGED = b"skewbench.merged"
"""Key of a file's metadata: the parts whose rows it holds."""
_JOB = b"skewbench.job"
_SOURCES = TypeAdapter(list[str])
_ROW_GROUP = {"images": 100}
"""Rows a row group: images are large, and a reader fetches few."""


def new_attempt() -> str:
    """Name of one try at a shard: a late zombie never writes over what another try wrote."""
    return uuid.uuid4().hex[:8]


def write_part(
    store: Store, table: str, run_id: str, job: str, attempt: str, rows: pa.Table, merged: Iterable[str] = ()
) -> Part:
    """Write rows of a table as one file.

    Args:
        store: The lake.
        table: The rows' table; they are cast to its schema, which is checked.
        run_id: The run.
        job: The digest of the job's key, or what the driver writes.
        attempt: Tells this attempt at the job from others.
        rows: The rows.
        merged: Paths of the parts whose rows these are, where compaction merged them; kept in the file's metadata.

    Returns:
        The part.
    """
    schema = TABLES[table].with_metadata(_metadata(table, run_id, job, list(merged)))
    buffer = io.BytesIO()
    pq.write_table(
        rows.select(schema.names).cast(schema),
        buffer,
        compression="zstd",
        write_page_index=True,
        row_group_size=_ROW_GROUP.get(table, 100_000),
        # images are compressed already, and each is different
        use_dictionary=table != "images",
    )
    content = buffer.getvalue()
    path = f"{table}/run_id={run_id}/{job}-{attempt}.parquet"
    store.put(path, content)
    return Part(table, path, rows.num_rows, len(content), sha256(content).hexdigest(), VERSION)


def read_part(
    store: Store, part: Part, columns: list[str] | None = None, where: pc.Expression | None = None
) -> pa.Table:
    """A part's rows, or those of them for which `where` holds; only the row groups that may have some are read."""
    with store.open(part.path) as file:
        return pq.read_table(file, columns=columns, filters=where)


@dataclass(frozen=True)
class Origin:
    """What a part's own metadata says of it.

    `job`: digest of the key of the job that wrote it, empty before schema 6; `merged`: the parts that compaction
    merged into it, empty for any other part.
    """

    rows: int
    job: str
    merged: tuple[str, ...]


def read_origin(store: Store, path: str) -> Origin | None:
    """Where a file among the parts comes from; None where it is gone, or no part."""
    try:
        with store.open(path) as file:
            footer = pq.read_metadata(file)
        metadata = footer.metadata or {}
        merged = _SOURCES.validate_json(metadata.get(MERGED, b"[]"))
        return Origin(footer.num_rows, metadata.get(_JOB, b"").decode(), tuple(merged))
    except (FileNotFoundError, pa.ArrowException, ValidationError, UnicodeDecodeError):
        return None


def _metadata(table: str, run_id: str, job: str, merged: list[str]) -> dict[bytes, bytes]:
    metadata = {b"skewbench.run_id": run_id.encode(), b"skewbench.schema_version": str(VERSION).encode()}
    metadata[_JOB] = job.encode()
    if merged:
        metadata[MERGED] = json.dumps(merged).encode()
    if table == "images":  # what makes `datasets.load_dataset("parquet", ...)` show images
        metadata[b"huggingface"] = json.dumps({"info": {"features": _image_features()}}).encode()
    return metadata


def _image_features() -> dict[str, dict[str, str]]:
    names = {pa.string(): "string", pa.int32(): "int32"}
    return {
        field.name: {"_type": "Image"} if field.name == "image" else {"dtype": names[field.type], "_type": "Value"}
        for field in TABLES["images"]
    }
