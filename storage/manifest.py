"""Reads and writes the manifest of a run, which readers rely on. The run's one driver replaces it atomically.

The fence: a manifest carries the bytes that it was read from, and replaces only those. A driver that was paused while
another took over holds outdated bytes, so it can replace nothing, whatever any clock says.
"""

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from skewbench.storage.kept_delta import follow
from skewbench.storage.lease import Lease, taken_over_error
from skewbench.storage.records import Manifest, NewerSchemaError, manifest_content, parse_manifest, shown
from skewbench.storage.scan import Manifests, read_manifests
from skewbench.storage.store import Store
from skewbench.storage.tables import VERSION
from skewbench.vocabulary.errors import InputError, RunError

_CLAIMS = 5
"""Times that a claim is attempted, if late drivers replace the manifest at the same moment."""


_LISTED = 8
"""Runs that an error message lists."""


def manifest_path(run_id: str) -> str:
    """Return the path of a run's manifest, relative to the lake.

    Args:
        run_id: The run.
    """
    return f"_runs/{run_id}.json"


def plan_path(run_id: str) -> str:
    """Return the path of a run's first manifest, relative to the lake. A broken manifest is rebuilt from it.

    Args:
        run_id: The run.
    """
    return f"_plans/{run_id}.json"


def report_path(run_id: str) -> str:
    """Return the path of a run's report, relative to the lake.

    Args:
        run_id: The run.
    """
    return f"_reports/{run_id}.html"


