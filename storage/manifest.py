"""The manifest of a run: what readers believe. Written by the run's one driver, replaced atomically.

The fence: a manifest carries the bytes that it was read from, and replaces only those. A driver that was paused while
another took over holds bytes that are no longer there, so it can replace nothing, whatever any clock says.
"""

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from skewbench.storage.lease import Lease, taken_over
from skewbench.storage.records import Manifest, NewerSchemaError, manifest_content, parse_manifest, shown
from skewbench.storage.scan import Manifests, read_manifests
from skewbench.storage.store import Store
from skewbench.storage.tables import VERSION
from skewbench.vocabulary.errors import InputError, RunError

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
    stamped = replace(manifest, updated=now(), version=uuid.uuid4().hex, schema_version=VERSION, stored=None)
    path, content = manifest_path(manifest.run_id), manifest_content(stamped)
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


def claim(store: Store, lease: Lease, first: Callable[[], Manifest] | None = None) -> Manifest:
    """The manifest of a lease's run, written anew as this driver's: no driver before it can replace it any more.

    The lease is confirmed after the manifest was read. So a driver that is paused here, and late when it wakes, finds
    another manifest than it read.

    Args:
        store: The lake.
        lease: The run's lease, held by this driver.
        first: Makes the manifest of a run that has none yet.

    Raises:
        InputError: no such run, and no `first`; or a broken manifest.
        RunError: the lease is another driver's by now, or the run is being removed.
    """
    for _ in range(_CLAIMS):
        found = read_manifest(store, lease.run_id)
        if found is None and first is None:
            raise InputError(f"run {lease.run_id!r}: no such run; it has been removed")
        if found:
            check_stays(found)
        lease.confirm()
        try:
            if found:
                return write_manifest(store, found)
            if first:
                return create_manifest(store, first())
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
    except NewerSchemaError as error:
        raise InputError(f"{path} was {error}") from None
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
