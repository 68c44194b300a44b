"""Reads the files of some samples, such as their images, without reading all of the lake."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skewbench.sql.manifests import read_runs, unreadable
from skewbench.storage.footers import broken_part, check_footers, largest_image
from skewbench.storage.location import LakeError, locate
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
    """Read files of some samples at once. `SampleFiles` reads many times.

    Args:
        lake: As for `SampleFiles`, as are the next one, `table` and `columns`.
        run_id: The run of the samples.
        sample_ids: Ids of the samples.
        table: `images`, `audio` or `video`.
        columns: Columns of the table.

    Returns:
        As from `SampleFiles.read`, whose errors it raises.
    """
    return SampleFiles(lake, run_id, table, columns).read(sample_ids)


class SampleFiles:
    """Files of a run's samples, read a few at a time. The parts are checked once, when it is made.

    To filter by id, SQL would read all images of every file that it cannot rule out. This finds out first which row
    group holds which sample, once for each part that a request needs, and then reads only the row groups that hold a
    requested sample.

    Args:
        lake: Folder or URL of the lake.
        run_id: The run of the samples; it may be running or incomplete.
        table: `images`, `audio` or `video`.
        columns: Columns of the table; of files, the contents are read.

    Raises:
        LakeError: No such run, or a missing or broken part.
    """

    def __init__(self, lake: str | Path, run_id: str, table: str, columns: Sequence[str]) -> None:
        self._place, self._columns = locate(lake), columns
        (run,) = read_runs(self._place, run_id, include_running=True)
        parts = [part for part in run.listed if part.table == table]
        check_footers(self._place, parts)
        self._pixels = largest_image(self._place, run.listed)
        self._unread = [part.path for part in reversed(parts)]
        self._groups: dict[str, tuple[str, int]] = {}

    def read(self, sample_ids: Collection[str]) -> dict[str, dict[str, Any]]:
        """Read the files of some samples.

        Args:
            sample_ids: Ids of the samples.

        Returns:
            The columns by sample id. Samples without one of them are left out.

        Raises:
            LakeError: A part is missing or broken, or a file is not a PNG of the run's size.
        """
        groups: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        found: dict[str, dict[str, Any]] = {}
        try:
            for sample_id in sorted(sample_ids):
                if where := self._where(sample_id):
                    groups[where[0]][where[1]].append(sample_id)
            for path, of_part in groups.items():
                found |= self._of_part(path, of_part)
        except LakeError:
            raise
        except (OSError, pa.ArrowException) as error:
            raise unreadable(error) from error
        return found

    def _where(self, sample_id: str) -> tuple[str, int] | None:
        """The part and the row group that hold a sample."""
        while sample_id not in self._groups and self._unread:
            path = self._unread.pop()
            with self._place.open(path) as content, pq.ParquetFile(content) as file:
                for group in range(file.num_row_groups):
                    ids = file.read_row_group(group, columns=["sample_id"])["sample_id"].to_pylist()
                    self._groups.update(dict.fromkeys(ids, (path, group)))
        return self._groups.get(sample_id)

    def _of_part(self, path: str, groups: dict[int, list[str]]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        with self._place.open(path) as content, pq.ParquetFile(content) as file:
            kinds = {name: file.schema_arrow.field(name).type for name in self._columns}
            read = [f"{name}.bytes" if pa.types.is_struct(kind) else name for name, kind in kinds.items()]
            for group, sample_ids in groups.items():
                rows = file.read_row_group(group, columns=["sample_id", *read])
                rows = rows.filter(pc.is_in(rows["sample_id"], value_set=pa.array(sample_ids, pa.string())))
                found |= {row.pop("sample_id"): _flat(row) for row in rows.to_pylist()}
        whole = {sample_id: row for sample_id, row in found.items() if None not in row.values()}
        for sample_id, row in whole.items():
            try:
                check_files(row, self._pixels)
            except BrokenImage as error:
                raise broken_part(path, f"{error} (sample {shown(sample_id)})") from None
        return whole


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the contents of files in place of the files."""
    return {name: value["bytes"] if isinstance(value, dict) else value for name, value in row.items()}
