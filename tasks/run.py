"""A run, as its driver sees it: validated, planned, and brought from receipts to a manifest."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import duckdb
from pydantic import ValidationError

from skewbench.eval.scorers import stored_metrics
from skewbench.storage.attempts import counting, current
from skewbench.storage.commit import commit_manifest
from skewbench.storage.keys import GENERATION, FailedJob
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import check_not_removing, claim, manifest_path, now, plan_path, read_manifest
from skewbench.storage.receipts import Receipt
from skewbench.storage.records import Manifest, Part, Status
from skewbench.storage.state import RunState, parts_by_receipt, read_state, records_of
from skewbench.storage.store import Store, open_store
from skewbench.tasks.cells import cell_entry
from skewbench.tasks.checks import check_metrics
from skewbench.tasks.experiment import Experiment, WorkerSpec
from skewbench.tasks.identity import run_id, settings_that_decide, source_digest, versions
from skewbench.tasks.jobs import GenerateJob, Job, Needs, Outcome, ScoreJob
from skewbench.tasks.lora import with_digests
from skewbench.tasks.model_blocks import blocks_of
from skewbench.tasks.model_checks import check_on_model
from skewbench.tasks.models import ModelSource, family_of_source, pipeline_class, resolve_model, sample_size
from skewbench.tasks.plan import Shard, plan_shards
from skewbench.tasks.prompts import Prompt, load_prompts
from skewbench.tasks.reference import check_reference
from skewbench.tasks.refiner import with_refiners
from skewbench.tasks.scoring import jobs_left, with_metrics
from skewbench.tasks.setting import Setting
from skewbench.tasks.shared_steps import in_groups
from skewbench.tasks.shortfalls import shortfalls, to_retry
from skewbench.vocabulary.errors import InputError


@dataclass(frozen=True)
class Run:
    """A checked experiment with everything that follows from it. Nothing is written yet."""

    experiment: Experiment
    store: Store
    source: ModelSource
    setting: Setting
    shards: list[Shard]
    begun: Manifest | None
    """Its manifest if the run was started before, as read then; the driver claims it again."""

    @property
    def id(self) -> str:
        """The run's id."""
        return self.setting.run_id

    @property
    def prompts(self) -> list[Prompt]:
        """Its prompts, in order."""
        return list(dict.fromkeys(sample.prompt for shard in self.shards for sample in shard.samples))

    @property
    def needs(self) -> Needs:
        """The needs of a worker of this run."""
        experiment = self.experiment
        return Needs(self.store.lake, self.setting, self.source, experiment.generation.threads, experiment.workers.gpus)


def prepare(experiment: Experiment, lake: str, download: bool = False) -> Run:
    """Check an experiment against prompts, model, scorers and lake, and plan it. Writes nothing.

    Args:
        experiment: The experiment.
        lake: Folder or URL of the lake.
        download: Whether to download the weights of a hub model.

    Raises:
        InputError: The experiment cannot run.
    """
    experiment = with_refiners(with_digests(experiment), download)
    prompts = load_prompts(experiment.prompts)
    check_metrics(experiment.metrics, experiment.required)
    source = resolve_model(experiment.model, download)
    size = sample_size(source, experiment.generation)
    check_on_model(experiment, source, blocks_of(source))
    store = open_store(lake)
    store.check_writable()
    medium = family_of_source(source).medium
    check_reference(store, experiment.reference, experiment.name, medium)  # before anything is generated
    identity = run_id(experiment, prompts, source.revision, source_digest(experiment, pipeline_class(source)))
    begun = read_manifest(store, identity)
    # a resumed run keeps its shards, even if the experiment now has another shard size
    if begun:
        check_not_removing(begun)
    workers = workers_of(begun) if begun else experiment.workers
    setting = Setting(
        run_id=identity,
        model=experiment.model,
        revision=source.revision,
        generation=experiment.generation,
        measure=experiment.measure,
        size=size,
        batch=workers.batch,
        medium=medium,
        sharing=tuple(experiment.cells) if workers.share_steps else (),
    )
    shards = plan_shards(experiment, prompts, identity, size, workers.shard)
    return Run(experiment, store, source, setting, shards, begun)


