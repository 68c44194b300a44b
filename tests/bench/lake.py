"""What writing the lake costs beside making what is written: `python -m tests.bench.lake`.

A shard of the bundled model's pictures, in two ways that take turns: drawn and measured alone, and as a worker's whole
job (judged, encoded as PNG, written as Parquet with fsync, receipt). The difference is what the lake adds.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stability import Recorder
from tasks.experiment import Cell, GenerationSpec, MeasureSpec, ModelSpec
from tasks.generate import Setting, generate_batch, generate_shard, to_png
from tasks.lake.parts import write_part
from tasks.lake.store import open_store
from tasks.models import image_size, resolve_model
from tasks.plan import Sample, Shard
from tasks.prompts import Prompt
from tasks.worker import GenerateJob, Needs, Worker
from tests.bench.rounds import Spread, Times, alternate, ratios, spread
from tests.bench.tables import arguments, show
from tests.bench.workloads import CAPTION

RUN = "bench-00000000"


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--model", type=Path, help="another folder in the hub's layout")
    parser.add_argument("--pictures", type=int, default=16, help="of the shard, in batches of 4")
    parser.add_argument("--steps", type=int, default=20)
    asked = parser.parse_args(argv)
    pictures, steps = (4, 1) if asked.tiny else (asked.pictures, asked.steps)
    spec = ModelSpec() if asked.model is None else ModelSpec(id=str(asked.model))
    source = resolve_model(spec)
    setting = Setting(
        RUN, spec, source.revision, GenerationSpec(steps=steps), MeasureSpec(), image_size(source, None, None), 4
    )
    shard = _shard(pictures)
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(Needs(folder, setting, source, asked.threads, 0.0))
        parts, sizes = _parts(worker, setting, shard, Path(folder), asked.rounds)
        ways = {"alone": lambda: _alone(worker, setting, shard), "job": lambda: _job(worker, shard)}
        whole = alternate(ways, rounds=asked.rounds, warm=True)
    share = ratios(whole, "job", "alone")
    rows: list[list[Any]] = [["a worker's whole job", spread(whole["job"].seconds), "", _less_one(share)]]
    alone = spread(whole["alone"].processor).median
    for name, times in parts.items():
        took = spread(times.seconds)
        rows.append(
            [name, took, f"{sizes[name] / 1e6 / took.median:.1f}", f"{spread(times.processor).median / alone:.2%}"]
        )
    show(
        "lake",
        f"Writing the lake: a shard of {pictures} pictures, {steps} steps, all blocks measured at every step",
        ["work", "seconds", "MB/s", "share of drawing and measuring"],
        rows,
        device="cpu",
        notes=[
            f"Drawing and measuring alone: {spread(whole['alone'].seconds)} s. Shares are of processor time, so what "
            "the disk takes beside the next batch counts where it uses the processor. The first row is the whole job "
            "less drawing and measuring, over drawing and measuring; below it its parts, each by itself."
        ],
        raw={"whole": whole, "parts": parts, "bytes": sizes},
        out=asked.out,
    )


def _shard(pictures: int) -> Shard:
    cell = Cell.model_validate({"name": "baseline", "knob": {"kind": "vanilla"}})
    prompt = Prompt("p0", CAPTION)
    return Shard("bench", cell, tuple(Sample(f"{i:016x}", f"{i:016x}", prompt, i, i) for i in range(pictures)))


def _alone(worker: Worker, setting: Setting, shard: Shard) -> None:
    for start in range(0, len(shard.samples), setting.batch):
        batch, recorder = shard.samples[start : start + setting.batch], Recorder()
        generate_batch(
            worker._pipeline, batch, shard.cell.knob.build(), setting.generation, setting.size, recorder
        )  # fmt: skip
        recorder.to_arrow()


def _job(worker: Worker, shard: Shard) -> None:
    store = worker._store
    store.delete(f"_receipts/run_id={RUN}/generation-{shard.id}.json")
    worker.run(GenerateJob(shard))


def _parts(
    worker: Worker, setting: Setting, shard: Shard, folder: Path, rounds: int
) -> tuple[dict[str, Times], dict[str, int]]:
    """Encoding, and writing each table, by themselves; and their bytes."""
    first = shard.samples[: setting.batch]
    knob = shard.cell.knob.build()
    pixels = generate_batch(worker._pipeline, first, knob, setting.generation, setting.size)
    pictures = [pixels[i % len(pixels)] for i in range(len(shard.samples))]
    tables = generate_shard(worker._pipeline, setting, shard).tables()
    store = open_store(folder)
    work: dict[str, Callable[[], int]] = {"PNG": lambda: sum(len(to_png(picture)) for picture in pictures)}
    for name, table in tables.items():
        work[f"Parquet: {name}"] = lambda name=name, table=table: (
            write_part(store, name, RUN, "parts", "0", table).bytes
        )
    sizes = {name: each() for name, each in work.items()}
    return alternate(dict(work), rounds=max(rounds, 3)), sizes


def _less_one(share: Spread) -> str:
    return f"{share.median - 1:.2%} [{share.low - 1:.2%}, {share.high - 1:.2%}]"


if __name__ == "__main__":
    main()
