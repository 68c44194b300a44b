"""Training of the bundled model: every stage on a handful of scenes, stopped, resumed, exported, unpacked."""

import csv
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from skewbench.tasks.experiment import ModelSpec
from skewbench.tasks.models import load_pipeline, resolve_model
from skewbench.training.shapes_xl.train import app

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def _train(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def _curve(folder: Path) -> list[tuple[int, float]]:
    rows = csv.DictReader((folder / "curve.csv").read_text().splitlines())
    return [(int(row["step"]), float(row["loss"])) for row in rows]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    for stage in ("autoencoder", "denoiser"):
        _train(stage, "--folder", folder, "--steps", 2, "--batch", 4, "--scenes", 8)
    _train("export", "--folder", folder, "--to", folder / "weights")
    return folder


def test_the_curve_is_written_and_the_model_draws(trained: Path) -> None:
    assert [step for step, _ in _curve(trained / "denoiser")] == [2]
    pipeline = load_pipeline(resolve_model(ModelSpec(id=str(trained / "weights"))), "cpu")
    noise = torch.Generator().manual_seed(0)
    image = pipeline("a red star", num_inference_steps=1, generator=noise, output_type="np").images[0]
    assert image.shape == (64, 64, 3)


def test_a_stopped_training_passes_through_the_same_batches(trained: Path, tmp_path: Path) -> None:
    at_once, stopped = tmp_path / "at-once", tmp_path / "stopped"
    for folder, stops in ((at_once, (4,)), (stopped, (2, 4))):
        for steps in stops:
            _train("autoencoder", "--folder", folder, "--steps", steps, "--batch", 4, "--scenes", 8, "--rate", 0)
    (_, whole), ((_, first), (_, second)) = *_curve(at_once / "autoencoder"), _curve(stopped / "autoencoder")
    assert whole == pytest.approx((first + second) / 2, abs=2e-6)


def test_exported_weights_can_be_trained_on(trained: Path, tmp_path: Path) -> None:
    _train("unpack", "--folder", tmp_path, "--from", trained / "weights")
    _train("denoiser", "--folder", tmp_path, "--steps", 1, "--batch", 4, "--scenes", 8, "--rate", 0)
    _train("export", "--folder", tmp_path, "--to", tmp_path / "weights")
    for part in ("unet", "text_encoder", "vae"):
        old, new = (
            load_file(next((folder / "weights" / part).glob("*.safetensors"))) for folder in (trained, tmp_path)
        )
        assert all(torch.equal(old[name], new[name]) for name in old | new), part


def test_unpacking_never_replaces_a_checkpoint(trained: Path) -> None:
    result = CliRunner().invoke(app, ["unpack", "--folder", str(trained), "--from", str(trained / "weights")])
    assert result.exit_code == 2
    assert "is there already" in " ".join(result.output.replace("│", "").split())
