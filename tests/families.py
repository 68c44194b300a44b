"""Check a tiny model of each family of models: `python -m tests.families`.

The models have random weights; their classes and the layout of their folders are those of the hub. With `--docs` the
table goes into docs/models.md; with `--only CLASS` these classes alone are checked, and the other rows stay.
"""

import re
import runpy
import tempfile
import time
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import typer

from skewbench import sql
from skewbench.eval.cpu_torchvision import define_missing_operators
from skewbench.stability import Cads, Knob, Recorder, Skew, Vanilla
from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from skewbench.tasks.applied import applied
from skewbench.tasks.experiment import Experiment
from skewbench.tasks.families.registry import families
from skewbench.tasks.generate import generate_batch
from skewbench.tasks.local import run_locally
from skewbench.tasks.media import MEDIA
from skewbench.tasks.model_blocks import list_blocks
from skewbench.tasks.models import load_pipeline
from skewbench.tasks.replay import replay_script
from skewbench.tasks.run import Run, prepare
from skewbench.vocabulary.measures import NAMES
from skewbench.vocabulary.metrics import Medium
from tests.tasks.experiments import BASELINE, SKEW, small

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
BLOCK = re.compile(r"(<!-- families: [^\n]* -->\n).*?(<!-- end -->)", re.DOTALL)
HEAD = (
    "pipeline class", "example", "branches", "blocks", "neutral setting", "knob", "row alone", "measures", "replay",
    "seconds",
)  # fmt: skip
SIZES: dict[Medium, dict[str, Any]] = {
    "image": {"width": 32, "height": 32},
    "audio": {"duration": 0.1},
    "video": {"width": 32, "height": 32, "frames": 5},
}
METRICS: dict[Medium, str] = {"image": "contrast", "audio": "spectral_flatness", "video": "frame_change"}
"""A scorer of each medium that needs no weights."""


class Turned(NamedTuple):
    """The knob that a family is checked with: a neutral setting, another one, and a cell with it."""

    neutral: Knob
    moved: Knob
    cell: dict[str, Any]


ON_ATTENTION = Turned(Skew(1.0, 5.0), Skew(1.5, 5.0), SKEW)
ON_CONDITION = Turned(
    Cads.neutral(), Cads(), {"name": "cads", "knob": {"kind": "vanilla"}, "condition": {"kind": "cads"}}
)
"""For linear attention, which takes no knob."""


def turned(pipeline: str) -> Turned:
    """The knob for a pipeline class."""
    return ON_CONDITION if pipeline == "SanaPipeline" else ON_ATTENTION


class Checked(NamedTuple):
    """What was found of a family. Values are pixels in [0, 1] or a waveform in [-1, 1].

    Args:
        blocks: Number of self-attentions.
        neutral: Largest difference of a value between the plain model and the knob's neutral setting.
        knob: Mean difference of a value between the plain model and the knob.
        alone: Largest difference of a value between a row in a batch of two and the same row alone.
        measures: Whether every block of every row is measured, and all values are finite.
        replay: Whether replayed samples are equal to the run's, bit by bit.
        seconds: Of a run of four samples, its report and all checks.
    """

    blocks: int
    neutral: float
    knob: float
    alone: float
    measures: bool
    replay: bool
    seconds: float


def savers() -> dict[str, Callable[[Path], Path]]:
    """What saves a tiny model into a folder, by pipeline class."""
    from tests import tiny, tiny_families, tiny_media, tiny_sana

    return {
        "StableDiffusionXLPipeline": tiny.save_tiny_sdxl,
        "StableDiffusionPipeline": tiny.save_tiny_sd,
        "StableDiffusion3Pipeline": tiny.save_tiny_sd3,
        "FluxPipeline": tiny_families.save_tiny_flux,
        "PixArtAlphaPipeline": tiny_families.save_tiny_pixart,
        "PixArtSigmaPipeline": tiny_families.save_tiny_pixart_sigma,
        "HunyuanDiTPipeline": tiny_families.save_tiny_hunyuan,
        "Lumina2Pipeline": tiny_families.save_tiny_lumina,
        "QwenImagePipeline": tiny_families.save_tiny_qwen,
        "SanaPipeline": tiny_sana.save_tiny_sana,
        "IFPipeline": tiny_families.save_tiny_deepfloyd,
        "AudioLDMPipeline": tiny_media.save_tiny_audioldm,
        "AudioLDM2Pipeline": tiny_media.save_tiny_audioldm2,
        "WanPipeline": tiny_media.save_tiny_wan,
    }


def prepared(folder: Path, pipeline: str) -> Run:
    """A run of two cells of two prompts, in batches of one, of a tiny model that is saved for it.

    Args:
        folder: Of the model and the lake.
        pipeline: The pipeline class.
    """
    torch.set_num_threads(1)
    model = savers()[pipeline](folder / "model")
    medium = families.get(pipeline).medium
    changes: dict[str, Any] = {"cells": [BASELINE, turned(pipeline).cell], "seeds": 1, "workers": {"batch": 1}}
    changes |= {"metrics": [METRICS[medium]], "generation": {"steps": 2, **SIZES[medium]}}
    changes |= {"model": {"id": str(model)}}
    return prepare(small(**changes), str(folder / "lake"))


def check(pipeline: str, folder: Path) -> Checked:
    """Check a family on a tiny model.

    Args:
        pipeline: The pipeline class.
        folder: An empty folder.
    """
    began = time.perf_counter()
    run = prepared(folder, pipeline)
    neutral, knob, alone, measures = _samples(run, turned(pipeline))
    run_locally(run, lambda _outcome: None)
    replay = all(replays(folder, cell.name) for cell in run.experiment.cells)
    blocks = len(list_blocks(run.source))
    return Checked(blocks, neutral, knob, alone, measures, replay, time.perf_counter() - began)


