"""The runs of a lake, from its manifests: which parts a reader may see."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from typing import Any

import duckdb

from skewbench.storage.location import LakeError, LakeUnreachable, LakeWarning, Location
from skewbench.storage.receipts import parse_receipt
from skewbench.storage.records import Manifest, Part, shown
from skewbench.storage.scan import BrokenRun, iterate_manifests, manifest_paths, read_manifests, without_removals
from skewbench.storage.tables import TABLES
from skewbench.storage.tables.analysis import ANALYSIS

_BROKEN_PART = re.compile(r"\.parquet\b|Invalid unicode")
_OF_OURS = re.compile(r"(LakeError|LakeUnreachable|FileNotFoundError|OSError): (.*)")


def unreadable(error: Exception) -> LakeError:
    """Wrap an error about a missing or broken part in a `LakeError` that says how to repair the run.

    Args:
        error: The error, which names the part.
    """
    return LakeError(f"cannot read a part that a manifest names; run `skewbench verify RUN --repair`: {error}")


def part_error(error: duckdb.Error) -> LakeError | None:
    """Return the `LakeError` of a query that failed because of a part, or None if the query itself is at fault.

    Args:
        error: DuckDB's error, which may wrap one of ours.
    """
    ours = _OF_OURS.match(str(error))
    if ours and ours[1] == "LakeUnreachable":
        return LakeUnreachable(ours[2])
    broken = isinstance(error, duckdb.InvalidInputException) and _BROKEN_PART.search(str(error))
    nameless = type(error) is duckdb.Error  # the Parquet reader raises DuckDB's base class
    if ours or broken or nameless or isinstance(error, duckdb.IOException):
        return unreadable(Exception(ours[2]) if ours else error)
    return None


@dataclass(frozen=True)
class Run:
    """One run as a reader sees it.

    Args:
        status: `running`, `committed` or `incomplete`.
        metrics: Declarations of its metrics; empty for runs made before manifests held them.
        parts: Paths of the parts of each table.
        listed: The parts.
        parts_digest: Digest of the parts that named queries with intervals read.
    """

    run_id: str
    name: str
    status: str
    created: str
    baseline: str | None
    cells: list[dict[str, Any]]
    missing_metrics: list[dict[str, str]]
    metrics: list[dict[str, Any]]
    parts: dict[str, list[str]]
    listed: tuple[Part, ...]
    parts_digest: str


def read_runs(place: Location, runs: str | Sequence[str] | None = None, include_running: bool = False) -> list[Run]:
    """Read the runs of a lake from their manifests.

    Args:
        place: The lake.
        runs: Ids of runs, which may be incomplete; only their manifests are read. An experiment's name is its newest
            run. None: every committed run. Broken runs are then left out, each with a `LakeWarning`.
        include_running: Whether to return running runs, and, without `runs`, incomplete ones.

    Returns:
        The runs, oldest first; named runs in the given order.

    Raises:
        LakeError: No run, an unknown or broken run in `runs`, or a running run without `include_running`.
    """
    names = [runs] if isinstance(runs, str) else None if runs is None else list(dict.fromkeys(runs))
    return without_removals(place, lambda: _read_runs(place, names, include_running))


def _read_runs(place: Location, names: list[str] | None, include_running: bool) -> list[Run]:
    paths = manifest_paths(place)
    if not paths:
        raise LakeError(f"lake {place.lake!r} holds no run")
    if names is not None:
        return _named_runs(place, names, paths, include_running)
    seen: list[Run] = []
    broken = 0
    for run in iterate_manifests(place, paths.values()):
        if isinstance(run, BrokenRun):
            broken += 1
            warnings.warn(f"left out: {run}", LakeWarning, stacklevel=6)
        elif run.status == "committed" or (include_running and run.status != "removing"):
            seen.append(_run(place, run))
    if broken == len(paths):
        raise LakeError(f"lake {place.lake!r} has no readable run")
    if not seen:
        raise LakeError(f"lake {place.lake!r} has no committed run; its runs: {_listed(place)}")
    return sorted(seen, key=lambda run: (run.created, run.run_id))


def _named_runs(place: Location, names: list[str], paths: Mapping[str, str], include_running: bool) -> list[Run]:
    if not names:
        raise LakeError(f"name a run; lake {place.lake!r} holds: {_listed(place)}")
    ids = [name if name in paths else _newest_of(place, name, paths, include_running) for name in names]
    seen = []
    for run in iterate_manifests(place, [paths[run_id] for run_id in dict.fromkeys(ids)]):
        if isinstance(run, BrokenRun):
            raise LakeError(str(run))
        if run.status == "removing":
            raise LakeError(f"run {run.run_id!r} is being removed")
        if run.status == "running" and not include_running:
            raise LakeError(
                f"run {run.run_id!r} is incomplete: it is still running, or was stopped; `skewbench run` resumes it, "
                "and `skewbench report` reports the finished part"
            )
        seen.append(_run(place, run))
    return seen


def _newest_of(place: Location, name: str, paths: Mapping[str, str], include_running: bool) -> str:
    """The id of the newest run of an experiment; without `include_running`, of its committed runs, if it has any."""
    runs = [run for run in read_manifests(place).whole if run.name == name]
    if runs:
        usable = [run for run in runs if include_running or run.status == "committed"]
        return (usable or runs)[-1].run_id
    near = get_close_matches(name, paths, n=1)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    raise LakeError(f"no run {name!r} in lake {place.lake!r}{meant}; there are: {_listed(place)}")


def _listed(place: Location, most: int = 20) -> str:
    """The runs of the lake for an error message, oldest first."""
    runs = read_manifests(place)
    names = [run.run_id if run.status == "committed" else f"{run.run_id} ({run.status})" for run in runs.whole]
    names += [f"{shown(run.run_id)} (broken)" for run in runs.broken]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _run(place: Location, manifest: Manifest) -> Run:
    listed = list(manifest.parts)
    if manifest.status == "running":  # its manifest names its parts at commit; until then its receipts do
        listed += _parts_of_receipts(place, manifest.run_id)
    parts: dict[str, list[str]] = {table: [] for table in TABLES}
    distinct = tuple(dict.fromkeys(listed))
    for part in distinct:
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
        listed=distinct,
        parts_digest=_digest(parts, manifest.replaced),
    )


def _digest(parts: Mapping[str, list[str]], replaced: Mapping[str, str]) -> str:
    """Digest the parts that named queries with intervals read, by the paths under which workers wrote them.

    Args:
        parts: Paths of the parts of each table.
        replaced: From the path of a part that compaction replaced to the path of the part that now holds its rows.
    """
    merged = set(replaced.values())
    now = {path for table in ANALYSIS.derived_from for path in parts[table]}
    written = [*(path for path in now if path not in merged), *(old for old, new in replaced.items() if new in now)]
    return sha256("\n".join(sorted(written)).encode()).hexdigest()[:32]


def _parts_of_receipts(place: Location, run_id: str) -> list[Part]:
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
            warnings.warn(f"left out: {shown(path)} is not a receipt: {error}", LakeWarning, stacklevel=8)
    return parts
