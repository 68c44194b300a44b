"""Which scores of a run are left to make, and which receipts count. Reads the lake alone: no model, no prompts."""

from collections.abc import Iterable, Mapping

from eval.scorers import Scorers
from eval.scorers import names as scorer_names
from eval.weights import missing
from sql import connect
from tasks.errors import InputError
from tasks.lake.manifest import Manifest, parts_of
from tasks.lake.parts import Receipt, read_receipts, receipt_path
from tasks.lake.store import LocalStore
from tasks.worker import ScoreJob

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


def expand(metrics: Iterable[str]) -> tuple[str, ...]:
    """Names of scorers, each once; `all` stands for all that there are."""
    return tuple(dict.fromkeys(name for given in metrics for name in (scorer_names() if given == "all" else (given,))))


def left_of_run(store: LocalStore, manifest: Manifest, metrics: Iterable[str]) -> list[ScoreJob]:
    """What is left to score of a run that is in the lake. Raises `InputError` while it is being generated."""
    if manifest.status == "running":
        raise InputError(f"run {manifest.run_id} is not committed yet; `skewbench run EXPERIMENT` finishes it")
    with connect(store.root, manifest.run_id) as lake:
        cells = dict(lake.execute("SELECT DISTINCT shard, cell FROM samples").fetchall())
    return jobs_left(store, manifest, metrics, cells)


def jobs_left(
    store: LocalStore, manifest: Manifest, metrics: Iterable[str], cells: Mapping[str, str]
) -> list[ScoreJob]:
    """Committed shards that some scorer has not scored, or not with the weights that are here now.

    `cells`: the cell of each shard, by shard.
    """
    receipts = read_receipts(store, manifest.run_id)
    made = [receipt for receipt in receipts.values() if receipt.key.startswith("generation-")]
    held = {receipt.shard: parts_of(manifest, [receipt]) for receipt in made}
    jobs = []
    scorers = Scorers()
    for name in metrics:
        chosen = scorers.get(name)
        reason = missing(chosen.needs)
        for shard, parts in held.items():
            samples = tuple(part for part in parts if part.table == "samples")
            images = tuple(part for part in parts if part.table == "images")
            jobs.append(ScoreJob(manifest.run_id, shard, cells[shard], name, chosen.version, samples, images, reason))
    return [job for job in jobs if job.key not in receipts and job.key.removesuffix(_WITHOUT) not in receipts]


def drop_superseded(store: LocalStore, receipts: dict[str, Receipt]) -> dict[str, Receipt]:
    """Receipts without those that stood in for missing weights and are replaced; these are deleted."""
    kept = {}
    for key, receipt in receipts.items():
        if key.endswith(_WITHOUT) and key.removesuffix(_WITHOUT) in receipts:
            store.delete(receipt_path(receipt.run_id, key))
        else:
            kept[key] = receipt
    return kept
