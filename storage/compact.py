"""Many small parts -> few large ones, sorted: readers then open one file where there were hundreds.

Large files are written first, then the manifest is replaced, then what was merged is deleted: killed anywhere, all rows
are readable, and the same command finishes the work. A compaction that is late, since another driver took the run over,
replaces nothing, and deletes only what it wrote itself.
"""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from skewbench.storage.commit import commit_manifest
from skewbench.storage.parts import new_attempt, read_part, write_part
from skewbench.storage.records import Manifest, Part
from skewbench.storage.store import Store
from skewbench.storage.tables import TABLES
from skewbench.vocabulary.errors import InputError

TARGET = 256 * 2**20
"""Bytes of small parts that are merged into one."""


def compact_run(store: Store, manifest: Manifest, target: int = TARGET) -> Manifest:
    """Merge a committed run's parts, table by table.

    Raises:
        InputError: the run is not committed.
        RunError: another driver has taken the run over.
    """
    if manifest.status != "committed":
        raise InputError(f"run {manifest.run_id} is {manifest.status}: only committed runs are compacted")
    parts, replaced, wrote = list(manifest.parts), dict(manifest.replaced), list[Part]()
    for table in TABLES:
        for group in _groups([part for part in manifest.parts if part.table == table], target):
            gone = {part.path for part in group}
            merged = _merge(store, manifest.run_id, group, [*gone, *(old for old in replaced if replaced[old] in gone)])
            wrote.append(merged)
            parts = [part for part in parts if part.path not in gone] + [merged]
            replaced = {old: merged.path if new in gone else new for old, new in replaced.items()}
            replaced |= dict.fromkeys(gone, merged.path)
    return commit_manifest(store, replace(manifest, parts=tuple(parts), replaced=replaced), wrote)


def _groups(parts: list[Part], target: int) -> Iterator[list[Part]]:
    """Parts that go together: in order, while they fit into the target; one by itself stays as it is."""
    group, size = list[Part](), 0
    for part in [*parts, None]:
        if part is None or size + part.bytes > target:
            if len(group) > 1:
                yield group
            group, size = [], 0
        if part is not None:
            group.append(part)
            size += part.bytes


def _merge(store: Store, run_id: str, group: list[Part], sources: list[str]) -> Part:
    table = TABLES[group[0].table]
    rows = pa.concat_tables([read_part(store, part) for part in group], promote_options="default")
    return write_part(store, table.name, run_id, "compacted", new_attempt(), table.completed(rows), sources)
