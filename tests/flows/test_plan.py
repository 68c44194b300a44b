"""`skewbench plan`: what a person is told before a run."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from skewbench.flows.cli import app
from tests.flows.command import run_in_process, write_experiment
from tests.tiny import save_tiny_sd3


@pytest.fixture
def planned(tmp_path: Path) -> list[str]:
    experiment = write_experiment(tmp_path, metrics=["binding", "clip_score"])
    return ["plan", experiment, "--lake", str(tmp_path / "lake")]


def test_metrics_without_weights_are_told(planned: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKEWBENCH_WEIGHTS_CLIP_VIT_L_14", str(tmp_path / "nothing"))
    shown = [line for line in CliRunner().invoke(app, planned).stdout.splitlines() if line.startswith("metrics")]
    assert len(shown) == 1
    assert "clip_score" in shown[0]
    assert "binding" not in shown[0]
    assert "skewbench weights" in shown[0]


def test_a_price_without_a_time_says_what_is_needed(planned: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skewbench.tasks.estimate.BUNDLED", {})
    shown = CliRunner().invoke(app, [*planned, "--price", "2"]).stdout
    assert "set --seconds to the time per image" in shown
    assert "cost     unknown, because the time is unknown; set --seconds" in shown
    assert "cost     about 0.04" in CliRunner().invoke(app, [*planned, "--price", "2", "--seconds", "4.5"]).stdout


@pytest.mark.parametrize("command", ["plan", "run"])
def test_what_has_no_effect_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Joint attention of image and text rescales nothing, and text encoders read so many tokens."""
    model = save_tiny_sd3(tmp_path / "model")
    (tmp_path / "prompts.txt").write_text(f"{'a red circle ' * 20}\na circle\na circle\n", encoding="utf-8")
    knob = {"kind": "skew", "alpha": 1.5}
    cells = [{"name": "on", "knob": knob}, {"name": "off", "knob": {**knob, "rescale": "off"}}]
    given = {"model": {"id": str(model)}, "cells": cells, "metrics": ["contrast"], "generation": {"steps": 1}}
    experiment = write_experiment(tmp_path, **given, prompts={"source": "file", "path": "prompts.txt"}, seeds=1)
    monkeypatch.chdir(tmp_path)
    local = ["--local"] if command == "run" else []
    done = run_in_process(monkeypatch, command, experiment, "--lake", str(tmp_path / "lake"), *local)
    assert done.returncode == 0, done.stderr
    shown = " ".join((done.stdout + done.stderr).split())
    assert "rescale has no effect in cells on: " in shown
    assert (
        "1 of 2 prompts too long: tokenizer reads 40 tokens, tokenizer_2 reads 40 tokens, the longest has 62" in shown
    )
    assert "1 duplicate prompt left out: each prompt is generated once" in shown
