"""Writes a run as a Hugging Face dataset folder: Parquet shards with files, scores and settings, and a card."""

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from skewbench import sql
from skewbench.storage.columns import FILE, shown_by_datasets
from skewbench.storage.parts import read_part
from skewbench.storage.records import Manifest, Part
from skewbench.storage.store import Store
from skewbench.storage.verify import reporting_broken_parts
from skewbench.tasks.exports.card import dataset_card
from skewbench.tasks.media import MEDIA, medium_of
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.user_paths import user_path

TARGET = 400 * 2**20
"""Approximate bytes of a shard."""
GROUP_SCORES = "group_scores/train-00000-of-00001.parquet"
"""The file of metrics of a prompt's images or of a cell."""


def export_dataset(store: Store, manifest: Manifest, given: str, target: int = TARGET) -> Path:
    """Write a run as a dataset folder. It appears whole or not at all.

    Args:
        store: The lake.
        manifest: The run's manifest.
        given: The folder to write, as the user named it; it must not exist, or be empty.
        target: Approximate bytes of files per shard.

    Returns:
        The folder.

    Raises:
        InputError: The folder holds something, or the run is still being generated.
        RunError: Parts of the run are broken.
    """
    folder = user_path(given, "folder").absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"folder {given!r}: exists already; name a new folder")
    if manifest.status not in ("committed", "incomplete"):
        raise InputError(f"run {manifest.run_id} is {manifest.status}; export it when it is committed")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    try:
        with (
            reporting_broken_parts(store, manifest),
            closing(sql.connect(store.lake, manifest.run_id, include_running=True)) as lake,
        ):
            _write(store, manifest, lake, partial, target)
        os.replace(partial, folder)  # onto an empty folder too
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _write(store: Store, manifest: Manifest, lake: duckdb.DuckDBPyConnection, folder: Path, target: int) -> None:
    medium = MEDIA[medium_of(manifest)]
    labels = _labels(lake)
    rows = {identity: row for row, identity in enumerate(labels.column("sample_id").to_pylist())}
    kind = json.loads(medium.table.metadata[b"huggingface"])["info"]["features"][medium.file]["_type"]
    schema = pa.schema([pa.field(medium.file, FILE), *labels.schema])
    schema = schema.with_metadata(shown_by_datasets(schema, **{medium.file: kind}))
    groups = list(_groups([part for part in manifest.parts if part.table == medium.table.name], target)) or [[]]
    (folder / "data").mkdir(parents=True)
    for number, group in enumerate(groups):
        path = folder / f"data/train-{number:05d}-of-{len(groups):05d}.parquet"
        with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=labels.column_names) as writer:
            for part in group:
                stored = read_part(store, part, ["sample_id", medium.file])
                order = [rows.pop(identity) for identity in stored.column("sample_id").to_pylist()]
                _write_rows(writer, stored.column(medium.file), labels.take(order), medium.table.row_group)
            if number == len(groups) - 1 and rows:  # samples without a file
                left = labels.take(list(rows.values()))
                _write_rows(writer, pa.nulls(left.num_rows, FILE), left, medium.table.row_group)
    sorted_groups = "SELECT * EXCLUDE (run_id) FROM group_scores ORDER BY cell, prompt_id, metric"
    of_groups = lake.execute(sorted_groups).to_arrow_table()
    if of_groups.num_rows:
        path = folder / GROUP_SCORES
        path.parent.mkdir()
        described = of_groups.replace_schema_metadata(shown_by_datasets(of_groups.schema))
        pq.write_table(described, path, compression="zstd")
    counts = lake.execute("SELECT cell, status, count(*) FROM samples GROUP BY ALL ORDER BY ALL").fetchall()
    card = dataset_card(manifest, counts, bool(of_groups.num_rows))
    (folder / "README.md").write_text(card, encoding="utf-8")


def _write_rows(writer: pq.ParquetWriter, files: Any, labels: pa.Table, row_group: int) -> None:
    writer.write_table(pa.table([files, *labels.columns], schema=writer.schema), row_group_size=row_group)


def _groups(parts: Sequence[Part], target: int) -> Iterator[list[Part]]:
    """Group parts up to the target each."""
    group, size = list[Part](), 0
    for part in parts:
        if group and size + part.bytes > target:
            yield group
            group, size = [], 0
        group.append(part)
        size += part.bytes
    if group:
        yield group


def _labels(lake: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return all columns of `samples` that have a value, and a column for each metric of a sample."""
    samples = lake.execute("SELECT * EXCLUDE (run_id) FROM samples ORDER BY cell, prompt_id, seed").to_arrow_table()
    empty = [name for name in samples.column_names if samples.column(name).null_count == samples.num_rows]
    samples = samples.drop_columns(empty)
    scores = lake.execute("SELECT sample_id, metric, value FROM scores WHERE value IS NOT NULL ORDER BY metric")
    values: dict[str, dict[str, float]] = {}
    for identity, metric, value in scores.fetchall():
        values.setdefault(metric, {})[identity] = value
    identities = samples.column("sample_id").to_pylist()
    for metric, of_metric in values.items():
        name = metric if metric not in samples.column_names else f"score_{metric}"
        samples = samples.append_column(name, pa.array([of_metric.get(one) for one in identities], pa.float64()))
    return samples
