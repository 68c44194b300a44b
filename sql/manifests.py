"""The runs of a lake, from its manifests: which parts a reader may see."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

import duckdb

from skewbench.storage.place import LakeError, LakeUnreachable, Place
from skewbench.storage.schemas import TABLES

_BROKEN_PART = re.compile(r"\.parquet\b|Invalid unicode")
_AT_ONCE = 256
"""Manifests that are in memory as text at a time."""
_ANSWERED = ("samples", "stability", "scores", "group_scores")
"""Tables that the named queries with intervals read."""
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
    """One manifest. `parts` holds the paths of each table's parts; `sizes` the bytes of each."""

    run_id: str
    name: str
    status: str  # running, committed, incomplete
    created: str
    baseline: str | None
    cells: list[dict[str, Any]]
    missing_metrics: list[dict[str, str]]
    parts: dict[str, list[str]]
    sizes: dict[str, int]
    parts_digest: str  # of the parts that answers are made of


def read_runs(place: Place, runs: str | Sequence[str] | None = None, include_running: bool = False) -> list[Run]:
    """The manifests of the runs that a reader sees, oldest first.

    Without `runs`: every committed run, and with `include_running` the running and incomplete ones too. A run that is
    named may be incomplete; a running one needs `include_running` even then.

    Raises:
        LakeError: no run, an unknown run, a running run that was not asked for, a broken manifest.
    """
    paths = {PurePosixPath(path).stem: path for path in place.list("_runs") if path.endswith(".json")}
    if not paths:
        raise LakeError(f"lake {place.lake!r} holds no run")
    if runs is None:
        seen = [run for run in _manifests(place, paths.values()) if include_running or run.status == "committed"]
        if not seen:
            raise LakeError(f"lake {place.lake!r} holds no committed run; there are: {_listed(place, paths)}")
        return seen
    names = [runs] if isinstance(runs, str) else list(dict.fromkeys(runs))
    if not names:
        raise LakeError(f"no run named; lake {place.lake!r} holds: {_listed(place, paths)}")
    for name in names:
        if name not in paths:
            near = get_close_matches(name, paths, n=1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise LakeError(f"no run {name!r} in lake {place.lake!r}{meant}; there are: {_listed(place, paths)}")
    found = {run.run_id: run for run in _manifests(place, [paths[name] for name in names])}
    for name in names:
        if found[name].status == "running" and not include_running:
            raise LakeError(
                f"run {name!r} is not done: it is still running, or was stopped; `skewbench run` goes on with it, "
                "and until it is done `skewbench report` shows what there is"
            )
    return [found[name] for name in names]


def _listed(place: Place, paths: Mapping[str, str], most: int = 20) -> str:
    """The runs of the lake for an error message, oldest first."""
    runs = _manifests(place, paths.values())
    names = [run.run_id if run.status == "committed" else f"{run.run_id} ({run.status})" for run in runs]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _manifests(place: Place, paths: Iterable[str]) -> list[Run]:
    """The runs of these manifests, oldest first. Of each no more is held at a time than a `Run` holds."""
    runs: list[Run] = []
    waiting = iter(paths)
    while batch := list(islice(waiting, _AT_ONCE)):
        runs += (_manifest(place, path, content) for path, content in zip(batch, _json(place, batch), strict=True))
    return sorted(runs, key=lambda run: (run.created, run.run_id))


def _manifest(place: Place, path: str, content: dict[str, Any]) -> Run:
    try:
        if content["run_id"] != PurePosixPath(path).stem:  # it names folders, and a lake may be somebody else's
            raise LakeError(f"manifest {place.address(path)!r}: it is that of run {content['run_id']!r}")
        listed = list(content["parts"])
        if content["status"] == "running":  # its manifest names its parts at commit; until then its receipts do
            receipts = [file for file in place.list(f"_receipts/run_id={content['run_id']}") if file.endswith(".json")]
            for receipt in _json(place, receipts):
                listed += receipt["parts"]
        parts: dict[str, list[str]] = {table: [] for table in TABLES}
        sizes: dict[str, int] = {}
        for table, part, size in dict.fromkeys(_parts(place, content["run_id"], listed)):
            parts.setdefault(table, []).append(part)
            sizes[part] = size
        return Run(
            run_id=content["run_id"],
            name=content["name"],
            status=content["status"],
            created=content["created"],
            baseline=content.get("baseline"),
            cells=content.get("cells", []),
            missing_metrics=content.get("missing_metrics", []),
            parts=parts,
            sizes=sizes,
            parts_digest=_digest(parts, content.get("replaced", {})),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise LakeError(f"manifest {place.address(path)!r}: {type(error).__name__}: {error}") from error


def _digest(parts: Mapping[str, list[str]], replaced: Mapping[str, str]) -> str:
    """A digest of the parts that answers are made of, by the names under which workers wrote them.

    Args:
        replaced: by compaction: path of a part that a worker wrote -> path of the part that holds its rows now.
    """
    merged = set(replaced.values())
    now = {path for table in _ANSWERED for path in parts[table]}
    written = [*(path for path in now if path not in merged), *(old for old, new in replaced.items() if new in now)]
    return sha256("\n".join(sorted(written)).encode()).hexdigest()[:32]


def _parts(place: Place, run_id: str, listed: list[dict[str, Any]]) -> Iterator[tuple[str, str, int]]:
    folder = f"run_id={run_id}"
    for part in listed:
        path = part["path"]
        pieces = path.split("/")
        if path.startswith("/") or ".." in pieces:
            raise LakeError(f"part {path!r} lies outside of lake {place.lake!r}")
        if len(pieces) < 2 or pieces[-2] != folder:  # views read the run from there
            raise LakeError(f"part {path!r} of run {run_id!r} does not lie in a folder {folder!r}")
        yield part["table"], path, part.get("bytes", 0)


def _json(place: Place, paths: list[str]) -> Iterator[dict[str, Any]]:
    try:
        contents = place.read_all(paths)
    except OSError as error:
        raise LakeError(f"lake {place.lake!r} cannot be read: {error}") from error
    return (_parsed(place, path, content) for path, content in zip(paths, contents, strict=True))


def _parsed(place: Place, path: str, content: bytes) -> dict[str, Any]:
    try:
        parsed: dict[str, Any] = json.loads(content)
    except ValueError as error:
        raise LakeError(f"{place.address(path)!r} cannot be read: {error}") from error
    return parsed
