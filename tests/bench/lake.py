"""What writing the lake costs beside making what is written: `python -m tests.bench.lake`.

A shard of the bundled model's images is drawn and measured alone. Then a worker does the rest of its job on them:
rows, images judged and encoded as PNG, Parquet written with fsync, receipt. That is what the lake adds. (The
difference of two whole jobs, one with it and one without, drowns in the drawing's own spread.)
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
NAMES = {"job": "all of a worker's job but drawing"}
JOBS = 5
"""Times that the job is done for each time that a shard is drawn: it takes a hundredth of it."""
Drawn = tuple[np.ndarray, Recorder]


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
        drawn = _draw(worker, setting, shard)
        drawing = alternate({"drawing": lambda: _draw(worker, setting, shard)}, rounds=asked.rounds, warm=True)
        encoding = alternate({"encoding": lambda: _encode(worker, setting)}, rounds=max(asked.rounds, 3), warm=True)
        job = alternate({"job": lambda: _job(worker, shard, drawn)}, rounds=JOBS * asked.rounds)
    alone = spread(drawing["drawing"].processor).median
    encoded = spread(encoding["encoding"].processor).median
    rows: list[list[Any]] = []
    for name, times in {**job, **parts}.items():
        took = spread(times.seconds)
        rate = f"{sizes[name] / 1e6 / took.median:.1f}" if name in sizes else ""
        rows.append([NAMES.get(name, name), took, rate, _percent([used / alone for used in times.processor])])
    show(
        "lake",
        f"Writing the lake: a shard of {images} images, {steps} steps, all blocks measured at every step",
        ["work", "seconds", "MB/s", "share of drawing and measuring"],
        rows,
        device="cpu",
        notes=[
            f"Drawing and measuring alone: {spread(drawing['drawing'].seconds)} s. Shares are of processor time, so "
            "what the disk takes beside the next batch counts where it uses the processor. The first row is a worker's "
            "whole job on images and measures that are given to it; below it its largest parts, each by itself.",
            f"The text encoders take {spread(encoding['encoding'].seconds)} s a prompt, {encoded * images / alone:.2%} "
            "of drawing and measuring if each image does it alone. A worker does it once a prompt.",
        ],
        raw={**drawing, **encoding, **job, "parts": parts, "bytes": sizes},
        out=asked.out,
    )


def _shard(images: int) -> Shard:
    cell = Cell.model_validate({"name": "baseline", "knob": {"kind": "vanilla"}})
    prompt = Prompt("p0", CAPTION)
    return Shard("bench", cell, tuple(Sample(f"{i:016x}", f"{i:016x}", prompt, i, i) for i in range(images)))


def _draw(worker: Worker, setting: Setting, shard: Shard) -> list[Drawn]:
    """A shard's batches: images, and a recorder with their measures."""
    drawn = []
    for start in range(0, len(shard.samples), setting.batch):
        batch, recorder = shard.samples[start : start + setting.batch], Recorder()
        knob = shard.cell.knob
        pixels = generate_batch(worker._pipeline, batch, knob, setting.generation, setting.size, recorder)
        recorder.to_arrow()
        drawn.append((pixels, recorder))
    return drawn


def _encode(worker: Worker, setting: Setting) -> None:
    """One prompt through the text encoders, as each image takes it without what the worker keeps."""
    pipeline = worker._pipeline
    with torch.no_grad():
        pipeline.encode_prompt(
            CAPTION, device=pipeline.device, do_classifier_free_guidance=setting.generation.guidance > 1
        )


def _job(worker: Worker, shard: Shard, drawn: list[Drawn]) -> None:
    """All that a worker does with a shard, but for drawing and measuring: it is given what came of that."""
    batches = iter(drawn)

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
    """Encoding, and writing each table, by themselves; and their bytes."""
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
