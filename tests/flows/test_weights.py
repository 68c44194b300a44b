"""`skewbench weights`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from skewbench.eval.scorers import names
from skewbench.eval.weights import WEIGHTS, Source, Weights
from skewbench.flows.cli import app
from skewbench.vocabulary.errors import InputError, RunError


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
