"""Parts (Parquet files) and receipts: what a worker writes, and nothing else does."""

import io
import json
import logging
import re
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skewbench.storage.records import Part, Receipt, parse_manifest, parse_receipt, receipt_path, shown
from skewbench.storage.schemas import TABLES, VERSION
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import RunError

__all__ = [
    "COMPACTED",
    "GENERATION",
    "MERGED",
    "BrokenReceipt",
    "Part",
    "Receipt",
    "count_receipts",
    "job_of",
    "new_attempt",
    "read_part",
    "read_receipts",
    "receipt_content",
    "receipt_path",
    "scan_receipts",
    "write_part",
    "write_receipt",
]
logger = logging.getLogger(__name__)

GENERATION = "generation"
"""Kind of the receipts of generated shards; the others are of scores."""
COMPACTED = "compacted"
"""What compaction writes, in place of a job."""
MERGED = b"skewbench.merged"
"""Key of a file's metadata: the parts whose rows it holds."""
_ROW_GROUP = {"images": 100}
"""Rows a row group: pictures are large, and a reader fetches few."""


@dataclass(frozen=True)
class BrokenReceipt:
    """A file among a run's receipts that is none."""

    key: str
    path: str
    content: bytes
    why: str


def new_attempt() -> str:
    """Name of one try at a shard: a late zombie never writes over what another try wrote."""
    return uuid.uuid4().hex[:8]


def job_of(path: str) -> str:
    """The job that wrote a part, by the part's name: `<job>-<attempt>.parquet`. A receipt's key ends in it."""
    return path.rpartition("/")[2].rpartition("-")[0]


def write_part(
    store: Store, table: str, run_id: str, job: str, attempt: str, rows: pa.Table, merged: Iterable[str] = ()
) -> Part:
    """Write rows of a table as one file.

    Args:
        store: The lake.
        table: The rows' table; they are cast to its schema, which is checked.
        run_id: The run.
        job: The key of the job's receipt without its kind, or what the driver writes.
        attempt: Tells this attempt at the job from others.
        rows: The rows.
        merged: Paths of the parts whose rows these are, where compaction merged them; kept in the file's metadata.

    Returns:
        The part.
    """
    schema = TABLES[table].with_metadata(_metadata(table, run_id, list(merged)))
    buffer = io.BytesIO()
    pq.write_table(
        rows.select(schema.names).cast(schema),
        buffer,
        compression="zstd",
        write_page_index=True,
        row_group_size=_ROW_GROUP.get(table, 100_000),
        # pictures are compressed already, and each is different
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


def write_receipt(store: Store, receipt: Receipt) -> Receipt:
    """Write a receipt, or, where an earlier attempt's stands already, delete this attempt's parts and return that one.

    A file that is no receipt is replaced.

    Raises:
        RunError: this attempt's parts were deleted before the receipt was written, since another driver took the run
            over or removed it. The receipt is withdrawn then: none may name a part that is not there.
    """
    path, content = receipt_path(receipt.run_id, receipt.key), receipt_content(receipt)
    while not store.put_new(path, content):
        try:
            there = store.read(path)
            first = parse_receipt(path, there)
        except FileNotFoundError:  # sent back in this moment
            continue
        except ValueError as error:
            logger.warning("%s is no receipt (%s); it is replaced", path, error)
            if store.swap(path, there, content):
                break
            continue
        named = {part.path for part in first.parts}
        store.delete(*(part.path for part in receipt.parts if part.path not in named))
        return first
    if not all(store.exists(part.path) for part in receipt.parts) and not _is_merged(store, receipt):
        store.remove(path, content)
        raise RunError(f"parts of {receipt.key} of run {receipt.run_id} were deleted before its receipt was written")
    return receipt


def _is_merged(store: Store, receipt: Receipt) -> bool:
    """Whether the run was committed and compacted between the receipt and now, so that its rows lie elsewhere."""
    try:
        manifest = parse_manifest(receipt.run_id, store.read(f"_runs/{receipt.run_id}.json"))
    except (FileNotFoundError, ValueError):
        return False
    return all(part.path in manifest.replaced for part in receipt.parts)


def receipt_content(receipt: Receipt) -> bytes:
    """The bytes of a receipt's file."""
    return json.dumps(asdict(receipt), indent=1).encode()


def scan_receipts(store: Store, run_id: str) -> tuple[dict[str, Receipt], list[BrokenReceipt]]:
    """All receipts of a run, by key, and the files among them that are none."""
    folder = f"_receipts/run_id={run_id}"
    paths = [path for path in store.list(folder) if path.endswith(".json")]
    receipts, broken = dict[str, Receipt](), list[BrokenReceipt]()
    for path, content in zip(paths, store.read_all(paths), strict=True):
        try:
            receipt = parse_receipt(path, content)
        except ValueError as error:
            key = path.removeprefix(f"{folder}/").removesuffix(".json")
            broken.append(BrokenReceipt(key, path, content, str(error)))
        else:
            receipts[receipt.key] = receipt
    return receipts, broken


def read_receipts(store: Store, run_id: str) -> dict[str, Receipt]:
    """All receipts of a run, by key. A file that is none counts as absent, with a warning: its job is done again."""
    receipts, broken = scan_receipts(store, run_id)
    for one in broken:
        logger.warning("%s is no receipt: %s; `skewbench verify %s --repair`", shown(one.path), one.why, run_id)
    return receipts


def count_receipts(store: Store, run_id: str) -> dict[str, int]:
    """Number of receipts by kind of job (`generation`, `scores`), from their names alone.

    Attempts at one shard count once. `scored`: of the scores, those of one scorer's older versions and of several
    references counted once.
    """
    keys = [path.rsplit("/", 1)[-1].removesuffix(".json") for path in store.list(f"_receipts/run_id={run_id}")]
    generation, scores = ([key for key in keys if key.startswith(f"{kind}-")] for kind in ("generation", "scores"))
    generated = {re.sub(r"\.retry\d+$", "", key) for key in generation}
    scored = {re.sub(r"\.v\d+(\.retry\d+)?(-[^-]+)?(\.missing)?$", "", key) for key in scores}
    return {"generation": len(generated), "scores": len(scores), "scored": len(scored)}


def _metadata(table: str, run_id: str, merged: list[str]) -> dict[bytes, bytes]:
    metadata = {b"skewbench.run_id": run_id.encode(), b"skewbench.schema_version": str(VERSION).encode()}
    if merged:
        metadata[MERGED] = json.dumps(merged).encode()
    if table == "images":  # what makes `datasets.load_dataset("parquet", ...)` show pictures
        metadata[b"huggingface"] = json.dumps({"info": {"features": _image_features()}}).encode()
    return metadata


def _image_features() -> dict[str, dict[str, str]]:
    names = {pa.string(): "string", pa.int32(): "int32"}
    return {
        field.name: {"_type": "Image"} if field.name == "image" else {"dtype": names[field.type], "_type": "Value"}
        for field in TABLES["images"]
    }
