"""Each model of the package, from an experiment to scores and a report, on prompts that it was trained on."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from skewbench import sql
from skewbench.stability import Vanilla
from skewbench.tasks.generate import generate_batch
from skewbench.tasks.model_blocks import blocks_of
from skewbench.tasks.models import BUNDLED, CAPTIONS, load_pipeline, resolve_model, sample_size
from skewbench.tasks.plan import Sample
from skewbench.tasks.prompt_lengths import prompt_notes
from skewbench.tasks.prompts import Prompt, load_prompts
from tests.flows.command import run_in_process, write_experiment
from tests.tasks.experiments import small

SCORERS = {"scenes": "binding", "sounds": "sound_binding"}


@pytest.mark.parametrize("model", BUNDLED)
def test_it_runs_end_to_end(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scorer, steps = SCORERS[CAPTIONS[model]], 8
    cells = [
        {"name": "baseline", "knob": {"kind": "vanilla"}},
        {"name": "skew", "knob": {"kind": "skew", "alpha": 1.5, "beta": 5.0, "rescale": "off"}},
    ]
    file = write_experiment(
        tmp_path,
        model={"id": model},
        prompts={"source": CAPTIONS[model], "count": 4, "objects": [1]},
        seeds=1,
        generation={"steps": steps},
        cells=cells,
        metrics=[scorer],
    )
    lake = str(tmp_path / "lake")
    done = run_in_process(monkeypatch, "run", file, "--local", "--lake", lake)
    assert done.returncode == 0, done.stderr
    with sql.connect(lake) as opened:
        (rows, blocks, finite) = opened.execute(
            "SELECT count(*), count(DISTINCT block), bool_and(isfinite(energy) AND isfinite(alignment)) FROM stability"
        ).fetchone() or (0, 0, False)
        (score,) = opened.execute(
            "SELECT avg(value) FROM scores WHERE metric = ? AND cell = 'baseline'", [scorer]
        ).fetchone() or (0.0,)
        (ok,) = opened.execute("SELECT count(DISTINCT sample_id) FROM samples WHERE status = 'ok'").fetchone() or (0,)
    known = blocks_of(resolve_model(small(model={"id": model}).model))
    assert blocks == len(known) > 5
    assert rows == 8 * 2 * len(known)
    assert finite
    assert ok == 8
    assert score > 0.5  # noise would show nothing that a prompt says
    assert next(Path(lake, "_reports").glob("*.html")).stat().st_size > 100_000


@pytest.mark.parametrize("model", BUNDLED)
def test_it_knows_every_word_of_its_prompts(model: str) -> None:
    experiment = small(model={"id": model}, prompts={"source": CAPTIONS[model], "count": 60, "objects": [1, 2, 3]})
    prompts, source = load_prompts(experiment.prompts), resolve_model(experiment.model)
    assert prompt_notes(experiment, prompts, source) == ()
    other = experiment.model_copy(update={"prompts": small(prompts={"source": "natural", "count": 20}).prompts})
    notes = prompt_notes(other, load_prompts(other.prompts), source)  # some are too long for some models, too
    assert sum(f"with words that {model} was not trained on, such as" in note for note in notes) == 1


@pytest.mark.parametrize("model", BUNDLED)
def test_it_is_small_and_holds_no_pickle(model: str) -> None:
    folder = BUNDLED[model]
    own = [file for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
    assert sum(file.stat().st_size for file in own) < 14_000_000
    assert {file.suffix for file in own} <= {".json", ".safetensors", ".txt", ".model"}
    for file in folder.rglob("*"):
        assert file.exists()  # links lead to files of another bundled model
        if file.is_symlink():
            assert any(
                file.resolve().is_relative_to(other.resolve()) for name, other in BUNDLED.items() if name != model
            )
    for file in folder.rglob("*.json"):
        assert '": "/' not in file.read_text(encoding="utf-8"), f"{file} names a folder of the machine that wrote it"
    assert "_class_name" in json.loads((folder / "model_index.json").read_text(encoding="utf-8"))


def test_shapes_mmdit_reads_the_tokens_that_it_was_trained_on() -> None:
    """Without an argument, SD3's pipeline would append 256 zero tokens in place of T5's."""
    experiment = small(model={"id": "shapes-mmdit"}, generation={"steps": 1})
    source = resolve_model(experiment.model)
    pipeline, size, seen = load_pipeline(source, "cpu"), sample_size(source, experiment.generation), []
    denoiser = pipeline.transformer
    hook = lambda _module, _inputs, named: seen.append(named["encoder_hidden_states"].shape)  # noqa: E731
    denoiser.register_forward_pre_hook(hook, with_kwargs=True)
    prompt = Prompt(id="p", text="a red star")
    images = generate_batch(pipeline, [Sample("p", "p", prompt, 1, 1)], Vanilla(), experiment.generation, size)
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.Generator().manual_seed(1)
    plain = {"num_inference_steps": 1, "guidance_scale": experiment.generation.guidance, "max_sequence_length": 0}
    expected = pipeline(prompt.text, generator=noise, output_type="np", **plain).images
    assert [tuple(shape) for shape in seen] == [(2, 40, 128)] * 2
    assert np.abs(images - expected).max() < 1e-5
