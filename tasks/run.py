"""A run, as its driver sees it: validated, planned, and brought from receipts to a manifest."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import duckdb
from pydantic import ValidationError

from skewbench.eval.scorers import stored_metrics
from skewbench.storage.attempts import current
from skewbench.storage.commit import commit_manifest
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import (
    DERIVED,
    Manifest,
    check_stays,
    claim,
    create_manifest,
    manifest_path,
    now,
    parts_by_receipt,
    plan_path,
    read_manifest,
    receipts_of,
)
from skewbench.storage.parts import COMPACTED, GENERATION, Part, Receipt, job_of, read_receipts
from skewbench.storage.records import Status
from skewbench.storage.store import Store, open_store
from skewbench.tasks.cells import cell_entry
from skewbench.tasks.checks import check_metrics
from skewbench.tasks.experiment import Experiment, WorkerSpec
from skewbench.tasks.identity import run_id, settings_that_decide, source_digest, versions
from skewbench.tasks.jobs import GenerateJob, Job, Needs, ScoreJob
from skewbench.tasks.model_blocks import blocks_of, check_blocks
from skewbench.tasks.models import ModelSource, image_size, pipeline_class, resolve_model
from skewbench.tasks.plan import Shard, plan_shards
from skewbench.tasks.pool import Outcome
from skewbench.tasks.prompts import load_prompts
from skewbench.tasks.reference import check_reference
from skewbench.tasks.scoring import counting, jobs_left, with_metrics
from skewbench.tasks.setting import Setting
from skewbench.tasks.shortfalls import shortfalls, to_retry
from skewbench.vocabulary.errors import InputError


@dataclass(frozen=True)
class Run:
    """An experiment that was found to be sound, with everything that follows from it. Nothing is written yet."""

    experiment: Experiment
    store: Store
    source: ModelSource
    setting: Setting
    shards: list[Shard]

    @property
    def id(self) -> str:
        """The run's id."""
        return self.setting.run_id

    @property
    def needs(self) -> Needs:
        """What a worker of this run needs."""
        experiment = self.experiment
        return Needs(self.store.lake, self.setting, self.source, experiment.generation.threads, experiment.workers.gpus)


def prepare(experiment: Experiment, lake: str, download: bool = False) -> Run:
    """Check an experiment against prompts, model, scorers and lake, and plan it. Raises `InputError`."""
    prompts = load_prompts(experiment.prompts)
    check_metrics(experiment.metrics, experiment.required)
    source = resolve_model(experiment.model, download)
    check_blocks(experiment, blocks_of(source))
    store = open_store(lake)
    store.check_writable()
    check_reference(store, experiment.reference, experiment.name)  # now, not when all is drawn
    identity = run_id(experiment, prompts, source.revision, source_digest(experiment, pipeline_class(source)))
    size = image_size(source, experiment.generation.width, experiment.generation.height)
    begun = read_manifest(store, identity)
    # a run that was begun keeps the shards it was begun with, whatever the experiment says of them now
    if begun:
        check_stays(begun)
    workers = workers_of(begun) if begun else experiment.workers
    setting = Setting(
        identity, experiment.model, source.revision, experiment.generation, experiment.measure, size, workers.batch
    )
    return Run(experiment, store, source, setting, plan_shards(experiment, prompts, identity, size, workers.shard))


def workers_of(manifest: Manifest) -> WorkerSpec:
    """How a run was cut and placed. Raises `InputError` for a manifest that says what no experiment may."""
    try:
        return WorkerSpec.model_validate(manifest.experiment.get("workers", {}))
    except ValidationError as error:
        fault = error.errors()[0]
        raise InputError(f"{manifest_path(manifest.run_id)}: experiment.workers: {fault['msg']}") from None


def begin(run: Run) -> Manifest:
    """The run's manifest; a new one, with status `running`, where there is none.

    To the metrics of one that was begun come those that the experiment has now, and what it requires now replaces what
    it required; they are written at commit.
    """
    begun = read_manifest(run.store, run.id)
    if begun:
        check_stays(begun)
        run.store.put_new(plan_path(run.id), begun.stored or b"")  # lakes of older versions have none
        metrics = list(dict.fromkeys((*begun.experiment.get("metrics", []), *run.experiment.metrics)))
        required = run.experiment.model_dump(mode="json", include={"required", "max_unusable"})
        manifest = replace(begun, experiment={**begun.experiment, "metrics": metrics, **required})
        return with_metrics(manifest, run.experiment.metrics)
    experiment = run.experiment
    decides: dict[str, Any] = {
        **settings_that_decide(experiment),
        "revision": run.setting.revision,
        "source": source_digest(experiment, pipeline_class(run.source)),
        "versions": versions(),
        "pipeline": pipeline_class(run.source),
    }
    return create_manifest(
        run.store,
        Manifest(
            run_id=run.id,
            name=experiment.name,
            status="running",
            created=now(),
            experiment=experiment.model_dump(mode="json"),
            identity=decides,
            cells=[cell_entry(cell, run.setting.generation, run.setting.size) for cell in experiment.cells],
            baseline=experiment.baseline,
            shards=len(run.shards),
            samples=sum(len(shard.samples) for shard in run.shards),
            metrics=stored_metrics(experiment.metrics),
        ),
    )


