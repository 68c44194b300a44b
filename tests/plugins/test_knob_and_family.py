"""A knob and a family of another package go through plan, form, run, lake, queries, report and replay."""

import json
from importlib import import_module
from pathlib import Path

import pytest

from skewbench import sql
from skewbench.stability.knobs import KNOBS
from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from skewbench.tasks.families.registry import families
from skewbench.tasks.report import report_run
from tests.flows.command import write_experiment
from tests.plugins.conftest import Python, skewbench_commands

UNIFORM = {"kind": "uniform", "share": 0.5, "ramp": "squared"}
CELLS = [{"name": "baseline", "knob": {"kind": "vanilla"}}, {"name": "uniform-0.5", "knob": UNIFORM}]


@pytest.fixture(scope="module")
def tiny_lcm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a randomly initialised latent consistency model."""
    tiny = import_module("tests.tiny")
    folder: Path = tiny.save_tiny_sd(tmp_path_factory.mktemp("models") / "tiny-lcm", distilled=True)
    return folder


def test_the_form_shows_the_knob(example: Path, python: Python) -> None:
    code = "from skewbench.flows.benchmark import benchmark; print(benchmark.parameters.model_dump_json())"
    done = python("-c", code, packages=(example,))
    assert done.returncode == 0, done.stderr
    fields = json.loads(done.stdout)["definitions"]["Uniform"]["properties"]
    assert fields["share"]["description"] == "Share of uniform weights."
    assert fields["ramp"]["enum"] == ["flat", "squared"]


@pytest.mark.slow
def test_a_run_keeps_and_shows_all_that_the_knob_declares(
    example: Path, python: Python, tmp_path: Path, tiny_lcm: Path
) -> None:
    """The reader has neither knob nor family: the run keeps what it knew."""
    lake = tmp_path / "lake"
    changes = {"model": {"id": str(tiny_lcm)}, "cells": CELLS, "metrics": ["sharpness"]}
    done = python("-m", "tests.plugins.score_a_run", str(lake), json.dumps(changes), packages=(example,))
    assert done.returncode == 0, done.stderr
    run_id = done.stdout.split()[-1]
    assert "uniform" not in KNOBS.names()
    assert "LatentConsistencyModelPipeline" not in families.names()
    store = LocalStore(lake)
    assert find_run(store, run_id).identity["pipeline"] == "LatentConsistencyModelPipeline"
    with sql.connect(lake) as connection:
        kept = "SELECT DISTINCT knob, (setting::JSON)->'knob' FROM samples WHERE cell = 'uniform-0.5'"
        ((knob, setting),) = connection.execute(kept).fetchall()
        everywhere = {"blocks": "all", "heads": "all", "weak": None, "window": [0.0, 1.0], "schedule": "constant"}
        assert (knob, json.loads(setting)) == ("uniform", {**UNIFORM, **everywhere})
        shown = "SELECT family, words, (settings->>'share')::DOUBLE FROM knobs WHERE cell = 'uniform-0.5'"
        words = "uniform, σ 0.5, ramp squared"
        assert connection.execute(shown).fetchall() == [("uniform, ramp squared", words, 0.5)]
        changed = sql.query(connection, "static_effect").filter(metric="sharpness")
        assert changed["n"].to_list() == [4]
        assert changed["change"].item() != 0
    page = Path(report_run(store, run_id)).read_text(encoding="utf-8")
    assert words in page
    assert "σ" in page
    experiment = write_experiment(tmp_path, model={"id": str(tiny_lcm)}, cells=CELLS, metrics=["sharpness"])
    commands = (["replay", _sample(lake), "--lake", str(lake)], ["plan", experiment])
    script, planned = skewbench_commands(python, *commands, packages=(example,))
    assert script.returncode == 0, script.stderr
    assert "from skewbench_example.knob import Uniform" in script.stdout
    assert "LatentConsistencyModelPipeline.from_pretrained" in script.stdout
    assert planned.returncode == 0, planned.stderr
    assert "uniform, σ 0.5, ramp squared" in planned.stdout
    assert "self-attention blocks" in planned.stdout
    script, planned = skewbench_commands(python, *commands, packages=())
    assert (script.returncode, planned.returncode) == (2, 2)
    assert "no family 'LatentConsistencyModelPipeline'" in script.stderr
    assert "unknown kind 'uniform'; use one of 'vanilla', 'pag', 'pladis', 'seg', 'skew', " in planned.stderr


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Installed packages: a knob that fails to import, one of a taken name, one that breaks the contract, a family."""
    folder = tmp_path_factory.mktemp("broken")
    start = "from skewbench.stability.knobs import AttentionKnob, knob\n"
    family = "from skewbench.tasks.families.registry import register\n"
    modules = {
        "fails": ("knobs", "raise RuntimeError('no licence')\n"),
        "takes": ("knobs", f'{start}@knob("skew")\nclass Mine(AttentionKnob):\n    """Mine."""\n'),
        "wrong": ("knobs", f'{start}@knob("mute")\nclass Mute(AttentionKnob):\n    """Mute."""\n'),
        "half": ("families", f'{family}@register\nclass Half:\n    pipelines = ("HalfPipeline",)\n'),
    }
    for name, (group, text) in modules.items():
        (folder / f"{name}.py").write_text(text)
        about = folder / f"{name}-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (about / "entry_points.txt").write_text(f"[skewbench.{group}]\nit = {name}\n")
    return folder


def test_what_is_broken_is_a_line_and_the_rest_works(broken: Path, example: Path, python: Python) -> None:
    (done,) = skewbench_commands(python, ["plan", "demo"], packages=(broken, example))
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("warning: ")] == [
        "warning: knob 'it' of package fails is skipped: RuntimeError: no licence",
        "warning: knob 'skew' of package takes is skipped: the name is taken by skewbench.stability.knobs.skew",
        "warning: knob 'mute' of package wrong is skipped: it does not define neutral()",
        "warning: family 'HalfPipeline' of package half is skipped: it declares no name, example, denoiser, branches, "
        "parts",
    ]


def _sample(lake: Path) -> str:
    with sql.connect(lake) as connection:
        query = "SELECT sample_id FROM samples WHERE cell = 'uniform-0.5' ORDER BY sample_id LIMIT 1"
        row = connection.execute(query).fetchone()
    assert row is not None
    return str(row[0])
