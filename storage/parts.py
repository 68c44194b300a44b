"""Writes and reads parts, the Parquet files of a lake. Their metadata name the job that wrote them, or merged parts."""

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

from skewbench.storage.footers import broken_part, footer_problem
from skewbench.storage.records import Part, shown
from skewbench.storage.store import Store
from skewbench.storage.table import Table
from skewbench.storage.tables import TABLES, VERSION

MERGED = b"skewbench.merged"
"""Key in a file's metadata: the merged parts whose rows it holds."""
_JOB = b"skewbench.job"
_SOURCES = TypeAdapter(list[str])


def new_attempt() -> str:
    """Make a name for one attempt at a job, so that a late worker never overwrites the parts of another attempt."""
    return uuid.uuid4().hex[:8]


def write_part(
    store: Store, table: str, run_id: str, job: str, attempt: str, rows: pa.Table, merged: Iterable[str] = ()
) -> Part:
    """Write rows of a table as one file.

    Args:
        store: The lake.
        table: The name of the rows' table. They are cast to its schema, sorted by its order and checked.
        run_id: The run.
        job: The digest of the job's key; for the driver's parts, the name of what it writes.
        attempt: Tells this attempt at the job from others.
        rows: The rows, in any order.
        merged: For compaction: paths of the parts whose rows these are, for the file's metadata.

    Returns:
        The part.

    Raises:
        KeyError: The rows lack a column.
        ValueError: A value is not among the words of its column.
    """
    declared, merged = TABLES[table], list(merged)
    if not merged:  # those are of parts that an older skewbench may have written, with words of its own
        declared.check_words(rows)
    schema = declared.schema.with_metadata(_metadata(declared, run_id, job, merged))
    buffer = io.BytesIO()
    pq.write_table(
        declared.sorted(rows.select(schema.names)).cast(schema),
        buffer,
        compression="zstd",
        write_page_index=True,
        row_group_size=declared.row_group,
        use_dictionary=declared.dictionary,
    )
    content = buffer.getvalue()
    path = f"{declared.folder(run_id)}/{job}-{attempt}.parquet"
    store.put(path, content)
    return Part(table, path, rows.num_rows, len(content), sha256(content).hexdigest(), VERSION)


def read_part(
    store: Store, part: Part, columns: list[str] | None = None, where: pc.Expression | None = None
) -> pa.Table:
    """Read rows of a part.

    Args:
        store: The lake.
        part: The part.
        columns: The columns to read; None: all.
        where: Which rows to read; None: all. Row groups whose statistics exclude it are skipped.

    Raises:
        LakeError: The part is missing or broken.
    """
    try:
        with store.open(part.path, part.bytes) as file:
            if problem := footer_problem(file, part):
                raise broken_part(part.path, problem)
            file.seek(0)
            return pq.read_table(file, columns=columns, filters=where)
    except FileNotFoundError:
        raise broken_part(part.path, "is missing") from None
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # the disk's, not the content's
            raise
        raise broken_part(part.path, f"cannot be read ({shown(str(error))})") from error


@dataclass(frozen=True)
class Origin:
    """The origin of a part, from its metadata.

    Args:
        rows: Number of rows.
        job: Digest of the key of the job that wrote it; empty before schema 6.
        merged: Paths of the parts that compaction merged into it; empty for other parts.
    """

    rows: int
    job: str
    merged: tuple[str, ...]


def read_origin(store: Store, path: str) -> Origin | None:
    """Read the origin of a part.

    Args:
        store: The lake.
        path: The file, relative to the lake.

    Returns:
        Its origin; None if it does not exist or is not a part.
    """
    try:
        with store.open(path) as file:
            footer = pq.read_metadata(file)
        metadata = footer.metadata or {}
        merged = _SOURCES.validate_json(metadata.get(MERGED, b"[]"))
        return Origin(footer.num_rows, metadata.get(_JOB, b"").decode(), tuple(merged))
    except (FileNotFoundError, pa.ArrowException, ValidationError, UnicodeDecodeError):
        return None


def list_parts(store: Store, run_id: str) -> list[str]:
    """List the files of a run in all tables, also those that its manifest does not name.

    Args:
        store: The lake.
        run_id: The run.

    Returns:
        Paths relative to the lake.
    """
    return [path for table in TABLES.values() for path in store.list(table.folder(run_id))]


def _metadata(table: Table, run_id: str, job: str, merged: list[str]) -> dict[bytes, bytes]:
    metadata = {**table.metadata, b"skewbench.run_id": run_id.encode(), _JOB: job.encode()}
    metadata[b"skewbench.schema_version"] = str(VERSION).encode()
    if merged:
        metadata[MERGED] = json.dumps(merged).encode()
    return metadata
