"""What a cell's images are compared with as a set: a folder of images, or the baseline of another run of the lake."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skewbench.eval.scoring.images import CorruptSample, decode
from skewbench.eval.scoring.real_images import is_image, read_real
from skewbench.storage.footers import check_footers, largest_image
from skewbench.storage.manifest import find_run
from skewbench.storage.parts import read_part
from skewbench.storage.png import is_png
from skewbench.storage.records import Part
from skewbench.storage.store import Store
from skewbench.tasks.media import medium_of
from skewbench.tasks.user_folders import files_below
from skewbench.vocabulary.errors import InputError, RunError
from skewbench.vocabulary.user_paths import user_path

_AT_ONCE = 64
NONE = "no reference; set `reference:` or `skewbench score --reference` to a folder of images or a run"


@dataclass(frozen=True)
class Reference:
    """A set of images. `name`: for people; `key`: a digest of what is in it, of a folder of its images' contents."""

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
        InputError: Neither a folder with images nor a run, or an image whose brightness is unknown.
    """
    if (folder := user_path(given, "reference")).is_dir():
        return Reference(folder.name, _key_of(folder), str(folder.absolute()))
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
    """Check that `find_reference` will find a reference.

    A reference to the experiment itself is not checked: its run need not exist yet.

    Args:
        store: The lake.
        given: The reference, as a person wrote it; None: there is none.
        name: Name of the experiment.

    Raises:
        InputError: The reference does not exist.
    """
    if given and not (f"{name}-".startswith(given) or given.startswith(f"{name}-")):
        find_reference(store, given)


def images_of(store: Store, reference: Reference) -> Iterator[np.ndarray]:
    """Yield the images of a reference. Files of a folder that are no images, and broken images of a run, are left out.

    Args:
        store: The lake.
        reference: The reference.

    Raises:
        RunError: The folder's images have changed since the driver read them, or one is broken.
    """
    if reference.folder:
        yield from _images_in(Path(reference.folder), reference.key)
        return
    for content in stored_images(store, reference.parts, reference.cell):
        try:
            yield decode(content)
        except CorruptSample:
            continue


def _images_in(folder: Path, key: str) -> Iterator[np.ndarray]:
    try:
        found = _key_of(folder)
    except InputError as error:
        found = str(error)
    if found != key:
        raise RunError(f"{socket.gethostname()} has other images in {folder} than the driver: {found}, not {key}")
    for file in files_below(folder):
        if _digest(file):
            try:
                yield read_real(file.read_bytes())
            except CorruptSample as error:
                raise RunError(f"reference: {file} is a broken image: {error}") from None


def stored_images(store: Store, parts: tuple[Part, ...], cell: str | None) -> Iterator[bytes]:
    """Yield the encoded images of `ok` samples, each once, a few in memory at a time.

    Images that are not PNGs of the run's size are left out.

    Args:
        store: The lake.
        parts: Parts of the run.
        cell: Name of the cell; None: all cells.
    """
    good = pc.field("status") == "ok"
    where = good if cell is None else good & (pc.field("cell") == cell)
    samples = (read_part(store, part, ["sample_id"], where) for part in parts if part.table == "samples")
    missing = {sample for table in samples for sample in table["sample_id"].to_pylist()}
    pixels = largest_image(store, parts)
    images = [part for part in parts if part.table == "images"]
    check_footers(store, images)
    for part in images:
        with store.open(part.path, part.bytes) as file:
            for batch in pq.ParquetFile(file).iter_batches(_AT_ONCE, columns=["sample_id", "image"]):
                for row in batch.to_pylist():
                    if row["sample_id"] in missing and row["image"] and row["image"]["bytes"]:
                        missing.remove(row["sample_id"])
                        if is_png(row["image"]["bytes"], pixels):
                            yield row["image"]["bytes"]


def _key_of(folder: Path) -> str:
    """Digest the contents of a folder's images, whatever their names. Raises `InputError` where there are none."""
    try:
        found = sorted(filter(None, map(_digest, files_below(folder))))
    except OSError as error:
        raise InputError(f"reference {str(folder)!r}: {error}") from None
    if not found:
        raise InputError(f"reference {str(folder)!r}: no images in this folder")
    return sha256("\n".join(found).encode()).hexdigest()[:8]


def _digest(file: Path) -> str:
    """Digest an image's content; empty: no image. Raises `InputError` for an image whose brightness is unknown."""
    about = file.stat()
    return _digest_of_version(file, about.st_ino, about.st_size, about.st_mtime_ns)


@cache
def _digest_of_version(file: Path, _inode: int, _size: int, _changed: int) -> str:
    """Read a file once in a process, unless it changes: a run asks for its reference several times."""
    content = file.read_bytes()
    try:
        return sha256(content).hexdigest() if is_image(content) else ""
    except CorruptSample as error:
        raise InputError(f"reference: {file}: {error}") from None
