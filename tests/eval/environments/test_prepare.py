"""Environments are prepared whole or not at all, once, from wheels; skewbench's own packages stay as they are."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest

from skewbench.eval.environments import Environment, find, missing, package_of, unprepared
from skewbench.eval.environments.find import failure, packages_of, place, version_in
from skewbench.eval.environments.prepare import NotPrepared, prepare
from tests.processes import command_line
from tests.tiny_wheel import save_wheel

TINY = Environment("tiny", ("skewbench_tiny==2.5",))
PREPARE = """
import sys
from skewbench.eval.environments import Environment
from skewbench.eval.environments.prepare import prepare
print(prepare(Environment("tiny", ("skewbench_tiny==2.5",)), say=lambda line: print(line, flush=True)))
"""


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels instead of an index, and an empty folder of environments."""
    monkeypatch.setenv("SKEWBENCH_ENVIRONMENTS", str(tmp_path / "environments"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    save_wheel(tmp_path / "wheels", "skewbench_tiny", "2.5", {"skewbench_tiny.py": "NAME = 'tiny'\n"})
    return tmp_path / "wheels"


def _names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "environments").iterdir() if not path.name.endswith(".lock"))


def test_it_is_prepared_once_and_found(tmp_path: Path) -> None:
    said: list[str] = []
    assert (find(TINY), missing(TINY)) == (None, None)
    assert unprepared(TINY) == "environment tiny is not prepared; `skewbench weights get tiny`"
    path = prepare(TINY, said.append)
    assert path == place(TINY) == find(TINY)
    assert (package_of(TINY), unprepared(TINY)) == ("skewbench_tiny 2.5", None)
    assert "pip install skewbench_tiny==2.5" in said[0]
    assert "prepared in" in said[-1]
    assert _names(tmp_path) == [TINY.key]
    again: list[str] = []
    assert (prepare(TINY, again.append), again) == (path, [])
    (path / "bin" / "python").unlink()
    (path / "bin" / "python").symlink_to(tmp_path / "removed")
    assert find(TINY) is None
    assert prepare(TINY) == path == find(TINY)


def test_what_it_requires_comes_too_and_what_is_shared_stays(wheels: Path) -> None:
    """`packaging` is a package of ours of another version; `pillow` is one that it can share."""
    ours = version("packaging")
    save_wheel(wheels, "packaging", "1.0", {"packaging/__init__.py": "OLD = True\n"})
    save_wheel(wheels, "skewbench_tiny", "3.0", {"skewbench_tiny.py": ""}, ("packaging<2", "pillow"))
    path = prepare(Environment("tiny", ("skewbench_tiny==3.0",)))
    assert (version_in(path, "packaging"), version_in(path, "pillow")) == ("1.0", None)
    assert version("packaging") == ours
    alone = prepare(Environment("tiny", ("skewbench_tiny==3.0",), dependencies=False))
    assert version_in(alone, "packaging") is None


def test_an_installation_without_pip_uses_the_one_that_python_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skewbench.eval.environments.prepare.find_spec", lambda _name: None)
    path = prepare(TINY)
    assert version_in(path, "skewbench_tiny") == "2.5"
    assert version_in(path, "pip") is not None


@pytest.mark.parametrize(
    ("pip", "reason"),
    [
        (("skewbench_tiny==9",), r"Could not find a version .* skewbench_tiny==9 \(from versions: 2\.5\)"),
        (("skewbench_tiny==2.5", "skewbench_tiny<2"), "conflicting dependencies"),
    ],
)
def test_what_cannot_be_prepared_says_why_and_is_tried_again_on_request(
    wheels: Path, tmp_path: Path, pip: tuple[str, ...], reason: str
) -> None:
    wrong = Environment("tiny", pip)
    with pytest.raises(NotPrepared, match=rf"{reason}.*; `skewbench weights get tiny`"):
        prepare(wrong)
    assert _names(tmp_path) == [f"{wrong.key}.failed"]
    assert missing(wrong) == unprepared(wrong) is not None
    said: list[str] = []
    with pytest.raises(NotPrepared, match=reason):
        prepare(wrong, said.append)
    assert said == []
    if wrong.version == "9":
        save_wheel(wheels, "skewbench_tiny", "9", {"skewbench_tiny.py": ""})
        assert package_of(wrong) == "skewbench_tiny 9"
        assert prepare(wrong, again=True) == find(wrong)
        assert failure(wrong) is None


def test_another_python_is_needed() -> None:
    future = Environment("tiny", TINY.pip, python=">=4")
    assert "environment tiny needs Python >=4, and this is 3." in str(missing(future))
    with pytest.raises(NotPrepared, match="needs Python >=4"):
        prepare(future)


def test_a_folder_that_somebody_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold another version. A folder that is no environment is named, and nothing is prepared in its place."""
    other = tmp_path / "other"
    monkeypatch.setenv("SKEWBENCH_ENV_TINY", str(other))
    assert "SKEWBENCH_ENV_TINY is" in str(missing(TINY))
    assert "no environment is there, since it has no bin/python" in str(missing(TINY))
    (other / "bin").mkdir(parents=True)
    (other / "bin" / "python").symlink_to(sys.executable)
    assert "since it has no lib/python3" in str(missing(TINY))
    packages_of(other).mkdir(parents=True)
    assert "package skewbench_tiny is not installed there" in str(missing(TINY))
    with pytest.raises(NotPrepared, match="is not installed there"):
        prepare(TINY, again=True)
    about = packages_of(other) / "skewbench_tiny-2.6.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: skewbench_tiny\nVersion: 2.6\n")
    assert prepare(TINY) == other
    assert package_of(TINY) == "skewbench_tiny 2.6"


def _start() -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-P", "-c", PREPARE], stdout=subprocess.PIPE, text=True)


def _building(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "environments").glob(f".{TINY.key}.*"))


def _until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def _runs_pip(process: "subprocess.Popen[str]") -> bool:
    return any("pip" in command_line(child) for child in psutil.Process(process.pid).children())


@pytest.mark.parametrize("stage", ["venv", "pip"])
def test_killed_while_preparing_nothing_half_there_is_used(tmp_path: Path, stage: str) -> None:
    """pip outlives its parent; who prepares next waits for it."""
    with _start() as process:
        _until(lambda: _building(tmp_path) if stage == "venv" else _runs_pip(process))
        process.send_signal(signal.SIGKILL)
    assert find(TINY) is None
    (left,) = _building(tmp_path)
    assert prepare(TINY) == find(TINY)
    assert not left.exists()
    assert _names(tmp_path) == [TINY.key]


def test_two_processes_prepare_once(tmp_path: Path) -> None:
    with _start() as one, _start() as other:
        said = [process.communicate(timeout=300)[0] for process in (one, other)]
    assert [process.returncode for process in (one, other)] == [0, 0]
    assert [text.splitlines()[-1] for text in said] == [str(place(TINY))] * 2
    assert sum("preparing" in text for text in said) == 1
    assert _names(tmp_path) == [TINY.key]


def test_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SKEWBENCH_ENVIRONMENTS", str(tmp_path / "file" / "below"))
    with pytest.raises(NotPrepared, match=r"could not be prepared in .*file/below"):
        prepare(TINY)
    assert {path.name for path in tmp_path.iterdir()} == {"wheels", "file"}