def _samples(run: Run, knobs: Turned) -> tuple[float, float, float, bool]:
    model, setting = load_pipeline(run.source, "cpu"), run.setting
    samples = [sample for shard in run.shards for sample in shard.samples if shard.cell.name == "baseline"]

    def generated(knob: Any, rows: slice = slice(None), recorder: Recorder | None = None) -> np.ndarray:
        with applied(model, setting.generation):
            return generate_batch(model, samples[rows], knob, setting.generation, setting.size, recorder)

    recorder = Recorder()
    plain, moved = generated(Vanilla(), recorder=recorder), generated(knobs.moved)
    neutral = np.abs(generated(knobs.neutral) - plain).max()
    alone = max(np.abs(generated(knobs.moved, slice(row, row + 1)) - moved[row]).max() for row in range(2))
    return float(neutral), float(np.abs(moved - plain).mean()), float(alone), _all_finite(recorder, run)


def _all_finite(recorder: Recorder, run: Run) -> bool:
    table = recorder.to_arrow()
    blocks = {block.name for block in list_blocks(run.source)}
    values = [value for name in NAMES for value in table[name].to_pylist() if value is not None]
    always = all(None not in table[name].to_pylist() for name in NAMES if name != "text_mass")
    return set(table["block_name"].to_pylist()) == blocks and always and bool(np.isfinite(values).all())


def replays(folder: Path, cell: str) -> bool:
    """Whether the replay of a cell's first sample is equal to it, bit by bit.

    Args:
        folder: Of the run; the script and its file are written there.
        cell: The cell.
    """
    store = LocalStore(folder / "lake")
    manifest = find_run(store, None)
    family = families.get(manifest.identity["pipeline"])
    medium = MEDIA[family.medium]
    with sql.connect(folder / "lake") as connection:
        query = f"SELECT * FROM samples s JOIN {medium.table.name} USING (sample_id) WHERE s.cell = ?"
        sample = connection.execute(f"{query} ORDER BY sample_id LIMIT 1", [cell]).pl().to_dicts()[0]
    experiment = Experiment.model_validate(manifest.experiment)
    (folder / "script.py").write_text(replay_script(sample, experiment, manifest.run_id, family), encoding="utf-8")
    with chdir(folder):
        runpy.run_path("script.py")
        replayed = Path(f"{sample['sample_id']}.{medium.extension}").read_bytes()
    return np.array_equal(
        *(
            medium.levels(medium.decode({**sample, medium.file: {"bytes": one}}))
            for one in (replayed, sample[medium.file]["bytes"])
        )
    )


def rows_of(found: dict[str, Checked]) -> dict[str, str]:
    """The rows as Markdown, by pipeline class."""
    return {pipeline: f"| {' | '.join(_row(pipeline, one))} |" for pipeline, one in found.items()}


def table(rows: dict[str, str]) -> str:
    """The table as Markdown, in the order of `savers`."""
    lines = [f"| {' | '.join(row)} |" for row in (HEAD, ("---",) * len(HEAD))]
    return "\n".join([*lines, *(rows[pipeline] for pipeline in savers() if pipeline in rows)])


def rows_in(page: str) -> dict[str, str]:
    """The rows of a page's table, by pipeline class."""
    block = BLOCK.search(page)
    lines = block[0].splitlines() if block else []
    return {found[1]: line for line in lines if (found := re.match(r"\| \[`(\w+)`\]", line))}


def _row(pipeline: str, one: Checked) -> tuple[str, ...]:
    family = families.get(pipeline)
    module = families.source(pipeline).rpartition(".")[2]
    return (
        f"[`{pipeline}`](../tasks/families/{module}.py)",
        family.example,
        f"{', '.join(family.branches)}{' (calls)' if family.calls else ''}",
        str(one.blocks),
        f"{one.neutral:.0e}",
        f"{one.knob:.3f}",
        f"{one.alone:.0e}",
        "finite" if one.measures else "**not finite**",
        "equal" if one.replay else "**differs**",
        f"{one.seconds:.0f}",
    )


def main(
    docs: Annotated[bool, typer.Option("--docs", help="Write the rows into the table of docs/models.md.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="A pipeline class; others keep their rows.")] = None,
) -> None:
    """Check a tiny model of each family, and print the table."""
    define_missing_operators()
    if unknown := sorted({*(only or ())} - savers().keys()):
        raise SystemExit(f"no tiny model of {unknown[0]}; there are {', '.join(savers())}")
    found = {}
    for pipeline in (name for name in savers() if not only or name in only):
        with tempfile.TemporaryDirectory() as folder:
            found[pipeline] = check(pipeline, Path(folder))
        typer.echo(f"{pipeline}: {found[pipeline]}", err=True)
    typer.echo(table(rows_of(found)))
    if docs:
        page = PAGE.read_text(encoding="utf-8")
        whole = table({**rows_in(page), **rows_of(found)})
        PAGE.write_text(BLOCK.sub(lambda block: f"{block[1]}{whole}\n{block[2]}", page), encoding="utf-8")
    wrong = [pipeline for pipeline, one in found.items() if not (one.measures and one.replay and one.knob > 0)]
    if wrong:
        raise SystemExit(f"not right: {', '.join(wrong)}")


if __name__ == "__main__":
    typer.run(main)
