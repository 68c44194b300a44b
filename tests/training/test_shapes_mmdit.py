"""Training of the bundled MMDiT on a handful of scenes: stopped, resumed, exported, linked, unpacked."""

import csv
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from safetensors.torch import load_file
from typer.testing import CliRunner

from skewbench.tasks.models import BUNDLED
from skewbench.training.export import link_equal_files
from skewbench.training.shapes_mmdit import architecture
from skewbench.training.shapes_mmdit.architecture import T5_TOKENS, denoiser, frozen_parts, load, pipeline
from skewbench.training.shapes_mmdit.data import embed, read_training_set, tokens
from skewbench.training.shapes_mmdit.train import app
from skewbench.training.shapes_xl.data import captions_of, draw_pool


def _train(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def _losses(folder: Path) -> list[float]:
    rows = csv.DictReader((folder / "denoiser" / "curve.csv").read_text().splitlines())
    return [float(row["loss"]) for row in rows]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    _train("data", "--folder", folder, "--scenes", 8)
    _train("denoiser", "--folder", folder, "--steps", 2, "--batch", 4)
    _train("export", "--folder", folder, "--to", folder / "weights")
    return folder


@pytest.fixture(scope="module")
def exported(trained: Path) -> StableDiffusion3Pipeline:
    return load(trained / "weights")


def test_the_exported_model_is_plain_sd3_and_generates(exported: StableDiffusion3Pipeline) -> None:
    noise = torch.Generator().manual_seed(0)
    output = exported(
        "a red star", num_inference_steps=1, generator=noise, max_sequence_length=T5_TOKENS, output_type="np"
    )
    assert output.images.shape == (1, 64, 64, 3)
    assert exported.text_encoder_3 is None


def test_exported_weights_of_its_own_stay_below_14_megabytes(trained: Path) -> None:
    own = ("transformer", "text_encoder")
    assert sum(f.stat().st_size for part in own for f in (trained / "weights" / part).glob("*.safetensors")) < 14e6


def test_training_embeds_captions_as_the_pipeline_does(exported: StableDiffusion3Pipeline) -> None:
    captions = ["a large striped red circle to the left of a blue star", ""]
    parts = frozen_parts()
    sequence, pooled = embed(parts, tokens(parts, captions))
    with torch.inference_mode():
        of_pipeline, _, pooled_of_pipeline, _ = exported.encode_prompt(
            captions, None, None, do_classifier_free_guidance=False, max_sequence_length=T5_TOKENS
        )
    assert sequence.shape == (2, 40, 128)
    torch.testing.assert_close(sequence, of_pipeline, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(pooled, pooled_of_pipeline, rtol=1e-4, atol=1e-4)


def test_latents_decode_to_the_scenes(trained: Path) -> None:
    latents, words, _ = read_training_set(trained / "scenes.safetensors")
    pool = draw_pool(8, 0, shares=(0.3, 0.5, 0.2))
    parts = frozen_parts()
    with torch.inference_mode():
        decoded = parts["vae"].decode(latents / parts["vae"].config.scaling_factor).sample
    assert ((decoded.permute(0, 2, 3, 1) + 1) * 127.5 - pool.pixels).abs().mean() < 8  # of 255
    assert torch.equal(words[:, 3], tokens(parts, captions_of(pool.scenes, 3)))


def test_a_stopped_training_passes_through_the_same_batches(trained: Path, tmp_path: Path) -> None:
    losses = {}
    for name, stops in (("at-once", (4,)), ("stopped", (2, 4))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scenes.safetensors").symlink_to(trained / "scenes.safetensors")
        for steps in stops:
            _train("denoiser", "--folder", tmp_path / name, "--steps", steps, "--batch", 4, "--rate", 0)
        losses[name] = _losses(tmp_path / name)
    (whole,), (first, second) = losses["at-once"], losses["stopped"]
    assert first != second
    assert whole == pytest.approx((first + second) / 2, abs=2e-6)


def test_training_lowers_the_loss_on_one_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architecture, "DEPTH", 2)
    _train("data", "--folder", tmp_path, "--scenes", 1)
    for steps in (5, 25):
        _train("denoiser", "--folder", tmp_path, "--steps", steps, "--batch", 4, "--rate", 1e-2)
    first, later = _losses(tmp_path)
    assert later < 0.8 * first


def test_denoiser_without_a_training_set_says_what_to_run(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["denoiser", "--folder", str(tmp_path)])
    assert result.exit_code == 2
    assert "run the command `data` first" in " ".join(result.output.replace("│", "").split())


def test_exported_weights_can_be_trained_on(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "scenes.safetensors").symlink_to(trained / "scenes.safetensors")
    _train("unpack", "--folder", tmp_path, "--from", trained / "weights")
    _train("denoiser", "--folder", tmp_path, "--steps", 1, "--batch", 4, "--rate", 0)
    _train("export", "--folder", tmp_path, "--to", tmp_path / "weights")
    name = "transformer/diffusion_pytorch_model.safetensors"
    old, new = (load_file(folder / "weights" / name) for folder in (trained, tmp_path))
    assert all(torch.equal(old[key], new[key]) for key in old | new)


def test_files_that_shapes_xl_has_become_links_and_the_model_still_loads(tmp_path: Path) -> None:
    whole = pipeline({**frozen_parts(), "transformer": denoiser()}).to(torch.float16)
    whole.save_pretrained(tmp_path / "model", safe_serialization=True)
    link_equal_files(tmp_path / "model", BUNDLED["shapes-xl"])
    linked = {str(f.relative_to(tmp_path / "model")) for f in tmp_path.rglob("*") if f.is_symlink()}
    assert {"vae/diffusion_pytorch_model.safetensors", "text_encoder_2/model.safetensors"} <= linked
    assert "text_encoder/model.safetensors" not in linked  # it has a projection of its own
    assert load(tmp_path / "model").vae.config.shift_factor == 0.0
