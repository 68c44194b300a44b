"""Scorers of each unit and medium give the same numbers in a process of an environment, which shares torch by path."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skewbench.eval.environments import Environment
from skewbench.eval.environments.find import packages_of
from skewbench.eval.environments.process import EnvironmentFailed, EnvironmentProcess
from skewbench.eval.scorers import declaration, make
from skewbench.eval.scoring.audio import Waveforms
from skewbench.eval.scoring.elsewhere import elsewhere
from skewbench.eval.scoring.video import Videos

BY_HAND = Environment("by-hand", ("by_hand==1",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that was prepared by hand, with nothing in it but the name of its main package."""
    import venv

    path = tmp_path_factory.mktemp("environments") / "by-hand"
    venv.EnvBuilder(symlinks=True).create(path)
    about = packages_of(path) / "by_hand-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: by_hand\nVersion: 1\n")
    return path


@pytest.fixture(scope="module")
def process(folder: Path) -> Iterator[EnvironmentProcess]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKEWBENCH_ENV_BY_HAND", str(folder))
        made = EnvironmentProcess(BY_HAND, "cpu")
        yield made
        made.close()


def _arguments(name: str) -> tuple[str, tuple[Any, ...]]:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    if name == "distribution":
        return "compare", (rng.normal(size=(30, 4)), rng.normal(size=(40, 4)))
    if declaration(name).medium == "audio":
        return "score_group", (Waveforms(rng.normal(0, 0.1, (2, 8000)), 8000), None)
    if declaration(name).medium == "video":
        return "score", (Videos(rng.integers(0, 256, (2, 3, 16, 16, 3), dtype=np.uint8), 8.0), ["a", ""])
    return ("score", (images, ["a", "", "c"])) if declaration(name).unit == "sample" else ("score_group", (images, "a"))


@pytest.mark.parametrize("name", ["contrast", "frame_change", "msssim_diversity", "msstft_diversity", "distribution"])
def test_the_numbers_are_those_of_this_process(name: str, process: EnvironmentProcess) -> None:
    method, arguments = _arguments(name)
    there = getattr(elsewhere(name, declaration(name).unit, process), method)(*arguments)
    assert there == getattr(make(name), method)(*arguments)


def test_what_its_interpreter_cannot_import_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKEWBENCH_ENV_BY_HAND", str(folder))
    broken = packages_of(folder) / "numpy.py"
    broken.write_text("raise ImportError('numpy of another world')\n")
    made = EnvironmentProcess(BY_HAND, "cpu")
    try:
        with pytest.raises(
            EnvironmentFailed, match="of environment by-hand ended with exit code 1: ImportError: numpy of another"
        ):
            made.call("contrast", "score", np.zeros((1, 4, 4, 3), np.uint8), [""])
    finally:
        broken.unlink()
    assert made.call("contrast", "score", np.zeros((1, 4, 4, 3), np.uint8), [""])["contrast"][0].value == 0
    made.close()


def test_variables_of_python_and_the_working_folder_do_not_reach_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither modules of the working folder nor a user's own settings of Python count."""
    monkeypatch.setenv("SKEWBENCH_ENV_BY_HAND", str(folder))
    for name in ("json", "numpy", "tasks", "eval"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('a module of the working folder')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    made = EnvironmentProcess(BY_HAND, "cpu")
    assert made.call("contrast", "score", np.zeros((1, 4, 4, 3), np.uint8), [""])["contrast"][0].value == 0
    made.close()
