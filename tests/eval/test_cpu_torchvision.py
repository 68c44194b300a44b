"""Whatever pair of torch and torchvision is installed, what needs torchvision can be imported in a fresh process."""

import subprocess
import sys

import pytest

IMPORTS = "import torchvision, torchvision.transforms; from diffusers import StableDiffusionXLPipeline"


def _run(lines: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-P", "-c", lines], capture_output=True, text=True)


@pytest.mark.slow
def test_imports_work_once_the_operators_are_declared() -> None:
    before = "from skewbench.eval.cpu_torchvision import define_missing_operators; define_missing_operators(); "
    done = _run(before + IMPORTS)
    assert done.returncode == 0, done.stderr


def test_importing_torch_runs_nothing_of_skewbench() -> None:
    done = _run("import sys, torch; print([name for name in sys.modules if name.startswith('skewbench')])")
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize(
    "module", ["skewbench.stability", pytest.param("skewbench.tasks.models", marks=pytest.mark.slow)]
)
def test_a_model_loads_in_a_process_that_imports_only_ours(module: str) -> None:
    """Declared where it is needed: by the functions that import diffusers' pipelines, not by their callers."""
    lines = [
        f"import {module}",
        "from skewbench.tasks.experiment import ModelSpec",
        "from skewbench.tasks.model_blocks import list_blocks; from skewbench.tasks.models import resolve_model",
        "print(len(list_blocks(resolve_model(ModelSpec(id='shapes-xl')))))",
    ]
    done = _run("; ".join(lines))
    assert done.stdout.strip().isdigit(), done.stderr
