"""Checks that the files of a lake are unchanged: parts against the manifest, the manifest against the receipts."""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa
import pyarrow.parquet as pq

from skewbench.storage.footers import footer_problem, largest_image
from skewbench.storage.keys import JobKey
from skewbench.storage.location import LakeUnreachable
from skewbench.storage.png import MOST_PIXELS, BrokenImage, open_png
from skewbench.storage.receipts import Receipt, receipt_path, scan_receipts
from skewbench.storage.records import Manifest, Part, shown
from skewbench.storage.sample_files import PNGS, check_files
from skewbench.storage.state import receipts_of_manifest
from skewbench.storage.store import Store
from skewbench.storage.tables import TABLES
from skewbench.vocabulary.errors import RunError


@dataclass(frozen=True)
class Fault:
    """A broken file of a run.

    Args:
        path: The file, relative to the lake.
        problem: The fault, as the end of a sentence that begins with the path.
        part: The part; None for a receipt.
    """

    path: str
    problem: str
    part: Part | None = None


def check_parts(store: Store, manifest: Manifest, advance: Callable[[], None] = lambda: None) -> list[Fault]:
    """Hash every part that a manifest names, and count its rows.

    Args:
        store: The lake.
        manifest: The run's manifest.
        advance: Called after each part, to show progress.

    Returns:
        The broken parts.
    """
    return _check(store, manifest.parts, advance)


def check_run(store: Store, manifest: Manifest, advance: Callable[[], None] = lambda: None) -> list[Fault]:
    """Check a run: its receipts, its parts, and the parts of receipts that are not committed yet.

    Args:
        store: The lake.
        manifest: The run's manifest.
        advance: Called after each part, to show progress.

    Returns:
        The broken files.
    """
    return _check(store, all_parts(store, manifest), advance) + check_receipts(store, manifest)


def all_parts(store: Store, manifest: Manifest) -> list[Part]:
    """Find the parts that a manifest names, and those of receipts that are not committed yet.

    Args:
        store: The lake.
        manifest: The run's manifest.
    """
    receipts, _ = scan_receipts(store, manifest.run_id)
    known = {*manifest.replaced, *(part.path for part in manifest.parts)}
    uncommitted = [part for receipt in receipts for part in receipt.parts if part.path not in known]
    return [*manifest.parts, *dict.fromkeys(uncommitted)]


def check_receipts(store: Store, manifest: Manifest) -> list[Fault]:
    """Find receipts that are broken, are missing, or disagree with the manifest.

    Args:
        store: The lake.
        manifest: The run's manifest.
    """
    receipts, broken = scan_receipts(store, manifest.run_id)
    faults = [Fault(one.path, f"is not a receipt: {one.reason}") for one in broken]
    faults += [Fault(receipt.path, "disagrees with the manifest") for receipt in disagreeing(receipts, manifest)]
    files = {one.path for one in broken}
    missing = [receipt_path(manifest.run_id, key) for key in missing_receipts(manifest, receipts)]
    return faults + [Fault(path, "is missing") for path in missing if path not in files]


def disagreeing(receipts: Iterable[Receipt], manifest: Manifest) -> list[Receipt]:
    """Select the receipts that describe a part differently than the manifest does.

    Args:
        receipts: All receipts of a run.
        manifest: The run's manifest.
    """
    named = {part.path: part for part in manifest.parts}
    return [one for one in receipts if any(named.get(part.path, part) != part for part in one.parts)]


def missing_receipts(manifest: Manifest, receipts: Iterable[Receipt]) -> dict[JobKey, Receipt]:
    """Make the receipts that are missing, from the manifest.

    Args:
        manifest: The run's manifest.
        receipts: The receipts that exist.

    Returns:
        Receipts by key, of jobs whose parts the manifest names.
    """
    existing = {receipt.key for receipt in receipts}
    expected = receipts_of_manifest(manifest)
    return {key: receipt for key, receipt in expected.items() if key not in existing and receipt.parts}


@contextmanager
def reporting_broken_parts(store: Store, *manifests: Manifest) -> Iterator[None]:
    """Turn any error of a reader into one that names the first broken part, if a part is broken.

    Args:
        store: The lake.
        manifests: The runs that are read.

    Raises:
        RunError: A part is broken.
    """
    try:
        yield
    except LakeUnreachable:
        raise
    except Exception as error:
        faults = {manifest.run_id: found for manifest in manifests if (found := check_parts(store, manifest))}
        if not faults:
            raise
        run_id, found = next(iter(faults.items()))
        count = sum(map(len, faults.values()))
        raise RunError(
            f"{'1 part is' if count == 1 else f'{count} parts are'} broken ({found[0].path} {found[0].problem}); "
            f"after `skewbench verify {run_id} --repair`, the next `skewbench run` generates their shards again"
        ) from error


def fault_of(store: Store, part: Part, pixels: int = MOST_PIXELS) -> str | None:
    """Check a part's file: its size, hash, number of rows and columns, and that its images are images.

    Args:
        store: The lake.
        part: The part, as it should be.
        pixels: Maximum number of pixels of an image.

    Returns:
        The fault of the file; None if it has none.
    """
    try:
        content = store.read(part.path)
    except FileNotFoundError:
        return "is missing"
    if len(content) != part.bytes:
        return f"has {len(content)} bytes, not {part.bytes}"
    if sha256(content).hexdigest() != part.sha256:
        return "has different content than was written"
    if problem := footer_problem(io.BytesIO(content), part):
        return problem
    names = [name for name in TABLES[part.table].schema.names if name in PNGS]
    return _broken_file(content, names, pixels) if names else None


def _broken_file(content: bytes, names: list[str], pixels: int) -> str | None:
    """Describe the fault of the first broken image, or PNG of a sample, of a part."""
    try:
        for rows in pq.ParquetFile(io.BytesIO(content)).iter_batches(columns=["sample_id", *names]):
            for row in rows.to_pylist():
                check_files({name: row[name] and row[name]["bytes"] for name in names}, pixels, open_png)
    except BrokenImage as error:
        return f"{error} (sample {shown(row['sample_id'])})"
    except (pa.ArrowException, OSError) as error:
        return f"cannot be read ({shown(str(error))})"
    return None


def _check(store: Store, parts: Iterable[Part], advance: Callable[[], None]) -> list[Fault]:
    parts, faults = list(parts), []
    pixels = largest_image(store, parts)
    for part in parts:
        if problem := fault_of(store, part, pixels):
            faults.append(Fault(part.path, problem, part))
        advance()
    return faults
