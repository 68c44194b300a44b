"""The runs of a lake, from its manifests: which parts a reader may see."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

from sql.schemas import TABLES


class LakeError(ValueError):
    """A lake, or a run of it, that cannot be read. One line that names the value and what there is instead."""


def unreadable(error: Exception) -> LakeError:
    """What DuckDB says of a part that is gone or broken, with what to do about it."""
    return LakeError(f"a part that a manifest names cannot be read (verify the run to repair it): {error}")


@dataclass(frozen=True)
class Run:
    """One manifest. `parts` holds, for each table, the absolute paths of its parts."""

    run_id: str
    name: str
    status: str  # running, committed, incomplete
    created: str
    baseline: str | None
    cells: list[dict[str, Any]]
    missing_metrics: list[dict[str, str]]
    parts: dict[str, list[str]]


def locate(lake: str | Path) -> Path:
    """The lake's folder. All that a lake on an object store needs to know of its place goes through here.

    Raises:
        LakeError: no folder, or a URL (only local lakes are read).
    """
    if "://" in str(lake):
        raise LakeError(f"lake {str(lake)!r}: only a local folder can be read")
    folder = Path(lake).expanduser().resolve()
    if not folder.is_dir():
        raise LakeError(f"lake {str(lake)!r}: no such folder")
    return folder


def read_runs(folder: Path, runs: str | Sequence[str] | None = None, include_running: bool = False) -> list[Run]:
    """The manifests of the runs that a reader sees, oldest first.

    Without `runs`: every committed run, and with `include_running` the running and incomplete ones too. A run that is
    named may be incomplete; a running one needs `include_running` even then.

    Raises:
        LakeError: no run, an unknown run, a running run that was not asked for, a broken manifest.
    """
    found = {run.run_id: run for run in _manifests(folder)}
    if not found:
        raise LakeError(f"lake {str(folder)!r} holds no run")
    if runs is None:
        seen = [run for run in found.values() if include_running or run.status == "committed"]
        if not seen:
            raise LakeError(f"lake {str(folder)!r} holds no committed run; there are: {_listed(found)}")
        return seen
    names = [runs] if isinstance(runs, str) else list(dict.fromkeys(runs))
    if not names:
        raise LakeError(f"no run named; lake {str(folder)!r} holds: {_listed(found)}")
    for name in names:
        if name not in found:
            near = get_close_matches(name, found, n=1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise LakeError(f"no run {name!r} in lake {str(folder)!r}{meant}; there are: {_listed(found)}")
        if found[name].status == "running" and not include_running:
            raise LakeError(f"run {name!r} is still running; ask for running runs to see what it has so far")
    return [found[name] for name in names]


def _listed(found: dict[str, Run], most: int = 20) -> str:
    names = [run_id if run.status == "committed" else f"{run_id} ({run.status})" for run_id, run in found.items()]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _manifests(folder: Path) -> list[Run]:
    runs = [_manifest(folder, path) for path in sorted((folder / "_runs").glob("*.json"))]
    return sorted(runs, key=lambda run: (run.created, run.run_id))


def _manifest(folder: Path, path: Path) -> Run:
    content = _json(path)
    try:
        if content["run_id"] != path.stem:  # it names folders, and a lake may be somebody else's
            raise LakeError(f"manifest {str(path)!r}: it is that of run {content['run_id']!r}")
        listed = list(content["parts"])
        if content["status"] == "running":  # its manifest names its parts at commit; until then its receipts do
            for receipt in sorted((folder / "_receipts" / f"run_id={content['run_id']}").glob("*.json")):
                listed += _json(receipt)["parts"]
        parts: dict[str, list[str]] = {table: [] for table in TABLES}
        for table, part in dict.fromkeys(_paths(folder, listed)):
            parts.setdefault(table, []).append(part)
        return Run(
            run_id=content["run_id"],
            name=content["name"],
            status=content["status"],
            created=content["created"],
            baseline=content.get("baseline"),
            cells=content.get("cells", []),
            missing_metrics=content.get("missing_metrics", []),
            parts=parts,
        )
    except (KeyError, TypeError) as error:
        raise LakeError(f"manifest {str(path)!r}: {type(error).__name__}: {error}") from error


def _paths(folder: Path, listed: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for part in listed:
        relative = PurePosixPath(part["path"])
        if relative.is_absolute() or ".." in relative.parts:
            raise LakeError(f"part {part['path']!r} lies outside of lake {str(folder)!r}")
        yield part["table"], str(folder / relative)


def _json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LakeError(f"{str(path)!r} cannot be read: {error}") from error
    return content