def workers_of(manifest: Manifest) -> WorkerSpec:
    """Read the division and placement of a run's work.

    Raises:
        InputError: The manifest has values that no experiment may have.

    Args:
        manifest: The run's manifest.
    """
    try:
        return WorkerSpec.model_validate(manifest.experiment.get("workers", {}))
    except ValidationError as error:
        fault = error.errors()[0]
        raise InputError(f"{manifest_path(manifest.run_id)}: experiment.workers: {fault['msg']}") from None


def start(run: Run, lease: Lease) -> RunState:
    """Claim a run for this driver and read its receipts; a run without a manifest starts with status `running`.

    For a resumed run, the experiment's metrics are added to the known ones, and its `required` replaces the earlier
    list. Both are written at commit.

    Raises:
        RunError: Another driver has taken the lease over, or the run is being removed.

    Args:
        run: The run.
        lease: This driver's lease of it.
    """
    manifest = claim(run.store, lease, lambda: _first_manifest(run))
    run.store.put_new(plan_path(run.id), manifest.stored or b"")  # lakes of older versions have none
    metrics = list(dict.fromkeys((*manifest.experiment.get("metrics", []), *run.experiment.metrics)))
    required = run.experiment.model_dump(mode="json", include={"required", "max_unusable"})
    manifest = replace(manifest, experiment={**manifest.experiment, "metrics": metrics, **required})
    return read_state(run.store, with_metrics(manifest, run.experiment.metrics))


def _first_manifest(run: Run) -> Manifest:
    experiment = run.experiment
    decides: dict[str, Any] = {
        **settings_that_decide(experiment),
        "revision": run.setting.revision,
        "source": source_digest(experiment, pipeline_class(run.source)),
        "versions": versions(),
        "pipeline": pipeline_class(run.source),
        "medium": run.setting.medium,
    }
    return Manifest(
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
    )


def caught_up(run: Run, lease: Lease) -> RunState:
    """Run `start`, and commit if everything is generated but something is not committed.

    Args:
        run: The run.
        lease: This driver's lease of it.
    """
    state = start(run, lease)
    if not generation_left(run, state) and not _is_whole(run, state):
        commit(run, state, [])
    return state


def generation_left(run: Run, state: RunState) -> list[GenerateJob]:
    """Select the shards to generate: those without a receipt, and those to retry.

    A shard is retried if it has unusable samples, its cell has too many of them, and an earlier start ended the run.
    While a run has never ended there is no earlier attempt to replace: its readers see the parts of its receipts. A
    shard whose rows were merged with others by compaction is not retried.

    Args:
        run: The run.
        state: Its manifest and receipts.
    """
    attempts: dict[str, list[Receipt]] = defaultdict(list)
    for key, receipt in state.receipts.items():
        if key.kind == GENERATION:
            attempts[key.shard].append(receipt)
    plan = in_groups(run.shards, run.setting.sharing, run.setting.generation)
    jobs = [GenerateJob(shard, group=group) for group, shard in plan if shard.id not in attempts]
    if state.manifest.status == "running":
        return jobs
    merged = _merged(state.manifest)
    for shard in to_retry(run.shards, current(state.receipts), run.experiment.max_unusable):
        earlier = attempts[shard.id]
        if not any(part.path in merged for one in earlier for part in one.parts):
            jobs.append(GenerateJob(shard, retry=1 + max(one.key.retry for one in earlier)))
    return jobs


def _merged(manifest: Manifest) -> set[str]:
    """Return the paths of parts that compaction merged, and of its results: a repaired receipt may name the latter."""
    return {*manifest.replaced, *manifest.replaced.values()}


def scoring_left(run: Run, state: RunState) -> list[ScoreJob]:
    """Select the committed shards that some scorer has not scored yet.

    Args:
        run: The run.
        state: Its manifest and receipts.
    """
    cells = {shard.id: shard.cell.name for shard in run.shards}
    return jobs_left(run.store, state, run.experiment.metrics, cells, run.experiment.reference)


