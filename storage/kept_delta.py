"""Keeps the Delta logs of a lake up to date, if somebody asked for it: each manifest that readers see updates them."""

import logging

from pydantic_core import from_json

from skewbench.storage.delta import FOLDER, check_delta, update_logs
from skewbench.storage.records import Manifest
from skewbench.storage.store import Store

MARK = f"{FOLDER}/kept.json"
"""The file whose existence says that the logs are kept up to date."""
logger = logging.getLogger(__name__)
_warned: dict[str, str] = {}
"""The last warning about each lake. A run changes its manifest several times; the same line once is enough."""


def keep_logs(store: Store, kept: bool) -> None:
    """Start or stop keeping the Delta logs of a lake up to date.

    Args:
        store: The lake.
        kept: Whether the logs are kept from now on.
    """
    if kept:
        store.put(MARK, b"{}")
    else:
        store.delete(MARK)


def is_kept(store: Store) -> bool:
    """Return whether the Delta logs of a lake are kept up to date.

    Args:
        store: The lake.
    """
    return "://" not in store.lake and store.exists(MARK)  # a request to a bucket would be in vain


def follow(store: Store, before: bytes | None, manifest: Manifest) -> None:
    """Update the Delta logs if they are kept. Called after a manifest was replaced, and before files are deleted.

    The manifest counts, and the logs only follow it. So an error does not fail the run: one line says what was wrong,
    and the next change of a committed run updates the logs as well.

    Args:
        store: The lake.
        before: The manifest that was replaced; None: it is the run's first.
        manifest: The new manifest. Only a change that readers see updates the logs.
    """
    if not is_kept(store) or not (manifest.status == "committed" or _was_committed(before)):
        return
    try:
        check_delta(store)
        update_logs(store)
        _warned.pop(store.lake, None)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        line = (
            f"the Delta logs of {store.lake} are out of date: {reason}; `skewbench export delta {store.lake}` updates "
            "them, with --no-keep they are no longer kept up to date"
        )
        if _warned.get(store.lake) != line:
            logger.warning("%s", line)
        _warned[store.lake] = line


def _was_committed(before: bytes | None) -> bool:
    try:
        return before is not None and from_json(before)["status"] == "committed"
    except (ValueError, KeyError, TypeError):  # a broken manifest that is rebuilt; what it was is unknown
        return True
