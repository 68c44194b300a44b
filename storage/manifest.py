"""The manifest of a run: what readers believe. Written by the run's one driver, replaced atomically.

The fence: a manifest carries the bytes that it was read from, and replaces only those. A driver that was paused while
another took over holds bytes that are no longer there, so it can replace nothing, whatever any clock says.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime

from skewbench.storage.lease import Lease, taken_over
from skewbench.storage.parts import COMPACTED, Part, Receipt, job_of, read_receipts
from skewbench.storage.records import Manifest, Status, parse_manifest, shown
from skewbench.storage.scan import Manifests, read_manifests
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import InputError, RunError

__all__ = [
    "DERIVED",
    "Manifest",
    "Manifests",
    "Status",
    "check_stays",
    "claim",
    "create_manifest",
    "find_any",
    "find_run",
    "list_runs",
    "manifest_path",
    "match_run",
    "now",
    "parts_by_receipt",
    "plan_path",
    "read_manifest",
    "receipts_of",
    "report_path",
    "scan_runs",
    "vouched",
    "write_manifest",
]
DERIVED = ("analysis", "regressions")
"""Tables that no receipt vouches for: their parts are written by the driver, and stay until newer ones replace them."""
_RETRY = re.compile(r"\.retry(\d+)(?=[-.]|$)")
_CLAIMS = 5
"""Times that a manifest is claimed again, where a late driver replaced it in the same moment."""


def manifest_path(run_id: str) -> str:
    """Where a run's manifest lies."""
    return f"_runs/{run_id}.json"


def plan_path(run_id: str) -> str:
    """Where the manifest lies as it was written first: what a broken one is rebuilt from."""
    return f"_plans/{run_id}.json"


def report_path(run_id: str) -> str:
    """Where a run's report lies."""
    return f"_reports/{run_id}.html"


def now() -> str:
    """This moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_manifest(store: Store, manifest: Manifest) -> Manifest:
    """Replace the manifest that this one was made from, or write it where there was none.

    `skewbench.storage.commit` also deletes what the new manifest no longer names.

    Raises:
        RunError: the lake holds another manifest than that: another driver took the run over. Nothing was written.
        InputError: what it holds is broken. Nothing was written.
    """
    stamped = replace(manifest, updated=now(), version=uuid.uuid4().hex, stored=None)
    fields = asdict(stamped)
    del fields["stored"]
    path, content = manifest_path(manifest.run_id), json.dumps(fields, indent=1).encode()
    first = manifest.stored is None
    if not (store.put_new(path, content) if first else store.swap(path, manifest.stored or b"", content)):
        read_manifest(store, manifest.run_id)
        raise taken_over(manifest.run_id)
    return replace(stamped, stored=content)


def create_manifest(store: Store, manifest: Manifest) -> Manifest:
    """Write a run's first manifest, and the same as its plan. Raises `RunError` where there is one already."""
    written = write_manifest(store, manifest)
    store.put(plan_path(manifest.run_id), written.stored or b"")
    return written


def claim(store: Store, lease: Lease) -> Manifest:
    """The manifest of a lease's run, written anew as this driver's: no driver before it can replace it any more.

    The lease is confirmed after the manifest was read. So a driver that is paused here, and late when it wakes, finds
    another manifest than it read.

    Raises:
        InputError: no such run, or a broken manifest.
        RunError: the lease is another driver's by now, or the run is being removed.
    """
    for _ in range(_CLAIMS):
        found = read_manifest(store, lease.run_id)
        if found is None:
            raise InputError(f"run {lease.run_id!r}: no such run; it has been removed")
        check_stays(found)
        lease.confirm()
        try:
            return write_manifest(store, found)
        except RunError:  # a driver that is late by now wrote between the two, for the last time
            continue
    raise taken_over(lease.run_id)


def check_stays(manifest: Manifest) -> None:
    """Raises `RunError` for a run of which a removal was begun."""
    if manifest.status == "removing":
        raise RunError(
            f"run {manifest.run_id} is being removed; `skewbench runs rm {manifest.run_id}` completes the removal"
        )


def read_manifest(store: Store, run_id: str) -> Manifest | None:
    """A run's manifest, or None. Raises `InputError` where the file is broken."""
    path = manifest_path(run_id)
    try:
        return parse_manifest(run_id, store.read(path))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise InputError(
            f"{path} is no manifest: {error}; `skewbench verify {run_id} --repair` rebuilds it, "
            f"`skewbench runs rm {run_id}` removes the run"
        ) from None