def generation_left(run: Run) -> list[GenerateJob]:
    """Select what is to be generated: shards without a receipt, and shards that are tried again.

    Tried again are, where an earlier start ended the run, shards with unusable samples, in cells that have too many of
    them. A run that never ended has no attempt to replace: its readers see what its receipts name. A shard whose rows
    compaction has merged with those of others stays as it is.
    """
    manifest, receipts = _known(run)
    done = {receipt.shard for receipt in receipts.values() if receipt.kind == GENERATION}
    jobs = [GenerateJob(shard) for shard in run.shards if shard.id not in done]
    if manifest and manifest.status != "running":
        for shard in to_retry(run.shards, current(receipts), run.experiment.max_unusable):
            attempts = [one for one in receipts.values() if one.kind == GENERATION and one.shard == shard.id]
            if not any(part.path in manifest.replaced for one in attempts for part in one.parts):
                jobs.append(GenerateJob(shard, retry=1 + max(one.retry for one in attempts)))
    return jobs


def scoring_left(run: Run) -> list[ScoreJob]:
    """Committed shards that some scorer has not scored yet."""
    cells = {shard.id: shard.cell.name for shard in run.shards}
    return jobs_left(run.store, begin(run), run.experiment.metrics, cells, run.experiment.reference)


def commit(run: Run, manifest: Manifest, outcomes: Iterable[Outcome]) -> Manifest:
    """Bring the manifest up to what receipts say, and delete parts that it does not name.

    `outcomes`: those of this start, of which the failed ones are named. The status is `incomplete` while a shard is
    without a receipt, a cell has too few usable images, or a required metric has no value in a cell.
    """
    receipts = current(receipts_of(run.store, manifest))
    done = {receipt.shard for receipt in receipts.values() if receipt.kind == GENERATION}
    of_cells = shortfalls(run.shards, receipts, run.experiment.max_unusable)
    of_metrics = [one for one in manifest.shortfalls if "metric" in one]  # until the values are looked at again
    manifest = replace(manifest, shortfalls=[*of_cells, *of_metrics])
    complete = all(shard.id in done for shard in run.shards) and not manifest.shortfalls
    short = {one["cell"] for one in of_cells}

    def is_missed(job: Job) -> bool:
        """Whether it matters that it failed: a cell may have enough images without another attempt at a shard."""
        return not isinstance(job, GenerateJob) or not job.retry or job.cell in short

    outcomes = [outcome for outcome in outcomes if outcome.receipt or is_missed(outcome.job)]
    return commit_receipts(run.store, manifest, outcomes, "committed" if complete else "incomplete")


def _known(run: Run) -> tuple[Manifest | None, dict[str, Receipt]]:
    """The run's manifest, if it has one, and its receipts by key."""
    manifest = read_manifest(run.store, run.id)
    return manifest, receipts_of(run.store, manifest) if manifest else read_receipts(run.store, run.id)


def commit_receipts(
    store: Store, manifest: Manifest, outcomes: Iterable[Outcome], status: Status, derived: Iterable[Part] = ()
) -> Manifest:
    """Write a manifest that names the parts of all receipts that count, and delete what it makes superfluous.

    `derived`: new parts of `analysis` or `regressions`, in place of the table's older ones. Raises `RunError` if
    another driver has taken the run over: it leaves the lake as that driver made it.
    """
    known = receipts_of(store, manifest)
    receipts = counting(known)
    void = [receipt for key, receipt in known.items() if key not in receipts]
    failed = [{"job": o.job.key, "error": o.error or ""} for o in outcomes if o.receipt is None]
    # shards that an earlier start set aside, and this one, which only scored, did not try
    tried = {f"{GENERATION}-{receipt.shard}" for receipt in receipts.values() if receipt.kind == GENERATION}
    tried |= {fault["job"] for fault in failed}
    earlier = [fault for fault in manifest.failed_jobs if fault["job"].startswith(f"{GENERATION}-")]
    failed += [fault for fault in earlier if {fault["job"], fault["job"].partition(".retry")[0]}.isdisjoint(tried)]
    derived = list(derived)
    kept = [part for part in manifest.parts if part.table in set(DERIVED) - {new.table for new in derived}]
    gone = {part.path for receipt in void for part in receipt.parts if job_of(part.path) != COMPACTED}
    held = dict.fromkeys(part for parts in parts_by_receipt(manifest, receipts).values() for part in parts)
    parts = (*(part for part in held if part.path not in gone), *kept, *derived)
    return commit_manifest(
        store, replace(manifest, status=status, parts=parts, failed_jobs=failed), wrote=derived, void=void
    )


def caught_up(run: Run, lease: Lease) -> Manifest:
    """The run's manifest, claimed for this driver; brought up to the receipts if all is generated but not committed.

    Raises `RunError` if the lease is another driver's by now, or the run is being removed.
    """
    begun = begin(run)
    manifest = replace(claim(run.store, lease), experiment=begun.experiment, metrics=begun.metrics)
    return manifest if generation_left(run) or _is_whole(run, manifest) else commit(run, manifest, [])


def _is_whole(run: Run, manifest: Manifest) -> bool:
    """Whether it is committed, and its cells have as many usable images as the experiment asks for now."""
    receipts = current(receipts_of(run.store, manifest))
    return manifest.status == "committed" and not shortfalls(run.shards, receipts, run.experiment.max_unusable)


def missing_metrics(lake: duckdb.DuckDBPyConnection) -> list[dict[str, str]]:
    """Metrics that have no value in any row, with the reason."""
    rows = lake.execute(
        """SELECT metric, any_value(reason) FROM (SELECT metric, value, reason FROM scores UNION ALL
           SELECT metric, value, reason FROM group_scores) GROUP BY metric HAVING count(value) = 0 ORDER BY metric"""
    ).fetchall()
    return [{"metric": metric, "reason": reason} for metric, reason in rows]


def is_finished(run: Run) -> bool:
    """Whether there is nothing left to do: everything generated, scored and analysed."""
    manifest = read_manifest(run.store, run.id)
    if manifest is None or not _is_whole(run, manifest) or generation_left(run) or scoring_left(run):
        return False
    return any(part.table == "analysis" for part in manifest.parts)
