"""Which scores of a run are left to make, and which receipts count. Reads the lake alone: no model, no prompts."""

from collections.abc import Iterable, Mapping

from skewbench.eval.scorers import Scorers, SetScorer
from skewbench.eval.scorers import names as scorer_names
from skewbench.eval.weights import missing
from skewbench.sql import connect
from skewbench.storage.manifest import Manifest, parts_by_receipt, receipts_of
from skewbench.storage.parts import Receipt
from skewbench.storage.store import Store
from skewbench.tasks.reference import NONE, find_reference
from skewbench.tasks.worker import ScoreJob
from skewbench.vocabulary.errors import InputError

_WITHOUT = ".missing"
"""End of the key of a receipt for rows that are NULL for want of weights: it gives way to one with values."""


def check_metrics(metrics: Iterable[str], required: Iterable[str] = ()) -> None:
    """Raises `InputError` for a scorer that does not exist, or that is required and lacks its weights."""
    for name in (*metrics, *required):
        if name not in scorer_names():
            raise InputError(f"metrics {name!r}: no such scorer; there are {', '.join(scorer_names())}")
    scorers = Scorers()
    for name in required:
        if reason := missing(scorers.get(name).needs):
            raise InputError(f"metric {name!r} is required: {reason}")


def lacking(metrics: Iterable[str]) -> tuple[str, ...]:
    """Those scorers of `metrics` whose weights or packages are not on this machine."""
    scorers = Scorers()
    return tuple(name for name in metrics if missing(scorers.get(name).needs))


def expand(metrics: Iterable[str]) -> tuple[str, ...]:
    """Names of scorers, each once; `all` stands for all that there are."""
    return tuple(dict.fromkeys(name for given in metrics for name in (scorer_names() if given == "all" else (given,))))


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

    `cells`: the cell of each shard, by shard. Scorers of a cell as a set wait until all of the run is committed.
    """
    receipts = receipts_of(store, manifest)
    made = {
        receipt.shard: receipt
        for receipt in receipts.values()
        if receipt.key.startswith("generation-") and receipt.shard in cells
    }
    held = parts_by_receipt(manifest, made)
    whole = {
        cell: tuple(dict.fromkeys(part for shard, parts in held.items() if cells[shard] == cell for part in parts))
        for cell in dict.fromkeys(cells[shard] for shard in held)
    }
    against = find_reference(store, reference) if reference else None
    jobs = []
    scorers = Scorers()
    for name in metrics:
        chosen = scorers.get(name)
        reason = missing(chosen.needs)
        if isinstance(chosen, SetScorer):
            units = {(f"cell.{cell}", cell): parts for cell, parts in whole.items() if manifest.status == "committed"}
            with_what, reason = against, reason if against else NONE
        else:
            units, with_what = {(shard, cells[shard]): parts for shard, parts in held.items()}, None
        for (unit, cell), parts in units.items():
            samples = tuple(part for part in parts if part.table == "samples")
            images = tuple(part for part in parts if part.table == "images")
            job = ScoreJob(manifest.run_id, unit, cell, name, chosen.version, samples, images, reason, with_what)
            jobs.append(job)
    return [job for job in jobs if not _is_there(job.key, receipts)]


def _is_there(key: str, receipts: Mapping[str, Receipt]) -> bool:
    """Whether a job has its receipt; for rows without values one of the same with values does too."""
    if key in receipts:
        return True
    with_values = key.removesuffix(_WITHOUT)
    return key.endswith(_WITHOUT) and any(_is_of(other, with_values) for other in receipts)


def _is_of(key: str, of: str) -> bool:
    """Whether a key is `of`, or `of` against some reference."""
    return not key.endswith(_WITHOUT) and (key == of or key.startswith(f"{of}-"))


def superseded(receipts: Mapping[str, Receipt]) -> list[Receipt]:
    """Receipts of rows without values that stood in for missing weights, and have been replaced since."""
    return [
        receipt
        for key, receipt in receipts.items()
        if key.endswith(_WITHOUT) and any(_is_of(other, key.removesuffix(_WITHOUT)) for other in receipts)
    ]