def commit(run: Run, state: RunState, outcomes: Iterable[Outcome]) -> Manifest:
    """Commit the parts of the receipts, and delete parts that the manifest does not name.

    Args:
        run: The run.
        state: Its state.
        outcomes: Outcomes of this start, whose failures the manifest lists.

    Returns:
        The manifest. Its status is `incomplete` while a shard has no receipt, a cell has too few usable images, or a
        required metric has no value in a cell.
    """
    receipts = current(state.survey(run.store).receipts)
    done = {key.shard for key in receipts if key.kind == GENERATION}
    of_cells = shortfalls(run.shards, receipts, run.experiment.max_unusable, _merged(state.manifest))
    of_metrics = [one for one in state.manifest.shortfalls if "metric" in one]  # until the values are looked at again
    state.manifest = replace(state.manifest, shortfalls=[*of_cells, *of_metrics])
    complete = all(shard.id in done for shard in run.shards) and not state.manifest.shortfalls
    short = {one["cell"] for one in of_cells}

    def is_missed(job: Job) -> bool:
        """Whether it matters that it failed: a cell may have enough images without another attempt at a shard."""
        return not isinstance(job, GenerateJob) or not job.retry or job.cell in short

    outcomes = [outcome for outcome in outcomes if outcome.receipt or is_missed(outcome.job)]
    return commit_receipts(run.store, state, outcomes, "committed" if complete else "incomplete")


def commit_receipts(
    store: Store, state: RunState, outcomes: Iterable[Outcome], status: Status, derived: Iterable[Part] = ()
) -> Manifest:
    """Write a manifest that names the parts of all receipts that count, and delete superfluous parts.

    Args:
        store: The lake.
        state: The run's state.
        outcomes: Outcomes of this start, whose failures the manifest lists.
        status: Status of the run.
        derived: New parts of `analysis` or `regressions`, which replace the table's older ones.

    Raises:
        RunError: Another driver has taken the run over. The lake is then left as that driver made it.
    """
    if state.files is None:
        state.survey(store)
    manifest = state.manifest
    receipts = counting(state.receipts)
    void = [receipt for key, receipt in state.receipts.items() if key not in receipts] + state.duplicates
    failed = [FailedJob(str(o.job.key), o.error or "", o.job.key) for o in outcomes if o.receipt is None]
    # shards that failed in an earlier start; this start only scored and did not retry them
    tried = {key.shard for key in (*receipts, *(one.key for one in failed if one.key)) if key.kind == GENERATION}
    failed += [
        one for one in manifest.failed_jobs if one.key and one.key.kind == GENERATION and one.key.shard not in tried
    ]
    derived = list(derived)
    dropped = {part.path for receipt in void for part in receipt.parts} - set(manifest.replaced.values())
    dropped -= {part.path for receipt in receipts.values() for part in receipt.parts}
    held = dict.fromkeys(part for parts in parts_by_receipt(manifest, receipts).values() for part in parts)
    # what no receipt vouches for stays too, until newer answers replace it
    kept = [part for part in manifest.parts if part.table not in {new.table for new in derived}]
    parts = (*(part for part in dict.fromkeys((*held, *kept)) if part.path not in dropped), *derived)
    named = replace(manifest, status=status, parts=parts, jobs=records_of(receipts, manifest), failed_jobs=failed)
    return commit_manifest(store, named, written=derived, void=void, state=state)


def _is_whole(run: Run, state: RunState) -> bool:
    """Return whether all is committed, and the cells have as many usable images as the experiment now asks for."""
    if state.manifest.status != "committed" or state.uncommitted():
        return False
    return not shortfalls(run.shards, current(state.receipts), run.experiment.max_unusable)


def missing_metrics(lake: duckdb.DuckDBPyConnection) -> list[dict[str, str]]:
    """List the metrics without a value in any row, each with the reason.

    Args:
        lake: A connection to the run's views.
    """
    rows = lake.execute(
        """SELECT metric, any_value(reason) FROM (SELECT metric, value, reason FROM scores UNION ALL
           SELECT metric, value, reason FROM group_scores) GROUP BY metric
           HAVING count(value) FILTER (isfinite(value)) = 0 ORDER BY metric"""
    ).fetchall()
    return [{"metric": metric, "reason": reason} for metric, reason in rows]


def is_finished(run: Run, state: RunState) -> bool:
    """Return whether everything is generated, scored and analysed.

    Args:
        run: The run.
        state: Its manifest and receipts.
    """
    if not _is_whole(run, state) or generation_left(run, state) or scoring_left(run, state):
        return False
    return any(part.table == "analysis" for part in state.manifest.parts)
