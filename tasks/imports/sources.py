"""Finds the images of a source: files of a folder, or rows of Parquet files."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from skewbench.storage.records import shown
from skewbench.tasks.imports.pixels import ENDINGS
from skewbench.tasks.imports.spec import ImportSpec
from skewbench.tasks.prompts.columns import Column
from skewbench.tasks.prompts.hub import hub_files
from skewbench.tasks.prompts.tables import columns_of
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.texts import as_unicode
from skewbench.vocabulary.user_paths import user_path

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""Names of a table in a folder of images, as the library `datasets` has them."""
_HUB = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+(/[\w.-]+)?)?")


@dataclass(frozen=True)
class Found:
    """A file or row that should be an image.

    Args:
        name: Names it in messages and in the lake; different for all of a source.
        path: By which patterns and tables know it: relative to its source; empty if it has none.
        read: Reads its bytes; None if there are none.
        columns: Its values in the other columns of a Parquet file.
    """

    name: str
    path: str
    read: Callable[[], bytes | None]
    columns: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """A file or row that is not imported, and the reason."""

    name: str
    reason: str


@dataclass
class Source:
    """The contents of a source. `folder`: folder of the files; None for Parquet."""

    given: str
    found: list[Found]
    left_out: list[LeftOut]
    folder: Path | None = None


def open_source(given: str, spec: ImportSpec) -> Source:
    """List the contents of a source without reading images.

    Args:
        given: As the user named it.
        spec: The import.

    Raises:
        InputError: There is no such source, or it has no column of images.
    """
    path = user_path(given, "source")
    if path.is_dir():
        found, others = _files(path)
        parquet = [one for one in others if one.suffix.lower() == ".parquet" and one.name not in METADATA]
        if parquet and not found:
            return _rows(given, parquet, spec)
        tables = [path / name for name in METADATA] + ([user_path(spec.table, "table")] if spec.table else [])
        left_out = [LeftOut(_name(one, path), _why_not(one)) for one in others if one not in tables]
        return Source(given, found, left_out, path)
    if path.is_file():
        if path.suffix.lower() != ".parquet":
            raise InputError(f"source {given!r}: is a single file; name a folder, a .parquet file or a data set")
        return _rows(given, [path], spec)
    if _HUB.fullmatch(given):
        return _rows(given, hub_files(given, "source"), spec)
    raise InputError(f"source {given!r}: no such folder or file")


def _files(folder: Path) -> tuple[list[Found], list[Path]]:
    """The images of a folder by their endings, and its other files. Links to folders are followed, each folder once."""
    images, others, seen = list[Path](), list[Path](), set[str]()
    for place, folders, names in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(place)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for name in sorted(names):
            file = Path(place, name)
            is_image = file.suffix.lower() in ENDINGS and not name.startswith(".") and file.exists()
            (images if is_image else others).append(file)
    named = [(file, _name(file, folder)) for file in images]
    return [Found(name, name, file.read_bytes) for file, name in named], others


def _name(file: Path, folder: Path) -> str:
    """The name relative to the folder. Bytes that are not UTF-8 are escaped, because the lake stores the name."""
    return as_unicode(file.relative_to(folder).as_posix())


def _why_not(file: Path) -> str:
    return "does not have the extension of an image" if file.exists() else "is a broken link"


def _rows(given: str, files: list[Path], spec: ImportSpec) -> Source:
    rows = [row for file in files for row in _rows_of_file(file, spec)]
    count = Counter(row.name for row in rows)
    unique = [
        row if count[row.name] == 1 else Found(f"{row.name} ({number})", row.path, row.read, row.columns)
        for number, row in enumerate(rows, 1)
    ]
    return Source(given, unique, [])


def _rows_of_file(path: Path, spec: ImportSpec) -> Iterator[Found]:
    import polars as pl

    try:
        file = pq.ParquetFile(path)
        column = _image_column(path, file.schema_arrow, spec.image_column)
        others = [name for name in file.schema_arrow.names if name != column]
        labels: dict[str, Column] = columns_of(pl.read_parquet(path, columns=others, glob=False)) if others else {}
        paths = _Images(file, column).paths()
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"source {str(path)!r}: not a readable Parquet file ({shown(str(error))})") from None
    images = _Images(file, column)
    for number, name in enumerate(paths):
        values = {label: values.texts[number] for label, values in labels.items()}
        yield Found(name or f"{path.name} row {number + 1}", name or "", partial(images.read, number), values)


def _image_column(path: Path, schema: pa.Schema, given: str | None) -> str:
    def holds_bytes(kind: pa.DataType) -> bool:
        if pa.types.is_struct(kind):
            return kind.get_field_index("bytes") >= 0
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    fitting = [one.name for one in schema if holds_bytes(one.type)]
    if given is not None and given not in fitting:
        raise InputError(
            f"image_column {given!r}: {str(path)!r} has no such column of images; it has {', '.join(fitting) or 'none'}"
        )
    if not fitting:
        raise InputError(f"source {str(path)!r}: has no column of images; its columns are {', '.join(schema.names)}")
    return given or fitting[0]


class _Images:
    """Reads images of a Parquet file by row. Keeps one row group."""

    def __init__(self, file: pq.ParquetFile, column: str) -> None:
        self._file, self._column, self._lock = file, column, Lock()
        self._group, self._rows = -1, list[Any]()
        counts = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        self._places = [(group, row) for group, count in enumerate(counts) for row in range(count)]

    def read(self, number: int) -> bytes | None:
        group, row = self._places[number]
        with self._lock:
            if group != self._group:
                self._rows = self._file.read_row_group(group, columns=[self._column]).column(0).to_pylist()
                self._group = group
            value = self._rows[row]
        return value.get("bytes") if isinstance(value, dict) else value

    def paths(self) -> list[str | None]:
        """The path of each row, if the column has one."""
        kind = self._file.schema_arrow.field(self._column).type
        if not pa.types.is_struct(kind) or kind.get_field_index("path") < 0:
            return [None] * len(self._places)
        read: list[dict[str, str | None] | None] = (
            self._file.read(columns=[f"{self._column}.path"]).column(0).to_pylist()
        )
        return [value.get("path") if value else None for value in read]
