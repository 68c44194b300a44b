"""A scorer of another package computes in an environment of its own, with a library that skewbench cannot have."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from skewbench import sql
from skewbench.eval.environments import Environment
from skewbench.eval.environments.find import packages_of
from skewbench.eval.environments.prepare import prepare
from tests.plugins.conftest import Python, skewbench_commands
from tests.tiny_wheel import save_wheel

PIP = ("skewbench_tiny==2.5", "packaging==1.0")
SCORE = ("score", "--local", "--metrics", "tiny_brightness")


def _save_tiny(folder: Path, version: str, scale: str) -> None:
    save_wheel(folder, "skewbench_tiny", version, {"skewbench_tiny.py": f"def scaled(value):\n    return {scale}\n"})


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    _save_tiny(folder, "2.5", "value * 2")
    save_wheel(folder, "packaging", "1.0", {"packaging/__init__.py": "__version__ = '1.0'\n"})
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Path:
    """The environment as somebody prepares it by hand, for all tests but the one that prepares it."""
    with pytest.MonkeyPatch.context() as patch:
        _use(patch, tmp_path_factory.mktemp("prepared"), wheels)
        return prepare(Environment("tiny", PIP))


def _use(patch: pytest.MonkeyPatch, folder: Path, wheels: Path) -> None:
    patch.setenv("SKEWBENCH_ENVIRONMENTS", str(folder))
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(wheels))


@pytest.fixture(autouse=True)
def nothing_prepared(tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _use(monkeypatch, tmp_path / "environments", wheels)


@pytest.fixture
def made(example: Path, python: Python, tmp_path: Path, tiny_sdxl: Path) -> Callable[..., Path]:
    """Generates and scores a small run in one process; returns its lake."""

    def run(metrics: tuple[str, ...] = ("contrast", "tiny_brightness")) -> Path:
        changes = {"model": {"id": str(tiny_sdxl)}, "metrics": metrics}
        arguments = ("-P", "-m", "tests.plugins.score_a_run", str(tmp_path / "lake"), json.dumps(changes))
        done = python(*arguments, packages=(example,))
        assert done.returncode == 0, done.stderr
        return tmp_path / "lake"

    return run


def _rows(lake: Path, columns: str = "metric, value, reason, package") -> list[tuple[object, ...]]:
    with sql.connect(lake) as connection:
        statement = f"SELECT DISTINCT {columns} FROM scores WHERE scorer = 'tiny_brightness' ORDER BY ALL"
        return connection.execute(statement).fetchall()


def _brightness(lake: Path) -> list[float]:
    with sql.connect(lake) as connection:
        statement = "SELECT value FROM scores WHERE metric = 'tiny_brightness' ORDER BY sample_id"
        return [value for (value,) in connection.execute(statement).fetchall()]


@pytest.mark.slow
def test_a_local_run_prepares_it_and_another_version_scores_again(
    made: Callable[..., Path], example: Path, python: Python, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = made()
    rows = _rows(lake)
    assert {package for *_, package in rows} == {"skewbench_tiny 2.5"}
    assert {value for metric, value, *_ in rows if metric == "tiny_old"} == {1.0}
    before = _brightness(lake)
    assert len(before) == 8
    assert all(0 < value < 2 * 255 for value in before)
    (environment,) = (path for path in (tmp_path / "environments").iterdir() if path.is_dir())
    newer = tmp_path / "newer"
    environment.rename(newer)
    about = packages_of(newer) / "skewbench_tiny-2.5.dist-info"
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: skewbench_tiny\nVersion: 2.10\n")
    (packages_of(newer) / "skewbench_tiny.py").write_text("def scaled(value):\n    return value * 3\n")
    monkeypatch.setenv("SKEWBENCH_ENV_TINY", str(newer))
    first, second = skewbench_commands(
        python, [*SCORE, "--lake", str(lake)], [*SCORE, "--lake", str(lake)], packages=(example,)
    )
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert {package for *_, package in _rows(lake)} == {"skewbench_tiny 2.10"}
    assert _brightness(lake) == pytest.approx([value * 1.5 for value in before])
    with sql.connect(lake) as connection:
        keys = "SELECT DISTINCT comparability FROM metric_values WHERE metric = 'tiny_old'"
        assert connection.execute(keys).fetchall() == [("tiny_brightness 1 skewbench_tiny 2.10",)]


@pytest.mark.slow
def test_without_its_wheel_the_metric_is_null_until_it_is_prepared(
    made: Callable[..., Path], example: Path, python: Python, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "none").mkdir()
    with monkeypatch.context() as patch:
        patch.setenv("PIP_FIND_LINKS", str(tmp_path / "none"))
        lake = made()
        rows = _rows(lake)
        assert {value for _, value, *_ in rows} == {None}
        (reason,) = {reason for _, _, reason, _ in rows}
        assert str(reason).startswith("environment tiny could not be prepared (Could not find a version")
        assert str(reason).endswith("; `skewbench weights get tiny`")
        (again,) = skewbench_commands(python, [*SCORE, "--lake", str(lake)], packages=(example,))
        assert "nothing to do" in again.stdout
        assert len(list((lake / "scores").rglob("*.parquet"))) == 8  # nothing was scored again
    got, done = skewbench_commands(
        python, ["weights", "get", "tiny"], [*SCORE, "--lake", str(lake)], packages=(example,)
    )
    assert got.returncode == 0, got.stderr
    assert done.returncode == 0, done.stderr
    assert {reason for _, _, reason, _ in _rows(lake)} == {None}


@pytest.mark.slow
def test_two_workers_on_ray_prepare_it_once_and_compute_in_it(
    made: Callable[..., Path], example: Path, python: Python, tmp_path: Path
) -> None:
    lake = made(("contrast",))
    done = python("-P", "-m", "tests.plugins.score_on_ray", str(lake), "tiny_brightness", packages=(example,))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str([None] * 4)
    rows = _rows(lake)
    assert {package for *_, package in rows} == {"skewbench_tiny 2.5"}
    assert {value for metric, value, *_ in rows if metric == "tiny_old"} == {1.0}
    assert len([path for path in (tmp_path / "environments").iterdir() if path.is_dir()]) == 1


PROCESS = """
import os, sys, time
import numpy as np
from skewbench.eval.scorers import make
scorer = make("tiny_brightness")
images = np.full((2, 4, 4, 3), 10, np.uint8)
print([score.value for score in scorer.score(images, ["a", "b"])["tiny_brightness"]])
print(scorer._process._process.pid, flush=True)
try:
    exec(sys.argv[1])
