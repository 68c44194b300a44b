"""Receipts: what a worker writes after its parts. The first attempt at a job wins."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pydantic import ConfigDict
from pydantic_core import from_json, to_json

from skewbench.storage import legacy
from skewbench.storage.keys import JobKey
from skewbench.storage.place import Place
from skewbench.storage.records import (
    NewerSchemaError,
    Part,
    adapter,
    check_parts,
    parse_fields,
    parse_manifest,
    parse_versioned,
    quoted,
    shown,
)
from skewbench.storage.store import Store
from skewbench.storage.tables import TABLES, VERSION
from skewbench.vocabulary.errors import InputError, RunError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receipt:
    """States that a job's parts are whole. Written after them, and only if there is none: the first attempt wins."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    key: JobKey
    run_id: str
    parts: tuple[Part, ...]
    seconds: float
    counts: dict[str, int]
    """Of a generated shard: samples by status; of scores: rows by table."""
    cell: str = ""
    """The cell that the job belongs to; empty in receipts of older schemas."""
    reasons: dict[str, int] = field(default_factory=dict)
    """Why samples have no usable image, with the number of samples; the commonest reasons."""
    schema_version: int = VERSION
    path: str = field(default="", compare=False)
    """Where its file lies; empty where it has none, since a manifest alone stands for it. Not in the file."""


@dataclass(frozen=True)
class BrokenReceipt:
    """A file among a run's receipts that is none."""

    path: str
    content: bytes
    why: str


def receipt_folder(run_id: str) -> str:
    """Where a run's receipts lie."""
    return f"_receipts/run_id={run_id}"


def receipt_path(run_id: str, key: JobKey) -> str:
    """Where the receipt of a job lies."""
    return f"{receipt_folder(run_id)}/{key.digest}.json"


def receipt_content(receipt: Receipt) -> bytes:
    """The bytes of a receipt's file."""
    content: bytes = adapter(Receipt).dump_json(receipt, indent=1, exclude={"path"})
    return content


def parse_receipt(path: str, content: bytes) -> Receipt:
    """The receipt that a file holds, also one of an older schema.

    Args:
        path: The file's path in the lake, which names run and job.
        content: The file's bytes.

    Raises:
        NewerSchemaError: it is of a newer schema than this skewbench reads.
        ValueError: in one line, what is wrong with it.
    """
    try:
        found = parse_versioned(Receipt, content)
        expected = receipt_path(found.run_id, found.key)
    except NewerSchemaError:
        raise
    except ValueError as error:
        found, expected = _old_receipt(content, error)
    if expected != path:  # both name files
        raise ValueError(f"it is that of {quoted(str(found.key))} of run {quoted(found.run_id)}")
    check_parts(found.run_id, found.parts)
    for part in found.parts:
        if TABLES[part.table].written_by != found.key.kind:
            raise ValueError(f"part {quoted(part.path)} is of a table that no job of kind {found.key.kind} writes")
    return replace(found, path=path)


def _old_receipt(content: bytes, error: ValueError) -> tuple[Receipt, str]:
    """A receipt of an older schema, and where it lies. Raises `error` for any other content."""
    try:
        fields = from_json(content)
    except ValueError:
        raise error from None
    name = fields.get("key") if isinstance(fields, dict) else None
    if not isinstance(name, str) or "/" in name:
        raise error
    found = parse_fields(Receipt, to_json(legacy.typed_receipt(fields)))
    return found, f"{receipt_folder(found.run_id)}/{name}.json"


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
        except NewerSchemaError as error:
            raise RunError(f"{path} was {error}") from None
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
        raise RunError(f"parts of {receipt.key}, run {receipt.run_id} were deleted before its receipt was written")
    return replace(receipt, path=path)


def _is_merged(store: Store, receipt: Receipt) -> bool:
    """Whether the run was committed and compacted between the receipt and now, so that its rows lie elsewhere."""
    try:
        manifest = parse_manifest(receipt.run_id, store.read(f"_runs/{receipt.run_id}.json"))
    except (FileNotFoundError, ValueError):
        return False
    return all(part.path in manifest.replaced for part in receipt.parts)


def list_receipts(place: Place, run_id: str) -> list[str]:
    """Paths of a run's receipts."""
    return [path for path in place.list(receipt_folder(run_id)) if path.endswith(".json")]


def load_receipts(place: Place, paths: Iterable[str]) -> tuple[list[Receipt], list[BrokenReceipt]]:
    """The receipts that files hold, and the files that hold none.

    Raises:
        InputError: one is of a newer schema than this skewbench reads.
    """
    paths = list(paths)
    receipts, broken = list[Receipt](), list[BrokenReceipt]()
    for path, content in zip(paths, place.read_all(paths), strict=True):
        try:
            receipts.append(parse_receipt(path, content))
        except NewerSchemaError as error:
            raise InputError(f"{shown(path)} was {error}") from None
        except ValueError as error:
            broken.append(BrokenReceipt(path, content, str(error)))
    return receipts, broken


def scan_receipts(place: Place, run_id: str) -> tuple[list[Receipt], list[BrokenReceipt]]:
    """All receipts of a run, and the files among them that are none. Raises as `load_receipts`."""
    return load_receipts(place, list_receipts(place, run_id))
