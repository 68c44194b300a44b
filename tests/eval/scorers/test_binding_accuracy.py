"""How well the binding scorer sees, by numbers: thresholds are those promised, measured values are higher."""

import pytest
from typer.testing import CliRunner

from skewbench.eval.binding.__main__ import main
from skewbench.eval.binding.defects import DEFECTS
from skewbench.eval.binding.evaluate import evaluate

SCENES = 150


@pytest.fixture(scope="module")
def report():
    return evaluate(SCENES, seed=7)


@pytest.mark.slow
@pytest.mark.parametrize("attribute", ["count", "background", "colour", "shape", "texture", "size", "relation"])
def test_attributes_of_damaged_images_are_right(report, attribute):
    assert sum(n for key, n in report.seen.items() if key[0] == attribute) >= SCENES
    assert report.accuracy(attribute) >= 0.98


def test_all_attributes_together_are_right(report):
    assert report.accuracy() >= 0.99


@pytest.mark.parametrize("defect", DEFECTS)
def test_defects_are_named(report, defect):
    assert report.named[defect, True] + report.named[defect, False] >= 30
    assert report.share_named(defect) >= 0.95


def test_faithful_images_have_no_defects(report):
    assert report.false_alarms.total() <= 0.02 * SCENES


def test_the_command_prints_tables():
    import typer

    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, ["--scenes", "3"])
    assert result.exit_code == 0, result.output
    assert "attributes seen" in result.output
    assert "two objects fused" in result.output