except Exception as error:
    print(type(error).__name__, error)
print([score.value for score in scorer.score(images[:1], ["a"])["tiny_brightness"]])
"""


def _in_process(example: Path, python: Python, code: str) -> list[str]:
    done = python("-P", "-c", PROCESS, code, packages=(example,))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_errors_of_the_scorer_and_the_end_of_its_process_are_named(
    prepared: Path, example: Path, python: Python, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKEWBENCH_ENV_TINY", str(prepared))
    values, _, error, again = _in_process(example, python, "scorer.score(images, ['a'])")
    assert (values, again) == ("[20.0, 20.0]", "[20.0]")
    assert error == "ValueError number of prompts and samples differ: 2 samples, 1 prompts"
    wrong = "scorer._process.call('tiny_brightness', 'score', images, ['a'])"
    *_, error, again = _in_process(example, python, wrong)
    assert error == (
        "EnvironmentFailed tiny_brightness in environment tiny: "
        "ValueError: number of prompts and samples differ: 2 samples, 1 prompts"
    )
    killed = "os.kill(scorer._process._process.pid, 9); scorer.score(images, ['a', 'b'])"
    *_, error, again = _in_process(example, python, killed)
    assert "the process of environment tiny ended with exit code -9" in error
    assert again == "[20.0]"


def test_it_ends_with_its_parent(prepared: Path, example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the middle of a batch, and when the parent is killed."""
    path = os.pathsep.join([str(example), os.environ.get("PYTHONPATH", ""), str(Path(__file__).parents[2])])
    environment = {**os.environ, "PYTHONPATH": path, "SKEWBENCH_ENV_TINY": str(prepared)}
    command = [sys.executable, "-P", "-c", PROCESS, "time.sleep(600)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout
        parent.stdout.readline()
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + 60
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.05)
