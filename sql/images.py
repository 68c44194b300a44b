"""Reads the images of some samples, without reading all images of the lake."""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skewbench.sql.manifests import read_runs, unreadable
from skewbench.storage.footers import broken_part, check_footers, largest_image
from skewbench.storage.location import LakeError, Location, locate
from skewbench.storage.png import BrokenImage, check_png
from skewbench.storage.records import shown


def encoded_images(lake: str | Path, run_id: str, sample_ids: Collection[str]) -> dict[str, bytes]:
    """Read the encoded images of some samples.

    To filter by id, SQL would read all images of every file that it cannot rule out. This reads the ids first, and then
    only the row groups that hold a requested sample.

    Args:
        lake: Folder or URL of the lake.
        run_id: The run of the samples; it may be running or incomplete.
        sample_ids: Ids of the samples.

    Returns:
        Encoded images by sample id. Samples without an image are left out.

    Raises:
        LakeError: No such run, a missing or broken part, or an image that is not a PNG of the run's size.
    """
    place = locate(lake)
    (run,) = read_runs(place, run_id, include_running=True)
    requested = pa.array(sorted(sample_ids), pa.string())
    images = [part for part in run.listed if part.table == "images"]
    check_footers(place, images)
    pixels = largest_image(place, run.listed)
    found: dict[str, bytes] = {}
    for path in (part.path for part in images):
        if len(found) == len(requested):
            break
        try:
            here = _of_part(place, path, requested)
        except LakeError:
            raise
        except (OSError, pa.ArrowException) as error:
            raise unreadable(error) from error
        for sample_id, content in here.items():
            try:
                check_png(content, pixels)
            except BrokenImage as error:
                raise broken_part(path, f"has an image that {error} (sample {shown(sample_id)})") from None
        found |= here
    return found


def _of_part(place: Location, path: str, requested: pa.Array) -> dict[str, bytes]:
    found: dict[str, dict[str, bytes | None] | None] = {}
    with place.open(path) as content, pq.ParquetFile(content) as file:
        for group in range(file.num_row_groups):
            ids = file.read_row_group(group, columns=["sample_id"])["sample_id"]
            here = pc.is_in(ids, value_set=requested)
            if pc.any(here).as_py():
                images = file.read_row_group(group, columns=["image.bytes"])["image"].filter(here)
                found |= dict(zip(ids.filter(here).to_pylist(), images.to_pylist(), strict=True))
    contents = {sample_id: image["bytes"] for sample_id, image in found.items() if image}
    return {sample_id: content for sample_id, content in contents.items() if content is not None}
