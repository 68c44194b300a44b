"""Bad input: exit code 2, one line that names field, value and what is allowed, and nothing written."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from skewbench.flows import experiments
from skewbench.flows.cli import main
from skewbench.storage.lease import Lease
from skewbench.tasks.run import prepare
from tests.flows.command import SMALL, skewbench, write_experiment
from tests.tiny import save_refiner_layout


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["skewbench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def _knob(**knob: Any) -> dict[str, Any]:
    return {"cells": [SMALL["cells"][0], {"name": "other", "knob": {"kind": "skew", "alpha": 1.5, **knob}}]}


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sedes": 3}, "sedes"),
        ({"seeds": "x"}, "seeds 'x'"),
        (_knob(alpha=float("nan")), "alpha"),
        (_knob(blocks="attic"), "cells.other: blocks='attic'"),
        (_knob(blocks=999), "999"),
        ({"model": {"id": "no-such-model"}}, "model.id 'no-such-model'"),
        ({"model": {"id": "/tmp"}}, "model_index.json"),
        ({"prompts": {"source": "file", "path": "/dev/null"}}, "contains no prompts"),
        ({"metrics": ["beauty"]}, "metrics 'beauty'"),
    ],
)
def test_bad_experiment(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    changes: dict[str, Any],
    said: str,
) -> None:
    lake = tmp_path / "lake"
    assert _run(monkeypatch, command, write_experiment(tmp_path, **changes), "--lake", str(lake)) == 2
    message = capsys.readouterr().err
    assert said in message
    assert "Traceback" not in message
    assert not lake.exists()


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_model_of_another_pipeline_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """A folder of the refiner, which would load as SDXL and fail image by image."""
    folder, lake = save_refiner_layout(tmp_path / "refiner"), tmp_path / "lake"
    experiment = write_experiment(tmp_path, model={"id": str(folder)})
    assert _run(monkeypatch, command, experiment, "--lake", str(lake)) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith(
        f"error: model.id {str(folder)!r}: its pipeline class is 'StableDiffusionXLImg2ImgPipeline'"
    )
    working, _, examples = message.partition("supported classes: ")[2].partition(". Use a model such as ")
    assert {"StableDiffusionXLPipeline", "StableDiffusion3Pipeline"} <= set(working.split(", "))
    assert "stabilityai/stable-diffusion-xl-base-1.0" in examples.split(", ")
    assert not lake.exists()


@pytest.mark.parametrize("command", [["status"], ["run", "demo"], ["runs", "list"]])
def test_a_lake_that_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    lake = tmp_path / "file"
    lake.touch()
    assert _run(monkeypatch, *command, "--lake", str(lake)) == 2
    assert "Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "no-such.yaml"], "no such file"),
        (["plan", "demo", "--prompts", ""], "--prompts '': name a file of prompts"),
        (["query", "corelations"], "did you mean 'correlations'"),
        (["report"], "it has no runs"),
        (["replay", "abc"], "lake"),
        (["verify"], "it has no runs"),
    ],
)
def test_bad_argument(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    assert _run(monkeypatch, *arguments, "--lake", str(tmp_path)) == 2
    message = capsys.readouterr().err
    assert said in message or "no run" in message
    assert "Traceback" not in message


def test_a_plan_without_a_baseline_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = str(tmp_path / "lake")
    assert _run(monkeypatch, "plan", write_experiment(tmp_path), "--lake", lake) == 0
    assert "no cell has plain attention" not in capsys.readouterr().out
    path = write_experiment(tmp_path, cells=SMALL["cells"][1:])
    assert _run(monkeypatch, "plan", path, "--lake", lake) == 0
    assert "note     no cell has plain attention (kind: vanilla)" in capsys.readouterr().out


def test_unwritable_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(monkeypatch, "run", write_experiment(tmp_path), "--lake", "/proc/lake") == 2
    assert "/proc/lake" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere"])
def test_ray_address_that_does_not_answer(tmp_path: Path, address: str) -> None:
    arguments = ["run", write_experiment(tmp_path), "--lake", str(tmp_path / "lake"), "--ray-address", address]
    done = skewbench(*arguments, home=tmp_path / "prefect")
    assert done.returncode == 2
    assert f"error: ray address '{address}'" in done.stderr
    assert "Traceback" not in done.stderr


def test_run_that_another_process_drives(tmp_path: Path) -> None:
    path, lake = write_experiment(tmp_path), str(tmp_path / "lake")
    run = prepare(experiments.load(path), lake)
    with Lease(run.store, run.id):
        done = skewbench("run", path, "--lake", lake, home=tmp_path / "prefect")
    assert done.returncode == 1
    assert f"is being driven by process {os.getpid()}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device", "lake/samples/part")

    monkeypatch.setattr("skewbench.flows.cli.app", full)
    assert _run(monkeypatch, "run", "demo") == 1
    message = capsys.readouterr().err
    assert (
        "No space left on device: 'lake/samples/part'; fix this, then run the same command again to resume" in message
    )
    assert "Traceback" not in message
