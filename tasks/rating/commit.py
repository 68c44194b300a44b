"""Commits votes, so that readers of the run see them."""

import time
from collections.abc import Callable
from dataclasses import replace

from skewbench.storage.commit import commit_manifest
from skewbench.storage.keys import RATINGS, JobKey
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import claim, read_manifest
from skewbench.storage.state import RunState, read_state, records_of
from skewbench.storage.store import Store
from skewbench.vocabulary.errors import RunError

PATIENCE = 5.0
"""Seconds to wait for another rater's commit, which takes a fraction of one."""


def commit_votes(store: Store, run_id: str, notify: Callable[[str], None]) -> str | None:
    """Commit all votes that are durable but not committed: of this process, of other raters, of killed sessions.

    Nothing else of the run changes: scores that a killed driver left are committed by the next driver.

    Args:
        store: The lake.
        run_id: The run.
        notify: Called with a line about each wait.

    Returns:
        None, or the reason why the votes are not committed yet: another process drives the run. Then the commit of that
        process, or the next call of this function, commits them.

    Raises:
        InputError: The run's manifest is broken.
        LakeError: The lake cannot be read or written.
    """
    until = time.monotonic() + PATIENCE
    while _has_uncommitted(store, run_id):
        try:
            with Lease(store, run_id, notify) as lease:
                _commit(store, read_state(store, claim(store, lease)))
        except RunError as error:
            if time.monotonic() > until:
                return str(error)
            time.sleep(0.2)
    return None


def _commit(store: Store, state: RunState) -> None:
    manifest = state.manifest
    new = {key: state.receipts[key] for key in _uncommitted(state)}
    parts = tuple(part for receipt in new.values() for part in receipt.parts)
    jobs = records_of(new, manifest)
    commit_manifest(
        store, replace(manifest, parts=(*manifest.parts, *parts), jobs=(*manifest.jobs, *jobs)), state=state
    )


def _uncommitted(state: RunState) -> list[JobKey]:
    return [key for key in state.uncommitted() if key.kind == RATINGS]


def _has_uncommitted(store: Store, run_id: str) -> bool:
    manifest = read_manifest(store, run_id)
    return manifest is not None and bool(_uncommitted(read_state(store, manifest)))
