"""Selects the receipts that count if a job was done more than once.

A shard that is generated again gets a receipt of its own, numbered by `retry`, beside the one that it may replace: the
earlier attempt stays whole until the manifest names the later one. Pure functions of receipts, linear in their number.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from skewbench.storage.keys import GENERATION, RATINGS, SCORES, JobKey
from skewbench.storage.receipts import Receipt


def current(receipts: Mapping[JobKey, Receipt]) -> dict[JobKey, Receipt]:
    """Select the receipts of the attempts that count.

    Of several attempts at a shard the one with the most usable samples counts, and among equals the latest: trying
    again never makes a run worse. Scores count only if they were made from the attempts that count. Votes always
    count, because a seed gives the same image again.

    Args:
        receipts: All receipts of a run, by key.

    Returns:
        Those that count, by key.
    """
    made: dict[str, Receipt] = {}
    for key, receipt in receipts.items():
        if key.kind == GENERATION:
            held = made.setdefault(key.shard, receipt)
            made[key.shard] = max(held, receipt, key=lambda one: (one.counts.get("ok", 0), one.key.retry))
    retries = retries_of_cells(made.values())

    def counts(key: JobKey, receipt: Receipt) -> bool:
        if key.kind == GENERATION:
            return made[key.shard] is receipt
        if key.kind == RATINGS:
            return True
        # a shard that was never generated has no attempt to compare with
        attempt = made[key.shard].key.retry if key.shard in made else retries.get(key.cell, key.retry)
        return key.retry == attempt

    return {key: receipt for key, receipt in receipts.items() if counts(key, receipt)}


def counting(receipts: Mapping[JobKey, Receipt]) -> dict[JobKey, Receipt]:
    """Select the receipts that count, without NULLs that another receipt has values for.

    Args:
        receipts: All receipts of a run, by key.

    Returns:
        Those that count, by key.
    """
    attempts = current(receipts)
    scored = Scored(attempts)
    return {key: receipt for key, receipt in attempts.items() if not (key.missing and scored.has(key))}


class Scored:
    """The scores that have values.

    Args:
        keys: Keys of the receipts that count.
    """

    def __init__(self, keys: Iterable[JobKey]) -> None:
        valued = {key for key in keys if key.kind == SCORES and not key.missing}
        self._valued = valued | {replace(key, reference="") for key in valued if key.reference}

    def has(self, key: JobKey) -> bool:
        """Whether a job has values. Values against any reference replace NULLs for a missing reference.

        Args:
            key: The job, with or without values itself.
        """
        return replace(key, missing=False) in self._valued


def retries_of_cells(made: Iterable[Receipt]) -> Counter[str]:
    """Count how often shards of each cell were generated again. The count grows whenever one of them is replaced.

    Args:
        made: The receipts of generation that count.

    Returns:
        The sum of the shards' retries, by cell.
    """
    retries: Counter[str] = Counter()
    for receipt in made:
        if receipt.cell:
            retries[receipt.cell] += receipt.key.retry
    return retries


@dataclass(frozen=True)
class JobCounts:
    """The jobs of a run that are done.

    Args:
        generated: Shards that were generated, however often.
        scores: Receipts of scores.
        scored: Shards or cells with scores, by scorer: versions, attempts and references count once.
    """

    generated: int
    scores: int
    scored: int


def count_jobs(keys: Iterable[JobKey]) -> JobCounts:
    """Count the jobs that are done.

    Args:
        keys: Keys of a run's receipts.
    """
    keys = list(keys)
    scores = [key for key in keys if key.kind == SCORES]
    generated = {key.shard for key in keys if key.kind == GENERATION}
    return JobCounts(len(generated), len(scores), len({(key.shard, key.cell, key.scorer) for key in scores}))
