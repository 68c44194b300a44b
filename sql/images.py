"""Reads the files of some samples, such as their images, without reading all of the lake."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skewbench.sql.manifests import read_runs, unreadable
from skewbench.storage.footers import broken_part, check_footers, largest_image
from skewbench.storage.location import LakeError, Location, locate
from skewbench.storage.png import BrokenImage
from skewbench.storage.records import shown
from skewbench.storage.sample_files import check_files


def encoded_images(lake: str | Path, run_id: str, sample_ids: Collection[str]) -> dict[str, bytes]:
    """Read the encoded images of some samples, as `encoded_files` does.

    Args:
        lake: Folder or URL of the lake.
        run_id: The run of the samples.
        sample_ids: Ids of the samples.
    """
    found = encoded_files(lake, run_id, sample_ids, "images", ("image",))
    return {sample_id: row["image"] for sample_id, row in found.items()}


def encoded_files(
    lake: str | Path, run_id: str, sample_ids: Collection[str], table: str, columns: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Read files of some samples.

    To filter by id, SQL would read all images of every file that it cannot rule out. This reads the ids first, and then
    only the row groups that hold a requested sample.

    Args:
        lake: Folder or URL of the lake.
        run_id: The run of the samples; it may be running or incomplete.
        sample_ids: Ids of the samples.
        table: `images`, `audio` or `video`.
        columns: Columns of the table; of files, the contents are read.

    Returns:
        The columns by sample id. Samples without one of them are left out.

    Raises:
        LakeError: No such run, a missing or broken part, or a file that is not a PNG of the run's size.
    """
    place = locate(lake)
    (run,) = read_runs(place, run_id, include_running=True)
    requested = pa.array(sorted(sample_ids), pa.string())
    parts = [part for part in run.listed if part.table == table]
    check_footers(place, parts)
    pixels = largest_image(place, run.listed)
    found: dict[str, dict[str, Any]] = {}
    for path in (part.path for part in parts):
        if len(found) == len(requested):
            break
        try:
            here = _of_part(place, path, requested, columns)
        except LakeError:
            raise
        except (OSError, pa.ArrowException) as error:
            raise unreadable(error) from error
        for sample_id, row in here.items():
            try:
                check_files(row, pixels)
            except BrokenImage as error:
                raise broken_part(path, f"{error} (sample {shown(sample_id)})") from None
        found |= here
    return found


def _of_part(place: Location, path: str, requested: pa.Array, columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    with place.open(path) as content, pq.ParquetFile(content) as file:
        read = [f"{name}.bytes" if pa.types.is_struct(file.schema_arrow.field(name).type) else name for name in columns]
        for group in range(file.num_row_groups):
            ids = file.read_row_group(group, columns=["sample_id"])["sample_id"]
            here = pc.is_in(ids, value_set=requested)
            if pc.any(here).as_py():
                rows = file.read_row_group(group, columns=read).filter(here).to_pylist()
                found |= dict(zip(ids.filter(here).to_pylist(), map(_flat, rows), strict=True))
    return {sample_id: row for sample_id, row in found.items() if None not in row.values()}


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the contents of files in place of the files."""
    return {name: value["bytes"] if isinstance(value, dict) else value for name, value in row.items()}
