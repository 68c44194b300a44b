"""Merges many small parts into a few large, sorted ones, so that readers open one file instead of hundreds.

Large files are written first, then the manifest is replaced, then the small files are deleted. If a compaction is
killed anywhere, all rows stay readable, and the same command completes the work. If another driver has taken the run
over, it replaces nothing and deletes only the files that it wrote itself.
"""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from skewbench.storage.commit import commit_manifest
from skewbench.storage.footers import broken_part
from skewbench.storage.parts import new_attempt, read_part, write_part
from skewbench.storage.records import Manifest, Part
from skewbench.storage.store import Store
from skewbench.storage.tables import TABLES
from skewbench.storage.verify import fault_of
from skewbench.vocabulary.errors import InputError

TARGET = 256 * 2**20
"""Bytes of small parts that are merged into one."""


def compact_run(store: Store, manifest: Manifest, target: int = TARGET) -> Manifest:
    """Merge a committed run's parts, table by table.

    Args:
        store: The lake.
        manifest: The run's manifest.
        target: Bytes of small parts to merge into one.

    Returns:
        The new manifest.

    Raises:
        InputError: The run is not committed.
        LakeError: A part is missing or broken.
        RunError: Another driver has taken the run over.
    """
    if manifest.status != "committed":
        raise InputError(f"run {manifest.run_id} is {manifest.status}: only committed runs can be compacted")
    parts, replaced, written = list(manifest.parts), dict(manifest.replaced), list[Part]()
    for table in TABLES:
        for group in _groups([part for part in manifest.parts if part.table == table], target):
            small = {part.path for part in group}
            sources = [*small, *(old for old in replaced if replaced[old] in small)]
            merged = _merge(store, manifest.run_id, group, sources)
            written.append(merged)
            parts = [part for part in parts if part.path not in small] + [merged]
            replaced = {old: merged.path if new in small else new for old, new in replaced.items()}
            replaced |= dict.fromkeys(small, merged.path)
    return commit_manifest(store, replace(manifest, parts=tuple(parts), replaced=replaced), written)


def _groups(parts: list[Part], target: int) -> Iterator[list[Part]]:
    """Group parts to merge, in their order, up to the target size. A single part is not merged."""
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
    for part in group:  # the merged file gets a new hash, which would hide the damage
        if problem := fault_of(store, part):
            raise broken_part(part.path, problem)
    rows = pa.concat_tables([read_part(store, part) for part in group], promote_options="default")
    return write_part(store, table.name, run_id, "compacted", new_attempt(), table.completed(rows), sources)
