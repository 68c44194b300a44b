"""The reference set for a cell's samples: a folder of files, or the baseline of another run of the lake."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from skewbench.eval.scoring.images import CorruptSample
from skewbench.storage.footers import check_footers, largest_image
from skewbench.storage.manifest import find_run
from skewbench.storage.parts import read_part
from skewbench.storage.png import is_png
from skewbench.storage.records import Part
from skewbench.storage.store import Store
from skewbench.tasks.media import MEDIA, medium_of
from skewbench.tasks.sets import SETS
from skewbench.tasks.user_folders import files_below
from skewbench.vocabulary.errors import InputError, RunError
from skewbench.vocabulary.metrics import Medium
from skewbench.vocabulary.user_paths import user_path

_AT_ONCE = 64
NONE = "no reference; set `reference:` or `skewbench score --reference` to a folder of images or WAV files, or a run"


@dataclass(frozen=True)
class Reference:
    """A set of samples. `name`: for messages; `key`: a digest of its contents, or of the files in its folder."""

    name: str
    key: str
    folder: str | None = None
    parts: tuple[Part, ...] = ()
    cell: str | None = None
    medium: Medium = "image"


def find_reference(store: Store, given: str, medium: Medium = "image") -> Reference:
    """Find the reference that a user named.

    Args:
        store: The lake.
        given: A folder, or the id of a run or its beginning; of a run, the baseline's samples, else those of all cells.
        medium: What the samples are that it is compared with.

    Raises:
        InputError: Neither a folder with files of the medium nor a run of it, a file that cannot be used, such as an
            image whose brightness is unknown, or a medium that no scorer compares.
    """
    if medium not in SETS:
        raise InputError(f"reference {given!r}: no metric compares {medium} with a reference; leave it out")
    if (folder := user_path(given, "reference")).is_dir():
        return Reference(folder.name, _key_of(folder, medium), str(folder.absolute()), medium=medium)
    try:
        run = find_run(store, given)
    except InputError as error:
        raise InputError(f"reference {given!r}: not a folder, and not a run of the lake ({error})") from None
    if (found := medium_of(run)) != medium:
        raise InputError(f"reference {given!r}: run {run.run_id} generated {found}; {SETS[medium].noun} are required")
    parts = tuple(part for part in run.parts if part.table in ("samples", MEDIA[medium].table.name))
    key = sha256(f"{run.run_id} {run.baseline}".encode()).hexdigest()[:8]
    return Reference(f"{run.run_id} {run.baseline or 'all cells'}", key, None, parts, run.baseline, medium)


def check_reference(store: Store, given: str | None, name: str, medium: Medium = "image") -> None:
    """Check that `find_reference` will find a reference.

    A reference to the experiment itself is not checked: its run need not exist yet.

    Args:
        store: The lake.
        given: The reference as the user wrote it; None: no reference.
        name: Name of the experiment.
        medium: What the experiment generates.

    Raises:
        InputError: The reference does not exist.
    """
    if given and not (f"{name}-".startswith(given) or given.startswith(f"{name}-")):
        find_reference(store, given, medium)


def samples_of(store: Store, reference: Reference) -> Iterator[Any]:
    """Yield the decoded samples of a reference. Other files of a folder, and broken files of a run, are left out.

    Args:
        store: The lake.
        reference: The reference.

    Raises:
        RunError: The folder's files have changed since the driver read them, or one is broken.
    """
    if reference.folder:
        yield from _samples_in(Path(reference.folder), reference)
        return
    for content in stored_files(store, reference.parts, reference.cell, reference.medium):
        try:
            yield SETS[reference.medium].decode(content)
        except CorruptSample:
            continue


def _samples_in(folder: Path, reference: Reference) -> Iterator[Any]:
    kind = SETS[reference.medium]
    try:
        found = _key_of(folder, reference.medium)
    except InputError as error:
        found = str(error)
    if found != reference.key:
        raise RunError(
            f"{socket.gethostname()} has different {kind.noun} in {folder} than the driver: {found}, not "
            f"{reference.key}"
        )
    for file in files_below(folder):
        if _digest(file, reference.medium):
            try:
                yield kind.read(file.read_bytes())
            except CorruptSample as error:
                raise RunError(f"reference: {file} is a broken {kind.file}: {error}") from None


def stored_files(store: Store, parts: tuple[Part, ...], cell: str | None, medium: Medium) -> Iterator[bytes]:
    """Yield the encoded files of `ok` samples, each once, a few in memory at a time.

    Images that are not PNGs of the run's size are left out.

    Args:
        store: The lake.
        parts: Parts of the run.
        cell: Name of the cell; None: all cells.
        medium: What the run generated.
    """
    table, column = MEDIA[medium].table.name, MEDIA[medium].file
    good = pc.field("status") == "ok"
    where = good if cell is None else good & (pc.field("cell") == cell)
    samples = (read_part(store, part, ["sample_id"], where) for part in parts if part.table == "samples")
    missing = {sample for rows in samples for sample in rows["sample_id"].to_pylist()}
    pixels = largest_image(store, parts) if medium == "image" else 0
    files = [part for part in parts if part.table == table]
    check_footers(store, files)
    for part in files:
        with store.open(part.path, part.bytes) as file:
            for batch in pq.ParquetFile(file).iter_batches(_AT_ONCE, columns=["sample_id", column]):
                for row in batch.to_pylist():
                    if row["sample_id"] in missing and row[column] and row[column]["bytes"]:
                        missing.remove(row["sample_id"])
                        if medium != "image" or is_png(row[column]["bytes"], pixels):
                            yield row[column]["bytes"]


def _key_of(folder: Path, medium: Medium) -> str:
    """Digest the contents of a folder's files of a medium, whatever their names. Raises `InputError` without any."""
    try:
        found = sorted(filter(None, (_digest(file, medium) for file in files_below(folder))))
    except OSError as error:
        raise InputError(f"reference {str(folder)!r}: {error}") from None
    if not found:
        raise InputError(f"reference {str(folder)!r}: no {SETS[medium].noun} in this folder")
    return sha256("\n".join(found).encode()).hexdigest()[:8]


def _digest(file: Path, medium: Medium) -> str:
    """Digest a file's content; empty: it is not of the medium. Raises `InputError` for one that cannot be used."""
    about = file.stat()
    return _digest_of_version(file, medium, about.st_ino, about.st_size, about.st_mtime_ns)


@cache
def _digest_of_version(file: Path, medium: Medium, _inode: int, _size: int, _changed: int) -> str:
    """Read a file once in a process, unless it changes: a run asks for its reference several times."""
    content = file.read_bytes()
    try:
        return sha256(content).hexdigest() if SETS[medium].recognise(content) else ""
    except CorruptSample as error:
        raise InputError(f"reference: {file}: {error}") from None
