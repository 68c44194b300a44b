"""The cost of writing the lake, relative to generating and measuring: `python -m tests.bench.lake`.

A shard of the bundled model's images is generated and measured alone. Then a worker does the rest of its job on these
images: it makes rows, checks the images and encodes them as PNG, writes Parquet with fsync, and writes the receipt.
(The difference between two whole jobs, one with this work and one without, is smaller than the spread of generation.)
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from skewbench.eval.scoring.images import encode, levels
from skewbench.stability import Recorder
from skewbench.storage.parts import write_part
from skewbench.storage.store import open_store
from skewbench.tasks.experiment import Cell, GenerationSpec, MeasureSpec, ModelSpec
from skewbench.tasks.generate import generate_batch, generate_shard
from skewbench.tasks.jobs import GenerateJob, Needs
from skewbench.tasks.models import resolve_model, sample_size
from skewbench.tasks.plan import Sample, Shard
from skewbench.tasks.prompts import Prompt
from skewbench.tasks.setting import Setting
from skewbench.tasks.worker import Worker
from tests.bench.rounds import Times, alternate, spread
from tests.bench.tables import arguments, show
from tests.bench.workloads import CAPTION

RUN = "bench-00000000"
NAMES = {"job": "all of a worker's job besides generating and measuring"}
JOBS = 5
"""Times that the job is done for each generation of the shard, which takes a hundred times as long."""
Generated = tuple[np.ndarray, Recorder]


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--model", type=Path, help="another folder in the hub's layout")
    parser.add_argument("--images", type=int, default=16, help="of the shard, in batches of 4")
    parser.add_argument("--steps", type=int, default=20)
    asked = parser.parse_args(argv)
    images, steps = (4, 1) if asked.tiny else (asked.images, asked.steps)
    spec = ModelSpec() if asked.model is None else ModelSpec(id=str(asked.model))
    source = resolve_model(spec)
    generation = GenerationSpec(steps=steps)
    size = sample_size(source, generation)
    setting = Setting(RUN, spec, source.revision, generation, MeasureSpec(), size, 4)
    shard = _shard(images)
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(Needs(folder, setting, source, asked.threads, 0.0))
        parts, sizes = _parts(worker, setting, shard, Path(folder), asked.rounds)
        generated = _generate(worker, setting, shard)
        generating = alternate(
            {"generating": lambda: _generate(worker, setting, shard)}, rounds=asked.rounds, warm=True
        )
        encoding = alternate({"encoding": lambda: _encode(worker, setting)}, rounds=max(asked.rounds, 3), warm=True)
        job = alternate({"job": lambda: _job(worker, shard, generated)}, rounds=JOBS * asked.rounds)
    alone = spread(generating["generating"].processor).median
    encoded = spread(encoding["encoding"].processor).median
    rows: list[list[Any]] = []
    for name, times in {**job, **parts}.items():
        took = spread(times.seconds)
        rate = f"{sizes[name] / 1e6 / took.median:.1f}" if name in sizes else ""
        rows.append([NAMES.get(name, name), took, rate, _percent([used / alone for used in times.processor])])
    show(
        "lake",
        f"Writing the lake: a shard of {images} images, {steps} steps, all blocks measured at every step",
        ["work", "seconds", "MB/s", "share of generating and measuring"],
        rows,
        device="cpu",
        notes=[
            f"Generating and measuring alone: {spread(generating['generating'].seconds)} s. Shares are of processor "
            "time. Writing to disk during the next batch counts where it uses the processor. The first row is a "
            "worker's whole job on given images and measures. The other rows are its largest parts, each by itself.",
            f"The text encoders take {spread(encoding['encoding'].seconds)} s a prompt, {encoded * images / alone:.2%} "
            "of generating and measuring if each image has its own call. A worker encodes each prompt once.",
        ],
        raw={**generating, **encoding, **job, "parts": parts, "bytes": sizes},
        out=asked.out,
    )


def _shard(images: int) -> Shard:
    cell = Cell.model_validate({"name": "baseline", "knob": {"kind": "vanilla"}})
    prompt = Prompt("p0", CAPTION)
    return Shard("bench", cell, tuple(Sample(f"{i:016x}", f"{i:016x}", prompt, i, i) for i in range(images)))


def _generate(worker: Worker, setting: Setting, shard: Shard) -> list[Generated]:
    """Generate a shard's batches: images, and a recorder with their measures."""
    generated = []
    for start in range(0, len(shard.samples), setting.batch):
        batch, recorder = shard.samples[start : start + setting.batch], Recorder()
        knob = shard.cell.knob
        pixels = generate_batch(worker._pipeline, batch, knob, setting.generation, setting.size, recorder)
        recorder.to_arrow()
        generated.append((pixels, recorder))
    return generated


def _encode(worker: Worker, setting: Setting) -> None:
    """Encode one prompt, as each image would without the worker's cache."""
    pipeline = worker._pipeline
    with torch.no_grad():
        pipeline.encode_prompt(
            CAPTION, device=pipeline.device, do_classifier_free_guidance=setting.generation.guidance > 1
        )


def _job(worker: Worker, shard: Shard, generated: list[Generated]) -> None:
    """Do all of a worker's job on a shard whose images and measures are given."""
    batches = iter(generated)

    def given(*arguments: Any) -> np.ndarray:
        pixels, recorder = next(batches)
        (asked,) = (argument for argument in arguments if isinstance(argument, Recorder))
        vars(asked).update(vars(recorder))
        return pixels

    worker._store.delete(f"_receipts/run_id={RUN}/generation-{shard.id}.json")
    with patch("skewbench.tasks.generate.generate_batch", given):
        worker.run(GenerateJob(shard))


def _parts(
    worker: Worker, setting: Setting, shard: Shard, folder: Path, rounds: int
) -> tuple[dict[str, Times], dict[str, int]]:
    """Time the encoding and the writing of each table by themselves, and return their bytes too."""
    first = shard.samples[: setting.batch]
    knob = shard.cell.knob
    pixels = generate_batch(worker._pipeline, first, knob, setting.generation, setting.size)
    images = [pixels[i % len(pixels)] for i in range(len(shard.samples))]
    tables = generate_shard(worker._pipeline, setting, shard).tables()
    store = open_store(folder)
    work: dict[str, Callable[[], int]] = {"PNG": lambda: sum(len(encode(levels(image))) for image in images)}
    for name, table in tables.items():
        work[f"Parquet: {name}"] = lambda name=name, table=table: (
            write_part(store, name, RUN, "parts", "0", table).bytes
        )
    sizes = {name: each() for name, each in work.items()}
    return alternate(dict(work), rounds=max(rounds, 3)), sizes


def _percent(shares: list[float]) -> str:
    share = spread(shares)
    return f"{share.median:.2%} [{share.low:.2%}, {share.high:.2%}]"


if __name__ == "__main__":
    main()