def scan_runs(store: Store) -> Manifests:
    """All runs of a lake, oldest first, with those that are broken and those that are being removed."""
    return read_manifests(store)


def list_runs(store: Store) -> list[Manifest]:
    """The runs of a lake whose manifests can be read, oldest first."""
    return scan_runs(store).whole


def find_run(store: Store, given: str | None) -> Manifest:
    """A run by id, by a unique beginning of it, or, for None, the newest. Raises `InputError`."""
    lake = scan_runs(store)
    found = {run.run_id: run for run in lake.whole}
    broken = {run.run_id: run for run in lake.broken}
    if given is None and found:
        return lake.whole[-1]
    if not found and not broken:
        raise InputError(f"lake {store.lake!r}: no runs in it; `skewbench run demo` makes one")
    if given is None:
        raise InputError("; ".join(str(run) for run in lake.broken))
    run_id = match_run(given, [*found, *broken])
    if run_id in broken:
        raise InputError(str(broken[run_id]))
    return found[run_id]


def find_any(store: Store, given: str | None) -> str:
    """The id of a run by its beginning, also of one that is broken or being removed; for None, of the newest, or of a
    broken one where there is no other. Raises `InputError`.
    """
    lake = scan_runs(store)
    if given is None:
        return lake.broken[0].run_id if lake.broken and not lake.whole else find_run(store, None).run_id
    readable = [run.run_id for run in (*lake.whole, *lake.removing)]
    return match_run(given, readable + [run.run_id for run in lake.broken])


def match_run(given: str, run_ids: list[str]) -> str:
    """The run id that is meant: that one, or the only one that begins so. Raises `InputError`."""
    matching = [run_id for run_id in run_ids if run_id == given] or [
        run_id for run_id in run_ids if run_id.startswith(given)
    ]
    if len(matching) == 1:
        return matching[0]
    known = ", ".join(map(shown, run_ids[-8:])) or "none"
    raise InputError(f"run {given!r}: {'matches several' if matching else 'no such run'}; there are {known}")


def parts_by_receipt(manifest: Manifest, receipts: Mapping[str, Receipt]) -> dict[str, tuple[Part, ...]]:
    """For each receipt the parts that hold its rows now: as it names them, or as compaction merged them."""
    named = {part.path: part for part in manifest.parts}

    def now_in(part: Part) -> Part:
        return named.get(manifest.replaced.get(part.path, part.path), part)

    return {key: tuple(now_in(part) for part in receipt.parts) for key, receipt in receipts.items()}


def receipts_of(store: Store, manifest: Manifest) -> dict[str, Receipt]:
    """All receipts of a run, by key. The manifest outranks them: the job of a part that it names has a receipt here,
    though its file is broken or gone.
    """
    return vouched(manifest) | read_receipts(store, manifest.run_id)


def vouched(manifest: Manifest) -> dict[str, Receipt]:
    """Receipts as the manifest alone would write them, for the jobs whose parts it names."""
    named = {part.path: part for part in manifest.parts}
    now_in = {path: part for path, part in named.items() if part.table not in DERIVED and job_of(path) != COMPACTED}
    now_in |= {old: named[new] for old, new in manifest.replaced.items() if new in named and job_of(old) != COMPACTED}
    jobs: dict[str, list[Part]] = {}
    for path, part in now_in.items():
        kind = "scores" if part.table in ("scores", "group_scores") else "generation"
        jobs.setdefault(f"{kind}-{job_of(path)}", []).append(part)
    shards = sorted({_attempt(key)[0] for key in jobs if key.startswith("generation-")})
    units = [*shards, *(f"cell.{cell['name']}" for cell in manifest.cells)]
    return {
        key: Receipt(key, manifest.run_id, _unit(key, units), tuple(parts), 0.0, _counts(parts), retry=_attempt(key)[1])
        for key, parts in jobs.items()
    }


def _unit(key: str, units: list[str]) -> str:
    """The shard, or the cell, that a job is of."""
    job = _attempt(key)[0]
    if key.startswith("generation-"):
        return job
    return max((unit for unit in units if job.startswith(f"{unit}-")), key=len, default=job)


def _attempt(key: str) -> tuple[str, int]:
    """The job of a receipt's key without its kind and without the attempt, and which attempt it is."""
    job = key.partition("-")[2]
    found = _RETRY.search(job)
    return (_RETRY.sub("", job), int(found[1])) if found else (job, 0)


def _counts(parts: list[Part]) -> dict[str, int]:
    return {part.table: part.rows for part in parts}
