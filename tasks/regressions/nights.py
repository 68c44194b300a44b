"""Names, keeps and removes nights: the runs of an experiment whose `repeat` is a scheduled time."""

import logging
import re
from datetime import UTC, datetime

from skewbench.storage.baselines import scan_baselines
from skewbench.storage.manifest import scan_runs
from skewbench.storage.records import Manifest
from skewbench.storage.remove import remove_run
from skewbench.storage.store import Store
from skewbench.tasks.experiment import Experiment
from skewbench.vocabulary.errors import RunError

logger = logging.getLogger(__name__)

_FORM = "%Y-%m-%dT%H:%M:%SZ"
_NIGHT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def night_of(scheduled: datetime) -> str:
    """Format a scheduled time for `repeat`: to the second, in UTC.

    Args:
        scheduled: The time, with its zone.
    """
    return scheduled.astimezone(UTC).strftime(_FORM)


def as_night(experiment: Experiment, scheduled: datetime) -> Experiment:
    """Return the experiment of one night, which is a separate run even if nothing else has changed.

    Args:
        experiment: The nightly experiment.
        scheduled: The night's scheduled time, with its zone.
    """
    return experiment.model_copy(update={"repeat": night_of(scheduled)})


def is_night(run: Manifest) -> bool:
    """Return whether the nightly flow started a run.

    Args:
        run: The run's manifest.
    """
    return bool(_NIGHT.fullmatch(str(run.experiment.get("repeat", ""))))


def remove_old(store: Store, name: str, keep: int, tonight: str = "") -> list[str]:
    """Delete old nights of an experiment, and complete removals that were killed.

    Kept are the last `keep` committed nights, and up to `keep` uncommitted nights that are newer than the oldest of
    these. Runs that a baseline names, runs that another process works on, and `tonight` are always kept and do not
    count. Nothing is deleted while a baseline's file is broken, since it may name any of the nights.

    Args:
        store: The lake.
        name: Name of the experiment.
        keep: Number of nights to keep, at least 1.
        tonight: Id of the run of this night; empty: none.

    Returns:
        Ids of the deleted runs.
    """
    baselines, broken = scan_baselines(store)
    if broken:
        logger.warning("no old nightly run is removed: %s", broken[0])
        return []
    pinned = {baseline.run_id for baseline in baselines}
    lake = scan_runs(store)
    nights = [run for run in lake.whole if run.name == name and is_night(run) and run.run_id not in pinned]
    nights.sort(key=_night)
    committed = [run for run in nights if run.status == "committed"]
    kept = committed[-keep:]
    oldest = _night(kept[0]) if len(kept) == keep else ""
    unfinished = [run for run in nights if run.status != "committed" and _night(run) > oldest]
    stay = {run.run_id for run in (*kept, *unfinished[-keep:])}
    removed = []
    begun = [run for run in lake.removing if run.name == name and is_night(run)]
    for run in (*nights, *begun):
        if run.run_id in stay or run.run_id == tonight:
            continue
        try:
            remove_run(store, run.run_id)
        except RunError as error:
            logger.warning("%s stays: %s", run.run_id, error)
            continue
        removed.append(run.run_id)
    return removed


def _night(run: Manifest) -> str:
    return str(run.experiment["repeat"])
