"""The example package of a third party, installed for the tests into a folder of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

Python = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `skewbench_example` is installed in."""
    source = tmp_path_factory.mktemp("source") / "skewbench_example"  # a build leaves files beside what it builds
    shutil.copytree(Path(__file__).parent / "skewbench_example", source)
    target = tmp_path_factory.mktemp("installed")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    return target


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Python:
    """Runs Python, in an empty folder, in an environment that has the packages of some folders too."""
    empty = tmp_path_factory.mktemp("empty")

    def run(*arguments: str, packages: tuple[Path, ...], cwd: Path = empty) -> "subprocess.CompletedProcess[str]":
        path = [*map(str, packages), os.environ.get("PYTHONPATH", ""), str(Path(__file__).parents[2])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path)), "COLUMNS": "250"}
        return subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, timeout=600, env=environment, cwd=cwd
        )

    return run


def skewbench_commands(
    python: Python, *commands: Sequence[str], packages: tuple[Path, ...]
) -> list["subprocess.CompletedProcess[str]"]:
    """Run several commands of `skewbench` in one process, which imports the libraries once."""
    done = python("-P", "-m", "tests.plugins.commands", json.dumps(commands), packages=packages)
    assert done.returncode == 0, done.stderr
    return [subprocess.CompletedProcess(*each) for each in json.loads(done.stdout.splitlines()[-1])]
