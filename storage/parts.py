"""Parts (Parquet files) and receipts: what a worker writes, and nothing else does."""

import io
import json
import re
import uuid
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skewbench.storage.schemas import TABLES, VERSION
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import InputError

GENERATION = "generation"
"""Kind of the receipts of generated shards; the others are of scores."""
_ROW_GROUP = {"images": 100}
"""Rows a row group: pictures are large, and a reader fetches few."""


@dataclass(frozen=True)
class Part:
    """One Parquet file of a table, as receipts and manifests name it. `path` is relative to the lake."""

    table: str
    path: str
    rows: int
    bytes: int
    sha256: str
    schema_version: int


@dataclass(frozen=True)
class Receipt:
    """That a shard's parts are whole: written after them, and only if there is none, so the first attempt wins."""

    key: str
    run_id: str
    shard: str
    parts: tuple[Part, ...]
    seconds: float
    counts: dict[str, int]
    cell: str = ""
    retry: int = 0
    """How often the shard had been generated again by then, since too many of its cell's samples were unusable. Of
    scores: the attempt that they were made from; of a whole cell: the sum over its shards."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why samples have no usable image, with the number of samples; the commonest reasons."""

    @property
    def kind(self) -> str:
        """`generation` or `scores`."""
        return self.key.partition("-")[0]


def new_attempt() -> str:
    """Name of one try at a shard: a late zombie never writes over what another try wrote."""
    return uuid.uuid4().hex[:8]


def write_part(store: Store, table: str, run_id: str, stem: str, attempt: str, rows: pa.Table) -> Part:
    """Write rows of a table as one file. The rows are cast to the table's schema, which is checked."""
    schema = TABLES[table].with_metadata(_metadata(table, run_id))
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
    path = f"{table}/run_id={run_id}/{stem}-{attempt}.parquet"
    store.put(path, content)
    return Part(table, path, rows.num_rows, len(content), sha256(content).hexdigest(), VERSION)


def read_part(
    store: Store, part: Part, columns: list[str] | None = None, where: pc.Expression | None = None
) -> pa.Table:
    """A part's rows, or those of them for which `where` holds; only the row groups that may have some are read."""
    with store.open(part.path) as file:
        return pq.read_table(file, columns=columns, filters=where)


def write_receipt(store: Store, receipt: Receipt) -> Receipt:
    """Write a receipt, or, where an earlier attempt's stands already, delete our parts and return that one."""
    path = receipt_path(receipt.run_id, receipt.key)
    if store.put_new(path, json.dumps(asdict(receipt), indent=1).encode()):
        return receipt
    store.delete(*(part.path for part in receipt.parts))
    return _parse(store.read(path))


def read_receipts(store: Store, run_id: str) -> dict[str, Receipt]:
    """All receipts of a run, by key. Raises `InputError` for a file that is none."""
    paths = [path for path in store.list(f"_receipts/run_id={run_id}") if path.endswith(".json")]
    receipts = map(_named, paths, store.read_all(paths))
    return {receipt.key: receipt for receipt in receipts}


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


def receipt_path(run_id: str, key: str) -> str:
    """Where a receipt lies. `key` is `<table group>-<shard>[-<scorer>]`."""
    return f"_receipts/run_id={run_id}/{key}.json"


def parse_part(fields: dict[str, Any]) -> Part:
    """A part from a manifest's or receipt's JSON. Raises `ValueError` for a path that leads out of the lake."""
    part = Part(**fields)
    path = PurePosixPath(part.path)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"part {part.path!r} lies outside of the lake")
    return part


def _named(path: str, content: bytes) -> Receipt:
    """The receipt that a file holds, if it is the one that its name says."""
    try:
        receipt = _parse(content)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is no receipt: {error}") from None
    if receipt_path(receipt.run_id, receipt.key) != path:  # both name files, and a lake may be somebody else's
        raise InputError(f"{path} is no receipt: it is that of {receipt.key!r} of run {receipt.run_id!r}")
    return receipt


def _parse(content: bytes) -> Receipt:
    fields = json.loads(content)
    return Receipt(**{**fields, "parts": tuple(parse_part(part) for part in fields["parts"])})


def _metadata(table: str, run_id: str) -> dict[bytes, bytes]:
    metadata = {b"skewbench.run_id": run_id.encode(), b"skewbench.schema_version": str(VERSION).encode()}
    if table == "images":  # what makes `datasets.load_dataset("parquet", ...)` show pictures
        metadata[b"huggingface"] = json.dumps({"info": {"features": _image_features()}}).encode()
    return metadata


def _image_features() -> dict[str, dict[str, str]]:
    names = {pa.string(): "string", pa.int32(): "int32"}
    return {
        field.name: {"_type": "Image"} if field.name == "image" else {"dtype": names[field.type], "_type": "Value"}
        for field in TABLES["images"]
    }
