"""Prompts and seeds -> samples and stability: what one worker does with one shard."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from skewbench.stability import Loop, Recorder, Trajectory, perturb
from skewbench.storage.columns import IDS, table_of_rows
from skewbench.storage.tables import TABLES
from skewbench.storage.tables.samples import SAMPLES
from skewbench.storage.tables.stability import STABILITY
from skewbench.tasks.applied import applied
from skewbench.tasks.cells import knob_columns, whole_setting
from skewbench.tasks.experiment import Knob
from skewbench.tasks.families.contract import request_of
from skewbench.tasks.families.registry import family_of
from skewbench.tasks.generation import GenerationSpec
from skewbench.tasks.identity import versions
from skewbench.tasks.media import MEDIA
from skewbench.tasks.plan import Sample, Shard
from skewbench.tasks.progress import report_samples
from skewbench.tasks.schedulers import give_seeds
from skewbench.tasks.setting import DEVICE_ERRORS, BrokenDeviceError, Setting
from skewbench.tasks.shared_steps import Trajectories
from skewbench.tasks.size import Size
from skewbench.vocabulary.texts import as_unicode

ENCODERS = 4
"""Threads that encode samples during the next batch, and those of the last batch at the end of a shard."""


@dataclass
class ShardRows:
    """Rows of a shard, gathered batch by batch. `batch`: the size of batch that memory was enough for."""

    samples: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, list[Future[dict[str, Any]]]] = field(default_factory=lambda: defaultdict(list))
    """Rows of encoded samples, by table."""
    stability: list[pa.Table] = field(default_factory=list)
    batch: int = 0

    def settle(self) -> None:
        """Wait for the samples that are still being encoded."""
        for rows in self.files.values():
            wait(rows)

    def tables(self) -> dict[str, pa.Table]:
        """One Arrow table per lake table, without empty ones. Waits for the last samples."""
        tables = {SAMPLES.name: SAMPLES.of_rows(self.samples)}
        for name, rows in self.files.items():
            tables[name] = TABLES[name].of_rows([row.result() for row in rows])
        if self.stability:
            tables[STABILITY.name] = STABILITY.sorted(pa.concat_tables(self.stability))
        return tables


def generate_shard(
    pipeline: Any,
    setting: Setting,
    shard: Shard,
    one_by_one: bool = False,
    given_up: Mapping[str, str] = MappingProxyType({}),
    batch: int | None = None,
    trajectories: Trajectories | None = None,
) -> ShardRows:
    """Generate and measure a shard's samples. If memory runs out, the batch is halved for the rest of the shard.

    Args:
        pipeline: The loaded pipeline.
        setting: What all samples of the run share.
        shard: The samples.
        one_by_one: Whether this is a try after repeated failures: a sample that raises then becomes a row with status
            `failed` and its error, and the others continue.
        given_up: Reasons by id of samples that are no longer tried.
        batch: Batch size that was found to fit into memory; None: that of the experiment.
        trajectories: Steps that were computed for other cells; None: each sample is generated from its first step.

    Returns:
        The shard's rows. If a knob depends on the batch, batches are not split, since their members affect the numbers.

    Raises:
        BrokenDeviceError: A sample left the device in an unknown state.
        RuntimeError: Memory is too small for the smallest batch.
    """
    fixed_batch = any(knob.depends_on_batch for knob in shard.cell.knobs)
    rows = ShardRows(batch=setting.batch if fixed_batch else 1 if one_by_one else batch or setting.batch)
    start = 0
    generation = setting.generation.overridden(shard.cell.generation)
    with _encoders() as encoders, applied(pipeline, generation):
        while start < len(shard.samples):
            some, began = shard.samples[start : start + rows.batch], time.perf_counter()
            try:
                if reason := given_up.get(some[0].sample_id):
                    rows.samples += _failed_rows(setting, shard, some, reason)
                else:
                    _add_batch(rows, pipeline, setting, shard, some, encoders, trajectories)
            except torch.OutOfMemoryError as error:
                if fixed_batch or len(some) == 1:
                    why = (
                        "cannot reduce it, because the knob depends on the batch"
                        if fixed_batch
                        else "cannot reduce it further"
                    )
                    raise RuntimeError(f"out of memory with batch size {len(some)}; {why}: {error}") from error
                rows.batch = len(some) // 2
                continue
            except Exception as error:
                if not one_by_one:
                    raise
                reason = f"{type(error).__name__}: {error}"
                if any(sign in str(error) for sign in DEVICE_ERRORS):
                    raise BrokenDeviceError([sample.sample_id for sample in some], reason) from None
                rows.samples += _failed_rows(setting, shard, some, reason)
            start += len(some)
            report_samples(shard.id, start, (time.perf_counter() - began) / len(some))
    return rows


@contextmanager
def _encoders() -> Iterator[ThreadPoolExecutor]:
    """Yield threads that encode samples. The caller waits for the last samples itself."""
    encoders = ThreadPoolExecutor(ENCODERS, "encoder")
    try:
        yield encoders
    finally:
        encoders.shutdown(wait=False)


def generate_batch(
    pipeline: Any,
    samples: Sequence[Sample],
    knob: Knob | Sequence[Knob],
    generation: GenerationSpec,
    size: Size,
    recorder: Recorder | None = None,
    trajectory: Trajectory | None = None,
) -> np.ndarray:
    """Generate some samples. Each sample has its own CPU generator for the noise.

    Args:
        pipeline: The loaded pipeline.
        samples: The samples of the batch.
        knob: The knob of their cell, or its knobs.
        generation: Generation settings of their cell. `applied` sets the pipeline's scheduler and adapters.
        size: Of each sample.
        recorder: Records the measures of the samples.
        trajectory: Steps that need no computation; None: all do.

    Returns:
        The samples as their family generates them, not rounded.
    """
    family = family_of(pipeline)
    prompts, noise_seeds = [sample.prompt.text for sample in samples], [sample.noise_seed for sample in samples]
    request = request_of(generation, prompts, noise_seeds, size)
    give_seeds(pipeline.scheduler, noise_seeds)
    calls = family.model_calls(pipeline, request)
    denoiser, kernel = getattr(pipeline, family.denoiser), generation.attention_kernel
    loop = Loop(pipeline.scheduler, family.calls) if family.calls else None
    given: dict[str, Any] = {"samples": len(samples), "steps": calls, "kernel": kernel, "loop": loop}
    given |= {"guidance": generation.guidance, "noise_seeds": request.noise_seeds}
    with perturb(denoiser, knob, recorder, trajectory=trajectory, **given):
        return family.generate(pipeline, request)


def _add_batch(
    rows: ShardRows,
    pipeline: Any,
    setting: Setting,
    shard: Shard,
    batch: Sequence[Sample],
    encoders: ThreadPoolExecutor,
    trajectories: Trajectories | None,
) -> None:
    """Generate a batch and hand its samples to the encoders, after these have finished the previous batch."""
    measure, device, medium = setting.measure, pipeline.device, MEDIA[setting.medium]
    recorder = Recorder(every=measure.every, detail=measure.detail, columns=measure.columns)
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    began = time.perf_counter()
    generation = setting.generation.overridden(shard.cell.generation)
    with _trajectory(trajectories, pipeline, shard, batch, generation, setting.size) as trajectory:
        made = generate_batch(pipeline, batch, shard.cell.knobs, generation, setting.size, recorder, trajectory)
    drawn: dict[str, Any] = {
        "shared_calls": trajectory.share if trajectory else 0.0,
        "seconds": (time.perf_counter() - began) / len(batch),
        "peak_memory": torch.cuda.max_memory_allocated(device) if on_gpu else None,
        "device": torch.cuda.get_device_name(device) if on_gpu else cpu_name(),
    }
    # everything that may fail comes first: a failed batch is generated again and must not leave half of its rows
    stability = _stability_rows(shard, batch, recorder.to_arrow())
    samples = [
        _sample_row(setting, shard, sample, *medium.judge(one), **drawn)
        for sample, one in zip(batch, made, strict=True)
    ]
    rows.settle()  # so that no more than one batch of samples waits, however slow encoding is
    rows.stability.append(stability)
    rows.samples += samples
    rows.files[medium.table.name] += [
        encoders.submit(_file_row, shard, sample, one, setting) for sample, one in zip(batch, made, strict=True)
    ]


@contextmanager
def _trajectory(
    trajectories: Trajectories | None,
    pipeline: Any,
    shard: Shard,
    batch: Sequence[Sample],
    generation: GenerationSpec,
    size: Size,
) -> Iterator[Trajectory | None]:
    if trajectories is None:
        yield None
        return
    request = request_of(generation, [one.prompt.text for one in batch], [one.noise_seed for one in batch], size)
    calls = family_of(pipeline).model_calls(pipeline, request)
    with trajectories.trajectory(shard.cell, tuple(one.pair_id for one in batch), calls) as trajectory:
        yield trajectory


def _file_row(shard: Shard, sample: Sample, made: np.ndarray, setting: Setting) -> dict[str, Any]:
    name = f"{shard.cell.name}-{sample.prompt.id}-{sample.seed}"
    return {**_ids(shard, sample), **MEDIA[setting.medium].columns(made, setting.size, name)}


def _failed_rows(setting: Setting, shard: Shard, batch: Sequence[Sample], reason: str) -> list[dict[str, Any]]:
    return [_sample_row(setting, shard, sample, status="failed", reason=as_unicode(reason)) for sample in batch]


def _ids(shard: Shard, sample: Sample) -> dict[str, Any]:
    return {
        "sample_id": sample.sample_id,
        "pair_id": sample.pair_id,
        "cell": shard.cell.name,
        "prompt_id": sample.prompt.id,
        "seed": sample.seed,
    }


def _sample_row(
    setting: Setting, shard: Shard, sample: Sample, status: str, reason: str | None, **measured: Any
) -> dict[str, Any]:
    whole = whole_setting(shard.cell, setting.generation, setting.size)
    return {
        **_ids(shard, sample),
        "noise_seed": sample.noise_seed,
        "prompt": sample.prompt.text,
        "prompt_category": sample.prompt.category,
        "prompt_challenge": sample.prompt.challenge,
        "shard": shard.id,
        **knob_columns(shard.cell),
        "setting": json.dumps(whole),
        "model": setting.model.id,
        "revision": setting.revision,
        "dtype": setting.model.dtype,
        "steps": whole["generation"]["steps"],
        "guidance": whole["generation"]["guidance"],
        "medium": setting.medium,
        **setting.size.known,
        **{f"{name}_version": number for name, number in versions().items()},
        "status": status,
        "reason": reason,
        **measured,
    }


def _stability_rows(shard: Shard, batch: Sequence[Sample], measured: pa.Table) -> pa.Table:
    """Return the recorder's rows with the ids of their samples."""
    ids = table_of_rows([_ids(shard, sample) for sample in batch], pa.schema(IDS))
    rows = ids.take(measured["sample"])
    for name in measured.column_names:
        if name != "sample":
            rows = rows.append_column(name, measured[name])
    return rows.select(STABILITY.schema.names).cast(STABILITY.schema)


@cache
def cpu_name() -> str:
    """Return the processor model, or `cpu` if the system does not reveal it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return "cpu"
