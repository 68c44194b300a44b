"""What runs before a mistake is reported imports no library that takes seconds."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lakes import Lake, made

HEAVY = ("torch", "diffusers", "transformers", "duckdb", "pyarrow", "polars", "ray", "prefect", "scipy", "altair")


@pytest.mark.parametrize(
    "module", ["flows.cli", "flows.experiments", "tasks.experiment", "tasks.checks", "tasks.models", "stability", "sql"]
)
def test_importing_is_light(module: str) -> None:
    assert _heavy_after(f"import skewbench.{module}") == []


def test_a_driver_needs_no_torch() -> None:
    """The worker's code is imported in the workers' processes alone."""
    assert {"torch", "diffusers", "transformers"}.isdisjoint(_heavy_after("import skewbench.flows.serving.deployments"))


@pytest.mark.parametrize("module", ["flows.benchmark", "tasks.local"])
def test_a_run_starts_without_what_its_report_needs(module: str) -> None:
    assert {"polars", "scipy", "altair"}.isdisjoint(_heavy_after(f"import skewbench.{module}"))


def test_a_worker_that_only_scores_needs_no_diffusers() -> None:
    assert {"diffusers", "transformers"}.isdisjoint(_heavy_after("import skewbench.tasks.worker"))


def test_a_knob_is_made_without_torch() -> None:
    code = "from skewbench.stability import Skew, Temperature; Skew(1.2, 5.0); Temperature(1.1)"
    assert _heavy_after(code) == []


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        ("name: Bad", "cells: is missing"),
        ("name: a\ncells: [{name: b, knob: {kind: vanilla}}]\nmetrics: [nonsense]", "metrics 'nonsense'"),
        ("name: a\ncells: [{name: b, knob: {kind: vanilla}}]\nmodel: {id: ./nowhere}", "model.id './nowhere'"),
        (
            "name: a\ncells: [{name: b, knob: {kind: vanilla}}]\nprompts: {source: file, path: nowhere.txt}",
            "prompts.path 'nowhere.txt'",
        ),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_mistake_is_reported_before_anything_heavy_is_imported(
    command: str, experiment: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "mistaken.yaml"
    path.write_text(experiment)
    code = (
        "import sys\n"
        f"sys.argv = ['skewbench', {command!r}, {str(path)!r}, '--lake', {str(tmp_path / 'lake')!r}]\n"
        "from skewbench.flows.cli import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert ended.code == 2, ended.code"
    )
    done = _run(code)
    assert message in done.stderr
    assert done.stdout.split() == []
    assert not (tmp_path / "lake").exists()


def test_a_replay_of_an_unknown_sample_imports_only_what_opens_a_lake(tmp_path: Path) -> None:
    made(tmp_path, Lake(prompts=2, seeds=1, images=False, shards=1))
    code = (
        f"import sys; sys.argv = ['skewbench', 'replay', 'nonsense', '--lake', {str(tmp_path)!r}]\n"
        "from skewbench.flows.cli import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert ended.code == 2"
    )
    done = _run(code)
    assert "sample 'nonsense': no such sample in this lake" in done.stderr
    assert done.stdout.split() == ["duckdb", "pyarrow"]


def test_a_plan_imports_neither_torch_nor_diffusers(tmp_path: Path) -> None:
    code = f"import sys; sys.argv = ['skewbench', 'plan', 'demo', '--lake', {str(tmp_path / 'lake')!r}]\n"
    code += (
        "from skewbench.flows.cli import main\ntry:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code"
    )
    imported = _run(code).stdout.splitlines()[-1].split()
    assert {"torch", "diffusers", "transformers", "ray", "prefect"}.isdisjoint(imported)


def _heavy_after(code: str) -> list[str]:
    return _run(code).stdout.split()


def _run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code, then print the heavy libraries that it imported."""
    names = f"\nimport sys\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", code + names], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done
