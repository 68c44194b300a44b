"""The runs of a lake, from its manifests: which parts a reader may see."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import duckdb

from skewbench.storage.place import LakeError, LakeUnreachable, LakeWarning, Place
from skewbench.storage.records import Manifest, Part, parse_receipt, shown
from skewbench.storage.scan import read_manifests
from skewbench.storage.schemas import TABLES

_BROKEN_PART = re.compile(r"\.parquet\b|Invalid unicode")
_OF_OURS = re.compile(r"(LakeError|LakeUnreachable|FileNotFoundError|OSError): (.*)")


def unreadable(error: Exception) -> LakeError:
    """What DuckDB says of a part that is gone or broken, with what to do about it."""
    return LakeError(f"a part that a manifest names cannot be read (verify the run to repair it): {error}")


def of_a_part(error: duckdb.Error) -> LakeError | None:
    """What a query failed of, where it was a part and not the query: DuckDB's error, or one of ours that it wraps."""
    ours = _OF_OURS.match(str(error))
    if ours and ours[1] == "LakeUnreachable":
        return LakeUnreachable(ours[2])
    broken = isinstance(error, duckdb.InvalidInputException) and _BROKEN_PART.search(str(error))
    nameless = type(error) is duckdb.Error  # what the Parquet reader throws has no class of its own
    if ours or broken or nameless or isinstance(error, duckdb.IOException):
        return unreadable(Exception(ours[2]) if ours else error)
    return None


@dataclass(frozen=True)
class Run:
    """One run as a reader sees it. `parts` holds the paths of each table's parts; `sizes` the bytes of each."""

    run_id: str
    name: str
    status: str  # running, committed, incomplete
    created: str
    baseline: str | None
    cells: list[dict[str, Any]]
    missing_metrics: list[dict[str, str]]
    metrics: list[dict[str, Any]]  # what it knows of its metrics; [] before manifests held it
    parts: dict[str, list[str]]
    sizes: dict[str, int]


def read_runs(place: Place, runs: str | Sequence[str] | None = None, include_running: bool = False) -> list[Run]:
    """The runs that a reader sees, oldest first.

    Without `runs`: every committed run, and with `include_running` the running and incomplete ones too; broken ones
    are left out with a `LakeWarning` each. A run that is named may be incomplete; a running one needs
    `include_running` even then.

    Raises:
        LakeError: no run, an unknown or broken run that was named, a running run that was not asked for.
    """
    lake = read_manifests(place)
    found = {run.run_id: run for run in lake.whole}
    broken = {run.run_id: run for run in lake.broken}
    names = [runs] if isinstance(runs, str) else None if runs is None else list(dict.fromkeys(runs))
    for name in names or ():
        if name in broken:
            raise LakeError(str(broken[name]))
    if names is None:
        for run in lake.broken:
            warnings.warn(f"left out: {run}", LakeWarning, stacklevel=4)
    if not found:
        readable = " that can be read" if broken else ""
        raise LakeError(f"lake {place.lake!r} holds no run{readable}")
    if names is None:
        seen = [run for run in found.values() if include_running or run.status == "committed"]
        if not seen:
            raise LakeError(f"lake {place.lake!r} holds no committed run; there are: {_listed(found)}")
        return [_run(place, manifest) for manifest in seen]
    if not names:
        raise LakeError(f"no run named; lake {place.lake!r} holds: {_listed(found)}")
    for name in names:
        if name not in found:
            near = get_close_matches(name, found, n=1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise LakeError(f"no run {name!r} in lake {place.lake!r}{meant}; there are: {_listed(found)}")
        if found[name].status == "running" and not include_running:
            raise LakeError(
                f"run {name!r} is not done: it is still running, or was stopped; `skewbench run` resumes it, "
                "and until it is done `skewbench report` shows what there is"
            )
    return [_run(place, found[name]) for name in names]


def _listed(found: Mapping[str, Manifest], most: int = 20) -> str:
    names = [run_id if run.status == "committed" else f"{run_id} ({run.status})" for run_id, run in found.items()]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _run(place: Place, manifest: Manifest) -> Run:
    listed = list(manifest.parts)
    if manifest.status == "running":  # its manifest names its parts at commit; until then its receipts do
        listed += _parts_of_receipts(place, manifest.run_id)
    parts: dict[str, list[str]] = {table: [] for table in TABLES}
    for part in dict.fromkeys(listed):
        parts[part.table].append(part.path)
    return Run(
        run_id=manifest.run_id,
        name=manifest.name,
        status=manifest.status,
        created=manifest.created,
        baseline=manifest.baseline,
        cells=manifest.cells,
        missing_metrics=manifest.missing_metrics,
        metrics=manifest.metrics,
        parts=parts,
        sizes={part.path: part.bytes for part in listed},
    )


def _parts_of_receipts(place: Place, run_id: str) -> list[Part]:
    paths = [path for path in place.list(f"_receipts/run_id={run_id}") if path.endswith(".json")]
    parts: list[Part] = []
    try:
        contents = place.read_all(paths)
    except OSError as error:
        raise LakeError(f"lake {place.lake!r} cannot be read: {error}") from error
    for path, content in zip(paths, contents, strict=True):
        try:
            parts += parse_receipt(path, content).parts
        except ValueError as error:
            warnings.warn(f"left out: {shown(path)} is no receipt: {error}", LakeWarning, stacklevel=6)
    return parts
