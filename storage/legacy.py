"""Names of receipts and parts in lakes of schema 5 and older, which encode the job. No other module parses names.

A receipt was named `generation-<shard>[.retry<n>]` or `scores-<unit>-<scorer>.v<version>[.retry<n>][-<reference>]
[.missing]`, where a unit is a shard or `cell.<cell>`; a part `<the receipt's name without its kind>-<attempt>.parquet`.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import asdict, replace
from typing import Any

from skewbench.storage.keys import GENERATION, SCORES, TYPED, JobKey, JobRecord
from skewbench.storage.tables import TABLES

_COMPACTED = "compacted"
_GENERATED = re.compile(r"(?P<shard>.+?)(?:\.retry(?P<retry>\d+))?")
_SCORED = re.compile(
    r"(?P<scorer>[^-.]+)\.v(?P<version>\d+)(?:\.retry(?P<retry>\d+))?(?:-(?P<reference>[0-9a-f]{8}))?(?P<missing>\.missing)?"
)


def typed_key(name: str, shards: Collection[str], cells: Iterable[str]) -> JobKey | None:
    """Parse a receipt's old name.

    Args:
        name: The receipt's name without `.json`.
        shards: The known shards of the run. Their ids contain neither dots nor hyphens.
        cells: The run's cells. A name fits only one of them: a scorer's name contains neither dots nor hyphens.

    Returns:
        The key; None if the name is that of a score for an unknown shard or cell.
    """
    kind, _, job = name.partition("-")
    if kind == GENERATION and (found := _GENERATED.fullmatch(job)):
        return JobKey(GENERATION, shard=found["shard"], retry=int(found["retry"] or 0))
    if kind != SCORES:
        return None
    head = job.partition("-")[0]
    units = [(head, JobKey(SCORES, shard=head))] if head in shards else []
    units += [(f"cell.{cell}", JobKey(SCORES, cell=cell)) for cell in cells]
    for prefix, unit in units:
        if job.startswith(f"{prefix}-") and (found := _SCORED.fullmatch(job[len(prefix) + 1 :])):
            return replace(
                unit,
                scorer=found["scorer"],
                version=int(found["version"]),
                reference=found["reference"] or "",
                missing=bool(found["missing"]),
                retry=int(found["retry"] or 0),
            )
    return None


def typed_receipt(fields: dict[str, Any]) -> dict[str, Any]:
    """Convert the fields of an old receipt.

    Args:
        fields: As its file has them.

    Returns:
        Fields of a `Receipt`.

    Raises:
        ValueError: Its key is not a job's.
    """
    fields = dict(fields)
    name, unit, cell = str(fields.pop("key")), str(fields.pop("shard", "")), str(fields.get("cell", ""))
    retry = fields.pop("retry", 0)
    cells = [unit.removeprefix("cell.")] if unit == f"cell.{cell}" or (not cell and unit.startswith("cell.")) else []
    key = typed_key(name, () if cells else (unit,), cells)
    if key is None or key.retry != retry or (key.shard and key.shard != unit):
        raise ValueError("its key does not name a job")
    return {**fields, "key": asdict(key), "schema_version": TYPED - 1}


def typed_jobs(parts: Iterable[str], replaced: Iterable[str], cells: Iterable[str]) -> tuple[JobRecord, ...]:
    """Find the jobs of an old manifest by the names of its parts.

    Args:
        parts: Paths that it names.
        replaced: Paths that compaction has replaced.
        cells: Its cells.

    Returns:
        A record of each job.
    """
    names: dict[str, list[str]] = {}
    for path in (*parts, *replaced):
        if name := receipt_name(path):
            names.setdefault(name, []).append(path)
    generated = {name: typed_key(name, (), ()) for name in names if name.startswith(f"{GENERATION}-")}
    shards, cells = {key.shard for key in generated.values() if key}, list(cells)
    jobs = {}
    for name, paths in names.items():
        # the rows of an unknown job are kept; its key is that of no job to be done
        key = typed_key(name, shards, cells) or JobKey(SCORES, shard=name.partition("-")[2])
        jobs[key] = JobRecord(key, key.cell, tuple(paths))
    return tuple(jobs.values())


def receipt_name(path: str) -> str | None:
    """The old name of the receipt that names a part.

    Args:
        path: The part, relative to the lake.

    Returns:
        The name without `.json`; None for a part that the driver wrote.
    """
    table, _, file = path.partition("/")
    job = file.rpartition("/")[2].rpartition("-")[0]
    kind = TABLES[table].written_by
    return None if kind is None or job == _COMPACTED else f"{kind}-{job}"
