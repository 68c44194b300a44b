"""Finds the missing scores of a run. Reads only the lake: no model, no prompts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from skewbench.eval.scorers import declaration, stored_metrics
from skewbench.sql import connect
from skewbench.storage.attempts import Scored, current, retries_of_cells
from skewbench.storage.keys import GENERATION, SCORES, JobKey
from skewbench.storage.records import Manifest, Part
from skewbench.storage.state import RunState, parts_by_receipt
from skewbench.storage.store import Store
from skewbench.tasks.jobs import ScoreJob
from skewbench.tasks.media import MEDIA, medium_of
from skewbench.tasks.reference import NONE, find_reference
from skewbench.tasks.shortfalls import is_generated
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.metrics import merged


def with_metrics(manifest: Manifest, scorers: Iterable[str]) -> Manifest:
    """Add the declarations of scorers' metrics to a manifest.

    Args:
        manifest: The manifest, with the metrics that it declares already.
        scorers: Names of scorers.
    """
    return replace(manifest, metrics=merged(manifest.metrics, stored_metrics(scorers)))


def left_of_run(store: Store, state: RunState, metrics: Iterable[str], reference: str | None = None) -> list[ScoreJob]:
    """Select the scoring that is left of a committed run.

    Args:
        store: The lake.
        state: The run's manifest and receipts.
        metrics: Names of scorers.
        reference: Images to compare with, as a person wrote it; None: there is no reference.

    Raises:
        InputError: The run is not committed yet.
    """
    run_id = state.manifest.run_id
    if state.manifest.status == "running":
        raise InputError(f"run {run_id} is not committed yet; `skewbench run EXPERIMENT` finishes it")
    cells = {key.shard: receipt.cell for key, receipt in state.receipts.items() if key.kind == GENERATION}
    if not all(cells.values()):  # receipts of older schemas may not tell their cell
        with connect(store.lake, run_id) as lake:
            cells |= dict(lake.execute("SELECT DISTINCT shard, cell FROM samples").fetchall())
    return jobs_left(store, state, metrics, {shard: cell for shard, cell in cells.items() if cell}, reference)


def jobs_left(
    store: Store,
    state: RunState,
    metrics: Iterable[str],
    cells: Mapping[str, str],
    reference: str | None = None,
) -> list[ScoreJob]:
    """Committed shards that some scorer has not scored, or not with the weights that are here now.

    Args:
        store: The lake.
        state: The run's state.
        metrics: Names of scorers.
        cells: The cell of each shard, by shard.
        reference: The set that cells are compared with.

    Returns:
        The jobs. Scorers of a cell as a set wait until all usable images are there.
    """
    receipts = current(state.receipts)
    scored = Scored(receipts)
    made = {
        key: replace(receipt, cell=cells[key.shard])
        for key, receipt in receipts.items()
        if key.kind == GENERATION and key.shard in cells
    }
    units = [
        (JobKey(SCORES, shard=key.shard, retry=key.retry), made[key].cell, parts)
        for key, parts in parts_by_receipt(state.manifest, made).items()
    ]
    whole: dict[str, list[Part]] = defaultdict(list)
    for _, cell, parts in units:
        whole[cell].extend(parts)
    retries = retries_of_cells(made.values())
    sets = [
        (JobKey(SCORES, cell=cell, retry=retries[cell]), cell, tuple(dict.fromkeys(parts)))
        for cell, parts in whole.items()
        if is_generated(state)
    ]
    medium = medium_of(state.manifest)
    against = find_reference(store, reference, medium) if reference else None
    jobs = []
    for name in metrics:
        chosen = declaration(name)
        of_cells = chosen.unit == "cell"
        reason = chosen.unfit(medium) or (NONE if of_cells and not against else chosen.missing())
        package = chosen.package
        with_what = against if of_cells else None
        against_key = with_what.key if with_what else ""
        for unit, cell, parts in sets if of_cells else units:
            given = (unit.shard, unit.cell, name, chosen.version, against_key, bool(reason), unit.retry, package)
            key = JobKey(SCORES, *given)
            if key in receipts or (key.missing and scored.has(key)):
                continue
            samples = tuple(part for part in parts if part.table == "samples")
            files = tuple(part for part in parts if part.table == MEDIA[chosen.medium].table.name)
            jobs.append(ScoreJob(state.manifest.run_id, key, cell, samples, files, reason, with_what))
    return jobs