def now() -> str:
    """The current time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_manifest(store: Store, manifest: Manifest) -> Manifest:
    """Replace the manifest that this one was made from, or write the first one.

    `skewbench.storage.commit` also deletes what the new manifest no longer names. Delta logs that are kept up to date
    are updated here, so before that.

    Args:
        store: The lake.
        manifest: The new manifest. `stored` has the bytes to replace; None: it is the run's first manifest.

    Returns:
        The manifest as it was stored.

    Raises:
        RunError: The lake has another manifest, because another driver took the run over. Nothing was written.
        InputError: The manifest in the lake is broken. Nothing was written.
    """
    stamped = replace(manifest, updated=now(), version=uuid.uuid4().hex, schema_version=VERSION, stored=None)
    path, content = manifest_path(manifest.run_id), manifest_content(stamped)
    first = manifest.stored is None
    if not (store.put_new(path, content) if first else store.swap(path, manifest.stored or b"", content)):
        read_manifest(store, manifest.run_id)
        raise taken_over_error(manifest.run_id)
    follow(store, manifest.stored, stamped)
    return replace(stamped, stored=content)


def create_manifest(store: Store, manifest: Manifest) -> Manifest:
    """Write a run's first manifest, and a copy of it as the plan.

    Args:
        store: The lake.
        manifest: The manifest.

    Returns:
        The manifest as it was stored.

    Raises:
        RunError: The run has a manifest already.
    """
    written = write_manifest(store, manifest)
    store.put(plan_path(manifest.run_id), written.stored or b"")
    return written


def claim(store: Store, lease: Lease, first: Callable[[], Manifest] | None = None) -> Manifest:
    """Rewrite the manifest of a lease's run as this driver's, so that no earlier driver can replace it any more.

    The lease is confirmed after the manifest was read. So a driver that was paused in between, and is late when it
    resumes, finds another manifest than it read.

    Args:
        store: The lake.
        lease: The run's lease, held by this driver.
        first: Makes the manifest of a run that has none yet.

    Returns:
        The manifest as it was stored.

    Raises:
        InputError: No such run, and no `first`; or a broken manifest.
        RunError: Another driver has taken the lease, or the run is being removed.
    """
    for _ in range(_CLAIMS):
        found = read_manifest(store, lease.run_id)
        if found is None and first is None:
            raise InputError(f"run {lease.run_id!r}: no such run; it was removed")
        if found:
            check_not_removing(found)
        lease.confirm()
        try:
            if found:
                return write_manifest(store, found)
            if first:
                return create_manifest(store, first())
        except RunError:  # a late driver wrote in between, for the last time
            continue
    raise taken_over_error(lease.run_id)


def check_not_removing(manifest: Manifest) -> None:
    """Raise `RunError` if the removal of a run has begun.

    Args:
        manifest: The run's manifest.
    """
    if manifest.status == "removing":
        raise RunError(
            f"run {manifest.run_id} is being removed; `skewbench runs rm {manifest.run_id}` completes the removal"
        )


def read_manifest(store: Store, run_id: str) -> Manifest | None:
    """Read a run's manifest.

    Args:
        store: The lake.
        run_id: The run.

    Returns:
        The manifest, or None if there is none.

    Raises:
        InputError: The file is broken, or of a newer schema.
    """
    path = manifest_path(run_id)
    try:
        return parse_manifest(run_id, store.read(path))
    except FileNotFoundError:
        return None
    except NewerSchemaError as error:
        raise InputError(f"{path} was {error}") from None
    except ValueError as error:
        raise InputError(
            f"{path} is not a manifest: {error}; `skewbench verify {run_id} --repair` rebuilds it, "
            f"`skewbench runs rm {run_id}` removes the run"
        ) from None


def scan_runs(store: Store) -> Manifests:
    """Read all runs of a lake.

    Args:
        store: The lake.
    """
    return read_manifests(store)


def list_runs(store: Store) -> list[Manifest]:
    """Read the runs of a lake whose manifests are readable.

    Args:
        store: The lake.

    Returns:
        Their manifests, oldest first.
    """
    return scan_runs(store).whole


def find_run(store: Store, given: str | None) -> Manifest:
    """Find a run.

    Args:
        store: The lake.
        given: Its id, or a unique beginning of it; an experiment's name: its newest run; None: the newest run.

    Returns:
        Its manifest.

    Raises:
        InputError: No such run, several runs that begin so, or a broken manifest.
    """
    lake = scan_runs(store)
    found = {run.run_id: run for run in lake.whole}
    broken = {run.run_id: run for run in lake.broken}
    if given is None and found:
        return lake.whole[-1]
    if of_experiment := [run for run in lake.whole if run.name == given and given not in found]:
        return of_experiment[-1]
    if not found and not broken:
        raise InputError(f"lake {store.lake!r}: it has no runs; `skewbench run demo` creates one")
    if given is None:
        raise InputError("; ".join(str(run) for run in lake.broken))
    run_id = match_run(given, [*found, *broken])
    if run_id in broken:
        raise InputError(str(broken[run_id]))
    return found[run_id]


def find_any(store: Store, given: str | None) -> str:
    """Find the id of a run, also of one that is broken or being removed.

    Args:
        store: The lake.
        given: Its id, or a unique beginning of it; None: the newest run, or, if all are broken, one of these.

    Raises:
        InputError: No such run, or several runs that begin so.
    """
    lake = scan_runs(store)
    if given is None:
        return lake.broken[0].run_id if lake.broken and not lake.whole else find_run(store, None).run_id
    readable = [run.run_id for run in (*lake.whole, *lake.removing)]
    return match_run(given, readable + [run.run_id for run in lake.broken])


def match_run(given: str, run_ids: list[str]) -> str:
    """Choose the run id that is equal to a text, or the only one that begins with it.

    Args:
        given: The text.
        run_ids: The ids to choose from.

    Raises:
        InputError: No id begins so, or several do.
    """
    matching = [run_id for run_id in run_ids if run_id == given] or [
        run_id for run_id in run_ids if run_id.startswith(given)
    ]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise InputError(f"run {given!r}: {len(matching)} runs match: {_listed(matching)}")
    raise InputError(f"run {given!r}: no such run; there are {_listed(run_ids)}")


def _listed(run_ids: list[str]) -> str:
    """The newest of some runs, for an error message."""
    left_out = f" and {len(run_ids) - _LISTED} older ones" if len(run_ids) > _LISTED else ""
    return (", ".join(map(shown, run_ids[-_LISTED:])) or "none") + left_out
