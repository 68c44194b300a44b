"""Finds the cells of a run with too few usable images or without a required metric, and the shards to retry."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

import duckdb

from skewbench.eval.scorers import declaration
from skewbench.storage.attempts import count_jobs
from skewbench.storage.keys import GENERATION, JobKey
from skewbench.storage.receipts import Receipt
from skewbench.storage.records import Manifest
from skewbench.storage.state import RunState
from skewbench.tasks.plan import Shard
from skewbench.vocabulary.errors import IncompleteRunError

UNUSABLE = ("failed", "blank", "nonfinite")
"""Statuses of samples without a usable image."""
MOST_FAULTS = 3
"""Failed jobs that an error message names."""
_STUCK = (
    "; {} of its shards were compacted with others and cannot be generated again: raise max_unusable, or run the "
    "experiment again with another `repeat`"
)
RUN_AGAIN = "Run the same command again to retry."


def shortfalls(
    shards: Iterable[Shard], receipts: Mapping[JobKey, Receipt], allowed: float, merged: Collection[str] = ()
) -> list[dict[str, str]]:
    """Find the cells that have no usable image, or too many unusable samples.

    Args:
        shards: All shards of the run.
        receipts: The receipts that count, by key.
        allowed: Share of a cell's samples that may be unusable.
        merged: Paths of parts that compaction has merged into others. Shards of these cannot be generated again.

    Returns:
        `cell` and `reason` of each: how many samples of how many, by status, and the commonest error message.
    """
    made = _generated(receipts)
    planned: Counter[str] = Counter()
    by_cell: dict[str, list[Receipt]] = defaultdict(list)
    for shard in shards:
        planned[shard.cell.name] += len(shard.samples)
        if shard.id in made:
            by_cell[shard.cell.name].append(made[shard.id])
    found = []
    for cell, of_cell in by_cell.items():
        statuses = sum((Counter({name: one.counts.get(name, 0) for name in UNUSABLE}) for one in of_cell), Counter())
        unusable = statuses.total()
        if unusable and (unusable > allowed * planned[cell] or unusable == planned[cell]):
            kinds = ", ".join(f"{statuses[name]} {name}" for name in UNUSABLE if statuses[name])
            reasons = sum((Counter(one.reasons) for one in of_cell), Counter())
            commonest = f"; most common: {reasons.most_common(1)[0][0]}" if reasons else ""
            reason = f"{unusable} of {planned[cell]} samples have no usable image ({kinds}{commonest})"
            stuck = sum(_is_short(one) and any(part.path in merged for part in one.parts) for one in of_cell)
            found.append({"cell": cell, "reason": reason + (_STUCK.format(stuck) if stuck else "")})
    return found


def to_retry(shards: Iterable[Shard], receipts: Mapping[JobKey, Receipt], allowed: float) -> list[Shard]:
    """Select the shards with unusable samples, in cells that have too many of them.

    Args:
        shards: All shards of the run.
        receipts: The receipts that count.
        allowed: Largest share of unusable samples in a cell.
    """
    shards = list(shards)
    cells = {shortfall["cell"] for shortfall in shortfalls(shards, receipts, allowed)}
    made = _generated(receipts)
    return [shard for shard in shards if shard.cell.name in cells and shard.id in made and _is_short(made[shard.id])]


def _generated(receipts: Mapping[JobKey, Receipt]) -> dict[str, Receipt]:
    return {key.shard: receipt for key, receipt in receipts.items() if key.kind == GENERATION}


def _is_short(receipt: Receipt) -> bool:
    return any(receipt.counts.get(name) for name in UNUSABLE)


def is_generated(state: RunState) -> bool:
    """Return whether all images of a run exist: it is committed, or lacks only values of metrics.

    Args:
        state: The run's manifest and receipts.
    """
    manifest = state.manifest
    if manifest.status == "committed":
        return True
    of_metrics = bool(manifest.shortfalls) and all("metric" in one for one in manifest.shortfalls)
    return of_metrics and count_jobs(state.receipts).generated == manifest.shards


def without_required(lake: duckdb.DuckDBPyConnection, required: Iterable[str]) -> list[dict[str, str]]:
    """Find the cells in which a required scorer gives no value, of those that have usable images.

    Args:
        lake: Connection to the run's rows.
        required: Names of scorers.

    Returns:
        `cell`, `metric` (the scorer) and `reason` of each: the commonest reason.
    """
    cells = lake.execute("SELECT DISTINCT cell FROM samples WHERE status = 'ok' ORDER BY cell").fetchall()
    rows = lake.execute(
        """SELECT scorer, cell, count(value) FILTER (isfinite(value)), mode(reason) FILTER (value IS NULL)
           FROM (SELECT scorer, cell, value, reason FROM scores UNION ALL
                 SELECT scorer, cell, value, reason FROM group_scores)
           GROUP BY scorer, cell"""
    ).fetchall()
    found = {(scorer, cell): (values, reason) for scorer, cell, values, reason in rows}
    missing = []
    for cell in (cell for (cell,) in cells):
        for name in required:
            values, reason = found.get((name, cell), (0, "it was not scored"))
            if not values:
                why = f"the required metric {name} has no value (most common reason: {reason or 'unknown'})"
                missing.append(
                    {
                        "cell": cell,
                        "metric": name,
                        "reason": f"{why}; fix that, or remove it from required",
                    }
                )
    return missing


def raise_if_incomplete(manifest: Manifest, retry: str = RUN_AGAIN) -> None:
    """Check that a run is whole after a flow has worked on it.

    Args:
        manifest: The run's manifest.
        retry: What a person can do about failed jobs of a run that is committed.

    Raises:
        IncompleteRunError: shards are missing, jobs failed, or cells fall short.
    """
    if manifest.status == "committed" and not manifest.failed_jobs:
        return
    faults = [f"cell {shortfall['cell']}: {shortfall['reason']}" for shortfall in manifest.shortfalls]
    faults += [f"{fault.job}: {fault.error}" for fault in manifest.failed_jobs[:MOST_FAULTS]]
    if (more := len(manifest.failed_jobs) - MOST_FAULTS) > 0:
        faults.append(f"{more} more jobs failed")
    what = "\n  ".join(["", *faults]) if len(faults) > 1 else f" {faults[0] if faults else 'shards are missing'}"
    raise IncompleteRunError(f"run {manifest.run_id} is incomplete:{what}\n{retry}", manifest.run_id)


def raise_if_still_incomplete(manifest: Manifest) -> None:
    """Check a run after `score` or `analyse`, which cannot generate missing samples. Raises as `raise_if_incomplete`.

    Args:
        manifest: The run's manifest.
    """
    complete = "`skewbench run` with the run's experiment completes it."
    raise_if_incomplete(manifest, RUN_AGAIN if manifest.status == "committed" else complete)


def raise_unless_scored(manifest: Manifest, scorers: Iterable[str]) -> None:
    """Check a run after `score`: it is whole, and at least one of the requested metrics has a value.

    A metric without weights is only listed as missing if other metrics have values. If no other metric was requested,
    nothing was done.

    Args:
        manifest: The run's manifest, after its analysis.
        scorers: Names of the requested scorers.

    Raises:
        IncompleteRunError: As from `raise_if_still_incomplete`, or no requested metric has a value.
    """
    raise_if_still_incomplete(manifest)
    reasons = {missing["metric"]: missing["reason"] for missing in manifest.missing_metrics}
    requested = [metric for scorer in scorers for metric in declaration(scorer).metric_names]
    if requested and all(metric in reasons for metric in requested):
        by_reason: dict[str, list[str]] = defaultdict(list)
        for metric in requested:
            by_reason[reasons[metric]].append(metric)
        faults = [f"no {', '.join(metrics)}: {reason}" for reason, metrics in by_reason.items()]
        what = "\n  ".join([f"run {manifest.run_id} has no value of any requested metric:", *faults])
        raise IncompleteRunError(f"{what}\nFix that, then run the same command again.", manifest.run_id)
