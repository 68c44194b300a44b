"""Reads and writes receipts, which workers write after their parts. The first attempt at a job wins."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pydantic import ConfigDict
from pydantic_core import from_json, to_json

from skewbench.storage import legacy
from skewbench.storage.keys import JobKey
from skewbench.storage.location import Location
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
    """States that a job's parts are whole. It is written after them, unless the job has one: the first attempt wins."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    key: JobKey
    run_id: str
    parts: tuple[Part, ...]
    seconds: float
    counts: dict[str, int]
    """For a generated shard: samples by status. For scores: rows by table."""
    cell: str = ""
    """The cell that the job belongs to; empty in receipts of older schemas."""
    reasons: dict[str, int] = field(default_factory=dict)
    """The commonest reasons why samples have no usable image, with the number of samples."""
    schema_version: int = VERSION
    path: str = field(default="", compare=False)
    """The path of its file; empty if it was made from a manifest alone. Not in the file."""


@dataclass(frozen=True)
class BrokenReceipt:
    """A file among a run's receipts that is not a receipt.

    Args:
        path: The file, relative to the lake.
        content: Its bytes.
        reason: The fault.
    """

    path: str
    content: bytes
    reason: str


def receipt_folder(run_id: str) -> str:
    """Return the folder of a run's receipts, relative to the lake.

    Args:
        run_id: The run.
    """
    return f"_receipts/run_id={run_id}"


def receipt_path(run_id: str, key: JobKey) -> str:
    """Return the path of a job's receipt, relative to the lake.

    Args:
        run_id: The run.
        key: The job. Its digest names the file.
    """
    return f"{receipt_folder(run_id)}/{key.digest}.json"


def receipt_content(receipt: Receipt) -> bytes:
    """Encode a receipt as the bytes of its file.

    Args:
        receipt: The receipt. Its `path` is not stored.
    """
    content: bytes = adapter(Receipt).dump_json(receipt, indent=1, exclude={"path"})
    return content


def parse_receipt(path: str, content: bytes) -> Receipt:
    """Parse a receipt, also one of an older schema.

    Args:
        path: The file's path in the lake, which names run and job.
        content: The file's bytes.

    Raises:
        NewerSchemaError: Its schema is newer than this skewbench reads.
        ValueError: It is not a receipt; the message is one line.
    """
    try:
        found = parse_versioned(Receipt, content)
        expected = receipt_path(found.run_id, found.key)
    except NewerSchemaError:
        raise
    except ValueError as error:
        found, expected = _old_receipt(content, error)
    if expected != path:  # run and key name files
        raise ValueError(f"it belongs to {quoted(str(found.key))} of run {quoted(found.run_id)}")
    check_parts(found.run_id, found.parts)
    for part in found.parts:
        if TABLES[part.table].written_by != found.key.kind:
            raise ValueError(f"part {quoted(part.path)} belongs to a table that no job of kind {found.key.kind} writes")
    return replace(found, path=path)


def _old_receipt(content: bytes, error: ValueError) -> tuple[Receipt, str]:
    """Parse a receipt of an older schema; returns its path too. Raises `error` for any other content."""
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
    """Write a receipt. If the job has one already, delete this attempt's parts instead.

    A broken file in its place is replaced.

    Args:
        store: The lake.
        receipt: This attempt's receipt.

    Returns:
        The receipt that counts: this one, or that of an earlier attempt.

    Raises:
        RunError: This attempt's parts were deleted before the receipt was written, because another driver took the run
            over or removed it. The receipt is withdrawn then: a receipt must not name a missing part.
    """
    path, content = receipt_path(receipt.run_id, receipt.key), receipt_content(receipt)
    while not store.put_new(path, content):
        try:
            existing = store.read(path)
            first = parse_receipt(path, existing)
        except FileNotFoundError:  # a repair has just deleted it
            continue
        except NewerSchemaError as error:
            raise RunError(f"{path} was {error}") from None
        except ValueError as error:
            logger.warning("%s is not a receipt (%s); it is replaced", path, error)
            if store.swap(path, existing, content):
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
    """Whether the run was committed and compacted since the receipt, so that its rows are in other parts."""
    try:
        manifest = parse_manifest(receipt.run_id, store.read(f"_runs/{receipt.run_id}.json"))
    except (FileNotFoundError, ValueError):
        return False
    return all(part.path in manifest.replaced for part in receipt.parts)


def list_receipts(location: Location, run_id: str) -> list[str]:
    """List a run's receipts.

    Args:
        location: The lake.
        run_id: The run.

    Returns:
        Paths relative to the lake.
    """
    return [path for path in location.list(receipt_folder(run_id)) if path.endswith(".json")]


def load_receipts(location: Location, paths: Iterable[str]) -> tuple[list[Receipt], list[BrokenReceipt]]:
    """Read receipts.

    Args:
        location: The lake.
        paths: Their files.

    Returns:
        The receipts, and the files that are not receipts.

    Raises:
        InputError: One has a newer schema than this skewbench reads.
    """
    paths = list(paths)
    receipts, broken = list[Receipt](), list[BrokenReceipt]()
    for path, content in zip(paths, location.read_all(paths), strict=True):
        try:
            receipts.append(parse_receipt(path, content))
        except NewerSchemaError as error:
            raise InputError(f"{shown(path)} was {error}") from None
        except ValueError as error:
            broken.append(BrokenReceipt(path, content, str(error)))
    return receipts, broken


def scan_receipts(location: Location, run_id: str) -> tuple[list[Receipt], list[BrokenReceipt]]:
    """Read all receipts of a run.

    Args:
        location: The lake.
        run_id: The run.

    Returns:
        The receipts, and the files among them that are not receipts.

    Raises:
        InputError: One has a newer schema than this skewbench reads.
    """
    return load_receipts(location, list_receipts(location, run_id))
