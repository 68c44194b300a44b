"""The manifest of a run: what readers believe. Written by the run's one driver, replaced atomically."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from skewbench.storage.parts import Part, Receipt, parse_part
from skewbench.storage.schemas import TABLES, VERSION
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import InputError, RunError

LOOKS = 5
"""Times that the runs of a lake are listed anew, where one goes while they are read."""


@dataclass(frozen=True)
class Manifest:
    """One run. `status` is `running`, `committed` or `incomplete` (committed, with shards missing or shortfalls)."""

    run_id: str
    name: str
    status: str
    created: str
    experiment: dict[str, Any]
    identity: dict[str, Any]
    cells: list[dict[str, Any]]
    baseline: str | None
    shards: int
    samples: int
    updated: str = ""
    schema_version: int = VERSION
    parts: tuple[Part, ...] = ()
    failed_jobs: list[dict[str, str]] = field(default_factory=list)
    missing_metrics: list[dict[str, str]] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    """What the run knows of its metrics (`skewbench.vocabulary.metrics.stored`): its readers need no scorer for it."""
    replaced: dict[str, str] = field(default_factory=dict)
    """By compaction: path of a part that a receipt names -> path of the part that holds its rows now."""
    shortfalls: list[dict[str, str]] = field(default_factory=list)
    """Cells with too few usable images (`cell`, `reason`), or without any value of a required metric (`metric` too)."""


def manifest_path(run_id: str) -> str:
    """Where a run's manifest lies."""
    return f"_runs/{run_id}.json"


def report_path(run_id: str) -> str:
    """Where a run's report lies."""
    return f"_reports/{run_id}.html"


def now() -> str:
    """This moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_manifest(store: Store, manifest: Manifest) -> Manifest:
    """Replace a run's manifest."""
    stamped = replace(manifest, updated=now())
    store.put(manifest_path(manifest.run_id), json.dumps(asdict(stamped), indent=1).encode())
    return stamped


def read_manifest(store: Store, run_id: str) -> Manifest | None:
    """A run's manifest, or None. Raises `InputError` where the file is broken."""
    try:
        return _parse(run_id, store.read(manifest_path(run_id)))
    except FileNotFoundError:
        return None


def list_runs(store: Store) -> list[Manifest]:
    """All runs of a lake, oldest first."""
    for _ in range(LOOKS):
        paths = [path for path in store.list("_runs") if path.endswith(".json")]
        ids = [path.removeprefix("_runs/").removesuffix(".json") for path in paths]
        try:
            found = map(_parse, ids, store.read_all(paths))
        except FileNotFoundError:  # a run was removed meanwhile
            continue
        return sorted(found, key=lambda manifest: (manifest.created, manifest.run_id))
    raise RunError(f"lake {store.lake!r}: its runs are being removed; try again later")


def parts_by_receipt(manifest: Manifest, receipts: Mapping[str, Receipt]) -> dict[str, tuple[Part, ...]]:
    """For each receipt the parts that hold its rows now: as it names them, or as compaction merged them."""
    named = {part.path: part for part in manifest.parts}

    def now_in(part: Part) -> Part:
        return named.get(manifest.replaced.get(part.path, part.path), part)

    return {key: tuple(now_in(part) for part in receipt.parts) for key, receipt in receipts.items()}


def find_run(store: Store, given: str | None) -> Manifest:
    """A run by id, by a unique beginning of it, or, for None, the newest. Raises `InputError`."""
    runs = list_runs(store)
    if not runs:
        raise InputError(f"lake {store.lake!r}: no runs in it; `skewbench run demo` makes one")
    if given is None:
        return runs[-1]
    matching = [run for run in runs if run.run_id == given] or [run for run in runs if run.run_id.startswith(given)]
    if len(matching) == 1:
        return matching[0]
    known = ", ".join(run.run_id for run in runs[-8:])
    raise InputError(f"run {given!r}: {'matches several' if matching else 'no such run'}; there are {known}")


def delete_unnamed(store: Store, manifest: Manifest) -> list[str]:
    """Delete parts of the run that its manifest does not name: a plain glob over a committed run is right too."""
    named = {part.path for part in manifest.parts}
    unnamed = [
        path for table in TABLES for path in store.list(f"{table}/run_id={manifest.run_id}") if path not in named
    ]
    store.delete(*unnamed)
    return unnamed


def _parse(run_id: str, content: bytes) -> Manifest:
    try:
        fields = json.loads(content)
        parts = tuple(parse_part(part) for part in fields.pop("parts"))
        if fields["run_id"] != run_id:  # it names folders, and a lake may be somebody else's
            raise ValueError(f"it is that of run {fields['run_id']!r}")
        return Manifest(**fields, parts=parts)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{manifest_path(run_id)} is no manifest: {error}") from None
