"""`skewbench runs show`: what a person reads, and pastes into an experiment."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from skewbench.flows.cli import app
from tests.lakes import Lake, made


def show(lake: Path) -> str:
    shown = CliRunner().invoke(app, ["runs", "show", "toy", "--lake", str(lake)])
    assert shown.exit_code == 0
    return shown.stdout


def test_a_run_is_shown_as_yaml_each_setting_once(tmp_path: Path) -> None:
    made(tmp_path, Lake(images=False), identity={"metrics": ["scene", "diversity"], "revision": "abc"})
    shown = show(tmp_path)
    content = yaml.safe_load(shown)
    assert content["experiment"]["metrics"] == ["scene", "diversity"]
    assert content["identity"] == {"revision": "abc"}
    assert content["missing_metrics"] == {"image_reward": "weights missing"}
    assert content["rows"]["samples"] == 72
    assert shown.count("diversity") == 1
    assert "metrics: [scene, diversity]" in shown


@pytest.mark.parametrize(("description", "plain"), [("ein Würfel, 立方体", True), ("a\u202e\x1b[2J cube", False)])
def test_a_run_of_others_steers_no_terminal(tmp_path: Path, description: str, plain: bool) -> None:
    made(tmp_path, Lake(images=False), description)
    shown = show(tmp_path)
    assert yaml.safe_load(shown)["experiment"]["description"] == description
    assert (description in shown) == plain
    assert not set(shown) & set("\x1b\u202e")
