"""Which scores of a run are left to make, and which receipts count. Reads the lake alone: no model, no prompts."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from skewbench.eval.scorers import declaration, stored_metrics
from skewbench.eval.weights import missing
from skewbench.sql import connect
from skewbench.storage.attempts import cell_unit, current, retry_of_cell
from skewbench.storage.manifest import Manifest, parts_by_receipt, receipts_of
from skewbench.storage.parts import GENERATION, Receipt
from skewbench.storage.store import Store
from skewbench.tasks.jobs import ScoreJob
from skewbench.tasks.reference import NONE, find_reference
from skewbench.tasks.shortfalls import is_generated
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.metrics import merged

_WITHOUT = ".missing"
"""End of the key of a receipt for rows that are NULL for want of weights: it gives way to one with values."""


def with_metrics(manifest: Manifest, scorers: Iterable[str]) -> Manifest:
    """The manifest with what is declared of the metrics of these scorers, beside those that it knew."""
    return replace(manifest, metrics=merged(manifest.metrics, stored_metrics(scorers)))


def left_of_run(
    store: Store, manifest: Manifest, metrics: Iterable[str], reference: str | None = None
) -> list[ScoreJob]:
    """What is left to score of a run that is in the lake. Raises `InputError` while it is being generated."""
    if manifest.status == "running":
        raise InputError(f"run {manifest.run_id} is not committed yet; `skewbench run EXPERIMENT` finishes it")
    with connect(store.lake, manifest.run_id) as lake:
        cells = dict(lake.execute("SELECT DISTINCT shard, cell FROM samples").fetchall())
    return jobs_left(store, manifest, metrics, cells, reference)


def jobs_left(
    store: Store,
    manifest: Manifest,
    metrics: Iterable[str],
    cells: Mapping[str, str],
    reference: str | None = None,
) -> list[ScoreJob]:
    """Committed shards that some scorer has not scored, or not with the weights that are here now.

    `cells`: the cell of each shard, by shard. Scorers of a cell as a set wait until all usable images are there.
    """
    receipts = current(receipts_of(store, manifest))
    made = {
        receipt.shard: receipt for receipt in receipts.values() if receipt.kind == GENERATION and receipt.shard in cells
    }
    generated = is_generated(store, manifest)
    held = parts_by_receipt(manifest, made)
    whole = {
        cell: tuple(dict.fromkeys(part for shard, parts in held.items() if cells[shard] == cell for part in parts))
        for cell in dict.fromkeys(cells[shard] for shard in held)
    }
    against = find_reference(store, reference) if reference else None
    jobs = []
    for name in metrics:
        chosen = declaration(name)
        reason = missing(chosen.needs)
        if chosen.unit == "cell":
            units = {(cell_unit(cell), cell): parts for cell, parts in whole.items() if generated}
            with_what, reason = against, reason if against else NONE
        else:
            units, with_what = {(shard, cells[shard]): parts for shard, parts in held.items()}, None
        for (unit, cell), parts in units.items():
            samples = tuple(part for part in parts if part.table == "samples")
            images = tuple(part for part in parts if part.table == "images")
            retry = made[unit].retry if unit in made else retry_of_cell(cell, made.values())
            jobs.append(
                ScoreJob(
                    manifest.run_id,
                    unit,
                    cell,
                    name,
                    chosen.version,
                    samples,
                    images,
                    reason,
                    with_what,
                    retry=retry,
                )
            )
    return [job for job in jobs if not _is_there(job.key, receipts)]


def _is_there(key: str, receipts: Mapping[str, Receipt]) -> bool:
    """Whether a job has its receipt; for rows without values one of the same with values does too."""
    return key in receipts or _is_replaced(key, receipts)


def _is_of(key: str, of: str) -> bool:
    """Whether a key is `of`, or `of` against some reference."""
    return not key.endswith(_WITHOUT) and (key == of or key.startswith(f"{of}-"))


def counting(receipts: Mapping[str, Receipt]) -> dict[str, Receipt]:
    """Select the receipts that count: of the attempts that count, and no NULLs that a later receipt has values for."""
    attempts = current(receipts)
    return {key: receipt for key, receipt in attempts.items() if not _is_replaced(key, attempts)}


def _is_replaced(key: str, receipts: Mapping[str, Receipt]) -> bool:
    return key.endswith(_WITHOUT) and any(_is_of(other, key.removesuffix(_WITHOUT)) for other in receipts)
