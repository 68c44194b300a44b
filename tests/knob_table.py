"""Try each knob on a tiny model of several families: `python -m tests.knob_table`. With `--docs`, into docs/knobs.md.

The models have random weights, and are those of `tests.families`. A knob's own operations weigh more on small models
than on those of full size.
"""

import re
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer

from skewbench.eval.cpu_torchvision import define_missing_operators
from skewbench.stability.knobs import KNOBS, AttentionKnob, Knob, Vanilla
from skewbench.tasks.families.registry import families
from skewbench.tasks.generate import generate_batch
from skewbench.tasks.knob_checks import check_knobs
from skewbench.tasks.model_blocks import list_blocks
from skewbench.tasks.models import load_pipeline
from skewbench.tasks.run import Run
from skewbench.tasks.tune.space import cell_of
from skewbench.vocabulary.errors import InputError
from tests.families import prepared
from tests.tasks.experiments import small

PAGE = Path(__file__).parents[1] / "docs" / "knobs.md"
BLOCK = re.compile(r"(<!-- knobs: [^\n]* -->\n).*?(<!-- end -->)", re.DOTALL)
PIPELINES = (
    "StableDiffusionXLPipeline",
    "StableDiffusion3Pipeline",
    "FluxPipeline",
    "PixArtSigmaPipeline",
    "QwenImagePipeline",
    "AudioLDMPipeline",
)
"""Those of the page: guidance in rows and in calls, joint attention, distilled guidance, a spectrogram."""
REPEATS = 3
LARGEST = 1e-3
"""Of the difference that a neutral setting may make."""


class Tried(NamedTuple):
    """What a knob did to a model.

    Args:
        neutral: Largest difference of a value between the plain model and the neutral setting.
        moved: Mean difference of a value between the plain model and the example.
        seconds: Processor time of the example over that of the plain model, the fastest of three turns each.
    """

    neutral: float
    moved: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.neutral:.0e}, {self.moved:.0e}, {self.seconds:.1f}"


def settings() -> dict[str, tuple[Knob, Knob]]:
    """A neutral and a usual setting of each knob, and of one knob as the weak branch, by name."""
    kinds = [kind for kind in KNOBS.names() if kind != "vanilla"]
    found = {kind: (KNOBS.get(kind).neutral(), KNOBS.get(kind).example()) for kind in kinds}
    pag = KNOBS.get("pag").example()
    assert isinstance(pag, AttentionKnob)
    return {**found, "pag as weak branch": (replace(pag, weak=0.0), replace(pag, weak=3.0))}


def tried(pipeline: str, folder: Path) -> dict[str, Tried | None]:
    """Try all knobs on a tiny model.

    Args:
        pipeline: The pipeline class.
        folder: An empty folder.

    Returns:
        What each knob did; None: `plan` refuses it for this model.
    """
    run = prepared(folder, pipeline)
    model = load_pipeline(run.source, "cpu")
    samples = [sample for shard in run.shards for sample in shard.samples if shard.cell.name == "baseline"]

    def generated(knob: Knob) -> tuple[np.ndarray, float]:
        began = time.process_time()
        values = generate_batch(model, samples, knob, run.setting.generation, run.setting.size)
        return values, time.process_time() - began

    found: dict[str, Tried | None] = {}
    for name, (neutral, example) in settings().items():
        if not _is_planned(example, run):
            found[name] = None
            continue
        turns = [(generated(Vanilla()), generated(example)) for _ in range(REPEATS)]
        plain, moved = turns[0][0][0], turns[0][1][0]
        ratio = min(turn[1][1] for turn in turns) / min(turn[0][1] for turn in turns)
        same = float(np.abs(generated(neutral)[0] - plain).max())
        found[name] = Tried(same, float(np.abs(moved - plain).mean()), ratio)
    return found


def _is_planned(knob: Knob, run: Run) -> bool:
    experiment = small(model={"id": run.experiment.model.id}, cells=[cell_of("x", knob).model_dump(mode="json")])
    try:
        check_knobs(experiment, run.source, list_blocks(run.source))
    except InputError:
        return False
    return True


def table(found: dict[str, dict[str, Tried | None]]) -> str:
    """The results as Markdown: a row a knob, a column a family."""
    head = ["knob", *(families.get(pipeline).name for pipeline in found)]
    lines = [head, ["---"] * len(head)]
    lines += [[f"`{name}`", *(str(one[name] or "refused") for one in found.values())] for name in settings()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(docs: Annotated[bool, typer.Option("--docs", help="Write the table into docs/knobs.md.")] = False) -> None:
    """Try all knobs on some families, and print the table."""
    define_missing_operators()
    found = {}
    for pipeline in PIPELINES:
        with tempfile.TemporaryDirectory() as folder:
            found[pipeline] = tried(pipeline, Path(folder))
        typer.echo(f"{pipeline}: {found[pipeline]}", err=True)
    typer.echo(table(found))
    if docs:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(BLOCK.sub(lambda block: f"{block[1]}{table(found)}\n{block[2]}", text), encoding="utf-8")
    wrong = [
        f"{name} on {pipeline}"
        for pipeline, one in found.items()
        for name, each in one.items()
        if each is not None and not (each.neutral < LARGEST and each.moved > 0)
    ]
    if wrong:
        raise SystemExit(f"not right: {', '.join(wrong)}")


if __name__ == "__main__":
    typer.run(main)
