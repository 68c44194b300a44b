"""Images by sample: of a lake that may hold far more of them than anyone wants to read."""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skewbench.sql.manifests import read_runs, unreadable
from skewbench.storage.location import LakeError, Location, locate


def encoded_images(lake: str | Path, run_id: str, sample_ids: Collection[str]) -> dict[str, bytes]:
    """The encoded images of these samples; a sample without one is left out.

    SQL would read every image of a row group, and of each file that it cannot rule out, to filter by an id. Here the
    ids are read first, and then the row groups that hold one that is wanted.

    Raises:
        LakeError: no such run, or a part that is gone or broken.
    """
    place = locate(lake)
    (run,) = read_runs(place, run_id, include_running=True)
    wanted = pa.array(sorted(sample_ids), pa.string())
    found: dict[str, bytes] = {}
    for path in run.parts["images"]:
        if len(found) == len(wanted):
            break
        try:
            found |= _of_part(place, path, wanted)
        except LakeError:
            raise
        except (OSError, pa.ArrowException) as error:
            raise unreadable(error) from error
    return found


def _of_part(place: Location, path: str, wanted: pa.Array) -> dict[str, bytes]:
    found: dict[str, dict[str, bytes | None] | None] = {}
    with place.open(path) as content, pq.ParquetFile(content) as file:
        for group in range(file.num_row_groups):
            ids = file.read_row_group(group, columns=["sample_id"])["sample_id"]
            here = pc.is_in(ids, value_set=wanted)
            if pc.any(here).as_py():
                images = file.read_row_group(group, columns=["image.bytes"])["image"].filter(here)
                found |= dict(zip(ids.filter(here).to_pylist(), images.to_pylist(), strict=True))
    contents = {sample_id: image["bytes"] for sample_id, image in found.items() if image}
    return {sample_id: content for sample_id, content in contents.items() if content is not None}
