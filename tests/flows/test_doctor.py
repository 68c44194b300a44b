"""`skewbench doctor`: what it says of a lake that is not there yet."""

import os
from pathlib import Path
from typing import Any

import pytest

from skewbench.flows.cli import doctor


def test_a_lake_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._lake(str(tmp_path / "a" / "b")).good
    (tmp_path / "file").touch()
    found = doctor._lake(str(tmp_path / "file" / "b"))
    assert (found.good, "is a file" in found.result) == (False, True)
    monkeypatch.setattr(os, "access", lambda path, mode, **_others: not (Path(path) == tmp_path and mode & os.W_OK))
    found = doctor._lake(str(tmp_path / "a" / "b"))
    assert (found.good, f"{tmp_path} cannot be written" in found.result) == (False, True)
    assert not list(tmp_path.glob("a"))


def test_a_lake_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found: Any = doctor._lake(str(tmp_path / "file"))
    assert (found.good, "Not a directory" in found.result) == (False, True)
