"""`skewbench weights`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skewbench.eval.environments import Environment
from skewbench.eval.scorers import names
from skewbench.eval.scoring.declaration import ENVIRONMENTS
from skewbench.eval.weights import WEIGHTS, Source, Weights
from skewbench.flows.cli import app
from skewbench.vocabulary.errors import InputError, RunError
from tests.eval.scorers.registered import register
from tests.tiny_wheel import save_wheel

TINY = Environment("tiny", ("skewbench_tiny==2.5",))


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKEWBENCH_WEIGHTS", str(tmp_path))
    source = Source(("mine.pth",), url=(tmp_path / "origin.pth").as_uri())
    monkeypatch.setitem(WEIGHTS, "alexnet", Weights("alexnet", (source,), "BSD", 1))


def test_every_metric_is_listed_with_what_it_needs() -> None:
    listed = CliRunner().invoke(app, ["weights"], env={"COLUMNS": "250"})
    assert listed.exit_code == 0
    assert all(name in listed.stdout for name in names())
    assert "skewbench weights get alexnet" in listed.stdout
    assert "SKEWBENCH_WEIGHTS_<NAME>" in listed.stdout


def test_a_narrow_terminal_has_each_name_in_one_line() -> None:
    listed = CliRunner().invoke(app, ["weights"], env={"COLUMNS": "80", "TTY_COMPATIBLE": "1", "NO_COLOR": "1"})
    told = [line.split("│")[1:3] for line in listed.stdout.splitlines() if line.startswith("│")]
    assert {name.strip() for name, _ in told} - {""} == set(names())
    assert {need.strip() for _, need in told} >= {"clip-vit-l-14", "inception-2015-12-05", "nothing"}
    assert "skewbench weights get NAME" in listed.stdout


def test_weights_are_got_by_their_name_and_by_a_metrics(tmp_path: Path) -> None:
    (tmp_path / "origin.pth").write_bytes(b"numbers")
    for name in ("alexnet", "lpips_diversity"):
        got = CliRunner().invoke(app, ["weights", "get", name])
        assert (got.exit_code, got.stdout.strip()) == (0, f"alexnet: {tmp_path / 'alexnet/mine.pth'}")


def test_what_cannot_be_got_is_told(tmp_path: Path) -> None:
    unknown = CliRunner().invoke(app, ["weights", "get", "nothing"])
    assert isinstance(unknown.exception, InputError)
    failed = CliRunner().invoke(app, ["weights", "get", "alexnet"])
    assert isinstance(failed.exception, RunError)
    assert "SKEWBENCH_WEIGHTS_ALEXNET" in str(failed.exception)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scorer with an environment, for which there is no wheel yet; returns where wheels are looked for."""
    monkeypatch.setenv("SKEWBENCH_ENVIRONMENTS", str(tmp_path / "environments"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    (tmp_path / "wheels").mkdir()
    register(monkeypatch, "toy", lambda: None, environment=TINY)
    monkeypatch.setitem(ENVIRONMENTS, "tiny", TINY)
    return tmp_path / "wheels"


def _row() -> dict[str, object]:
    listed = CliRunner().invoke(app, ["weights", "--format", "json"])
    (row,) = (row for row in json.loads(listed.stdout) if row["needs"] == "environment tiny")
    return dict(row)


def test_an_environment_is_listed_and_prepared(tiny: Path, tmp_path: Path) -> None:
    row = {"metric": "toy", "needs": "environment tiny", "from": "pip: skewbench_tiny 2.5", "licence": None}
    assert _row() == {**row, "here": False, "MB": None, "to get it": "skewbench weights get tiny"}
    failed = CliRunner().invoke(app, ["weights", "get", "tiny"])
    assert isinstance(failed.exception, RunError)
    assert "environment tiny could not be prepared: Could not find a version" in str(failed.exception)
    assert "or name a folder that was prepared by hand in SKEWBENCH_ENV_TINY" in str(failed.exception)
    save_wheel(tiny, "skewbench_tiny", "2.5", {"skewbench_tiny.py": ""})
    got = CliRunner().invoke(app, ["weights", "get", "toy"])
    own = tmp_path / "environments" / TINY.key
    assert (got.exit_code, got.stdout.splitlines()[-1]) == (0, f"tiny: {own}")
    assert _row() == {**row, "here": True, "MB": 1, "to get it": str(own)}


def test_a_path_that_is_no_environment_is_bad_input(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKEWBENCH_ENV_TINY", str(tiny))
    failed = CliRunner().invoke(app, ["weights", "get", "tiny"])
    assert isinstance(failed.exception, InputError)
    assert (
        str(failed.exception) == f"SKEWBENCH_ENV_TINY is '{tiny}': no environment is there, since it has no bin/python"
    )
    assert _row()["to get it"] == str(failed.exception)
