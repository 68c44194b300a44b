"""What a cell's images are compared with as a set: a folder of images, or the baseline of another run of the lake."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skewbench.eval.scoring.images import CorruptSample, decode
from skewbench.storage.manifest import find_run
from skewbench.storage.parts import read_part
from skewbench.storage.records import Part
from skewbench.storage.store import Store
from skewbench.tasks.media import medium_of
from skewbench.vocabulary.errors import InputError

_AT_ONCE = 64
NONE = "no reference; set `reference:` or `skewbench score --reference` to a folder of images or a run"


@dataclass(frozen=True)
class Reference:
    """A set of images. `name`: for people; `key`: a digest of what is in it."""

    name: str
    key: str
    folder: str | None = None
    parts: tuple[Part, ...] = ()
    cell: str | None = None


def find_reference(store: Store, given: str) -> Reference:
    """Find the reference images that a user named.

    Args:
        store: The lake.
        given: A folder, or the id of a run or its beginning; of a run, the baseline's images, else those of all cells.

    Raises:
        InputError: Neither a folder with files nor a run.
    """
    if (folder := Path(given)).is_dir():
        listing = [f"{file.relative_to(folder)}\0{file.stat().st_size}" for file in _files(folder)]
        if not listing:
            raise InputError(f"reference {given!r}: no files in this folder")
        return Reference(folder.name, sha256("\n".join(listing).encode()).hexdigest()[:8], str(folder.absolute()))
    try:
        run = find_run(store, given)
    except InputError as error:
        raise InputError(f"reference {given!r}: not a folder, and not a run of the lake ({error})") from None
    if (medium := medium_of(run)) != "image":
        raise InputError(f"reference {given!r}: run {run.run_id} generated {medium}; images are needed")
    parts = tuple(part for part in run.parts if part.table in ("samples", "images"))
    key = sha256(f"{run.run_id} {run.baseline}".encode()).hexdigest()[:8]
    return Reference(f"{run.run_id} {run.baseline or 'all cells'}", key, parts=parts, cell=run.baseline)


def check_reference(store: Store, given: str | None, name: str) -> None:
    """Raise `InputError` if `find_reference` will fail; a run of the experiment `name` may reference itself."""
    if given and not (f"{name}-".startswith(given) or given.startswith(f"{name}-")):
        find_reference(store, given)


def images_of(store: Store, reference: Reference) -> Iterator[np.ndarray]:
    """Yield the images of a reference. Files that are not readable images are left out."""
    stored = (
        (Path(file).read_bytes() for file in _files(Path(reference.folder)))
        if reference.folder
        else stored_images(store, reference.parts, reference.cell)
    )
    for content in stored:
        try:
            yield decode(content)
        except CorruptSample:
            continue


def stored_images(store: Store, parts: tuple[Part, ...], cell: str | None) -> Iterator[bytes]:
    """Yield the encoded images of a cell's `ok` samples (None: of all cells), each once, a few in memory at a time."""
    good = pc.field("status") == "ok"
    where = good if cell is None else good & (pc.field("cell") == cell)
    samples = (read_part(store, part, ["sample_id"], where) for part in parts if part.table == "samples")
    missing = {sample for table in samples for sample in table["sample_id"].to_pylist()}
    for part in (part for part in parts if part.table == "images"):
        with store.open(part.path) as file:
            for batch in pq.ParquetFile(file).iter_batches(_AT_ONCE, columns=["sample_id", "image"]):
                for row in batch.to_pylist():
                    if row["sample_id"] in missing and row["image"] and row["image"]["bytes"]:
                        missing.remove(row["sample_id"])
                        yield row["image"]["bytes"]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
