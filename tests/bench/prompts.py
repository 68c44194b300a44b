"""Cells whose prompts are encoded once against cells that encode at each call: `python -m tests.bench.prompts`.

Each side generates the same samples of two cells in batches, with the bundled model and with a tiny PixArt.
"""

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from skewbench.stability import Vanilla
from skewbench.tasks import embeddings
from skewbench.tasks.applied import applied
from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.generate import generate_batch
from skewbench.tasks.generation import GenerationSpec
from skewbench.tasks.models import load_pipeline, resolve_model
from skewbench.tasks.plan import Sample
from skewbench.tasks.prompts import Prompt
from skewbench.tasks.size import Size
from tests.bench.rounds import Side, alternate, ratios, spread
from tests.bench.tables import arguments, show
from tests.bench.workloads import CAPTION

CELLS, PROMPTS, SEEDS = 2, 4, 4
EACH, ONCE = "encoded at each call", "encoded once"
WHOLE, TEXT = "cells", "text encoders alone"


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--steps", type=int, default=20)
    asked = parser.parse_args(argv)
    steps, seeds = (2, 1) if asked.tiny else (asked.steps, SEEDS)
    torch.set_num_threads(asked.threads)
    rows, raw = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for name, pipeline in _pipelines(Path(folder)).items():
            for part in (WHOLE, TEXT):
                times = alternate(_sides(pipeline, part, steps, seeds), rounds=asked.rounds)
                rows += [[name, part, side, spread(times[side].processor), ratios(times, side, EACH)] for side in times]
                raw[f"{name}, {part}"] = times
    show(
        "prompts",
        f"Two cells of {PROMPTS} prompts and {seeds} seeds, {steps} steps, batch {PROMPTS}",
        ["model", "what", "prompts", "processor seconds", f"/ {EACH}"],
        rows,
        device="cpu",
        notes=["Medians with quartiles of rounds in which both sides take turns, of the same batches."],
        raw=raw,
        out=asked.out,
    )


def _pipelines(folder: Path) -> dict[str, Any]:
    from tests.tiny_families import save_tiny_pixart

    models = {"shapes-xl": "shapes-xl", "tiny PixArt": str(save_tiny_pixart(folder / "pixart"))}
    return {name: load_pipeline(resolve_model(ModelSpec(id=one)), "cpu") for name, one in models.items()}


def _sides(pipeline: Any, part: str, steps: int, seeds: int) -> dict[str, Side]:
    generation, size = GenerationSpec(steps=steps), Size(64, 64)
    texts = [f"{CAPTION}, number {number}" for number in range(PROMPTS)]
    batches = [
        [Sample("", "", Prompt("", text), seed, 100 * seed + row) for row, text in enumerate(texts)]
        for seed in range(seeds)
    ]

    def generated(once: bool) -> None:
        embeddings._kept.pop(pipeline, None)
        for _ in range(CELLS):
            with applied(pipeline, generation) if once else nullcontext():
                for batch in batches:
                    if part == TEXT:
                        with torch.no_grad():
                            pipeline.encode_prompt(prompt=texts, device="cpu", do_classifier_free_guidance=True)
                    else:
                        generate_batch(pipeline, batch, Vanilla(), generation, size)

    return {EACH: lambda: generated(once=False), ONCE: lambda: generated(once=True)}


if __name__ == "__main__":
    main()
