"""The Makefile installs what a target needs, and says what is missing; the workflow is what a visitor's CI takes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.files import ROOT


def _make(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run make on a copy of the Makefile, where nothing is installed."""
    for name in ("Makefile", "pyproject.toml", "setup.py", "infra/constraints.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True, timeout=120)


def test_a_missing_venv_is_told_in_a_line(tmp_path: Path) -> None:
    """Debian's Python has no `ensurepip` without the package python3-venv."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\n')
    python.chmod(0o755)
    done = _make(tmp_path, "install", f"PYTHON={python}")
    assert done.returncode != 0
    first = done.stderr.splitlines()[0]
    assert first == f"{python} cannot create an environment; on Debian and Ubuntu: sudo apt install python3-venv"
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(("target", "installs"), [("demo", ["-e ."]), ("test", ["-e .", '-e ".[test,lint]"'])])
def test_a_target_installs_what_it_needs(tmp_path: Path, target: str, installs: list[str]) -> None:
    commands = _make(tmp_path, "--dry-run", target).stdout.splitlines()
    pip = [command.split("-c infra/constraints.txt ")[1] for command in commands if "pip install" in command]
    assert pip == installs


def test_the_workflow_is_valid() -> None:
    command = Path(sys.executable).parent / "check-jsonschema"
    options = ("--builtin-schema", "vendor.github-workflows")
    done = subprocess.run(
        [command, *options, ROOT / ".github/workflows/ci.yml"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout
