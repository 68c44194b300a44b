"""Checks parts by their Parquet footers, without reading rows, because a lake may be untrusted."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as kinds

from skewbench.storage.checked_parts import CheckedParts
from skewbench.storage.location import LakeError, LakeUnreachable, Location
from skewbench.storage.records import Part, shown
from skewbench.storage.table import Table
from skewbench.storage.tables import TABLES

_AT_ONCE = 8
_UPSCALED = 4
"""A pipeline may scale images up: a stored image may have this many times the pixels that its sample asks for."""
_KINDS = (
    lambda kind: kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind),
    lambda kind: kinds.is_binary(kind) or kinds.is_large_binary(kind) or kinds.is_binary_view(kind),
    kinds.is_integer,
    kinds.is_floating,
    kinds.is_boolean,
)
"""Types that readers accept for each other, because writers choose different widths."""


def check_footers(place: Location, parts: Iterable[Part]) -> None:
    """Check that parts agree with their manifest and their tables. Reads only the end of each file.

    In a large lake in a folder, files that were checked before and have not changed since then are not read again.

    Args:
        place: The lake.
        parts: The parts.

    Raises:
        LakeError: A part is missing, is not a Parquet file, has another number of rows, lacks a column, or has a
            column of another type or with NULL where its table has none.
    """
    parts = list(parts)
    checked = CheckedParts(place)
    unchecked = checked.unchecked(parts)
    with ThreadPoolExecutor(_AT_ONCE) as several:
        for part, problem in zip(unchecked, several.map(lambda part: _problem(place, part), unchecked), strict=True):
            if problem:
                raise broken_part(part.path, problem)
    if unchecked:
        checked.remember()


def broken_part(path: str, problem: str) -> LakeError:
    """Make the error about a part that cannot be read.

    Args:
        path: The part, relative to the lake.
        problem: The fault, as the end of a sentence that begins with the path.
    """
    run_id = path.partition("run_id=")[2].partition("/")[0]
    repair = f"`skewbench verify {shown(run_id)} --repair` drops it, and the next `skewbench run` generates it again"
    return LakeError(f"{shown(path)} {problem}; {repair}")


def footer_problem(file: BinaryIO, part: Part) -> str | None:
    """Compare a part's footer with its entry in the manifest and with its table.

    Args:
        file: The part's file.
        part: The part, as it should be.

    Returns:
        The fault, as the end of a sentence that begins with the path; None if there is none.
    """
    try:
        footer = pq.read_metadata(file)
        found = footer.schema.to_arrow_schema()
    except FileNotFoundError:  # an object of a bucket is requested only when it is read
        raise
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # the disk's, not the content's
            raise
        return "is not a Parquet file"
    if footer.num_rows != part.rows:
        return f"has {footer.num_rows} rows, not {part.rows}"
    return next(_wrong_columns(TABLES[part.table], found, _without_nulls(footer)), None)


def largest_image(place: Location, parts: Iterable[Part]) -> int:
    """Compute the maximum number of pixels of a run's images.

    Args:
        place: The lake.
        parts: The run's parts. The parts of `samples` have the images' sizes; broken ones are ignored.

    Returns:
        The number of pixels.
    """
    most = 0
    for part in parts:
        if part.table == "samples":
            try:
                with place.open(part.path, part.bytes) as file:
                    most = max(most, _pixels(pq.read_metadata(file)))
            except LakeUnreachable:
                raise
            except (pa.ArrowException, OSError):
                continue
    return _UPSCALED * most


def _problem(place: Location, part: Part) -> str | None:
    try:
        with place.open(part.path, part.bytes) as file:
            return footer_problem(file, part)
    except FileNotFoundError:
        return "is missing"


def _wrong_columns(table: Table, found: pa.Schema, without_nulls: set[str]) -> Iterator[str]:
    for field in table.schema:
        if field.name in found.names:
            kind = found.field(found.names.index(field.name)).type
            if not _is_like(kind, field.type):
                yield f"has {shown(str(kind))} in its column {field.name}, not {field.type}"
            elif not field.nullable and field.name not in without_nulls:
                yield f"has NULL in its column {field.name}"
        elif field.name not in table.added:  # parts of an older version lack those
            yield f"has no column {field.name}"


def _is_like(found: pa.DataType, declared: pa.DataType) -> bool:
    if kinds.is_dictionary(found):
        found = found.value_type
    if _is_list(found) and _is_list(declared):
        return _is_like(found.value_type, declared.value_type)
    if kinds.is_struct(found) and kinds.is_struct(declared):
        names = {found.field(at).name for at in range(found.num_fields)}
        fields = [declared.field(at) for at in range(declared.num_fields)]
        return all(field.name in names and _is_like(found.field(field.name).type, field.type) for field in fields)
    return found == declared or kinds.is_null(found) or any(kind(found) and kind(declared) for kind in _KINDS)


def _is_list(kind: pa.DataType) -> bool:
    return bool(kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind))


def _without_nulls(footer: pq.FileMetaData) -> set[str]:
    """Columns that cannot be NULL, by the file's schema, or are not, by its statistics."""
    names = {footer.schema.column(at).path: at for at in range(footer.num_columns)}
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]

    def is_whole(at: int) -> bool:
        if footer.schema.column(at).max_definition_level == 0:
            return True
        statistics = [group.column(at).statistics for group in groups]
        return all(one is not None and one.has_null_count and one.null_count == 0 for one in statistics)

    return {name for name, at in names.items() if is_whole(at)}


def _pixels(footer: pq.FileMetaData) -> int:
    names = {footer.schema.column(at).path: at for at in range(footer.num_columns)}
    if not {"width", "height"} <= names.keys():
        return 0
    most = 0
    for number in range(footer.num_row_groups):
        sides = [footer.row_group(number).column(names[name]).statistics for name in ("width", "height")]
        if all(side is not None and side.has_min_max and isinstance(side.max, int) for side in sides):
            most = max(most, sides[0].max * sides[1].max)
    return most
