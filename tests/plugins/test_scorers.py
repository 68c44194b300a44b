"""A scorer of another package goes wherever ours go; one that is broken costs a line and nothing else."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from skewbench import sql
from skewbench.eval.scorers import names
from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from skewbench.tasks.experiment import NightlySpec
from skewbench.tasks.regressions.margins import margins
from skewbench.tasks.report import report_run
from tests.plugins.conftest import Python, skewbench_commands


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Installed packages: one fails when it is imported, one takes a name of ours, one breaks the contract."""
    folder = tmp_path_factory.mktemp("broken")
    field = 'medium="image", metrics=[Metric(name="toy", label="Toy", meaning="a toy", better="neither", low=None, '
    field += "high=None, grows_with_n=False)]"
    score = "class Toy:\n    def score(self, images, prompts):\n        return {}\n"
    start = "from skewbench.eval.scorers import Metric, scorer\n"
    modules = {
        "fails": "import no_such_module\n",
        "takes": f'{start}@scorer(name="contrast", version=1, unit="sample", {field})\n{score}',
        "wrong": f'{start}@scorer(name="toy", version=1, unit="prompt", set="the seeds", {field})\n{score}',
    }
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
        about = folder / f"{name}-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (about / "entry_points.txt").write_text(f"[skewbench.scorers]\nscorer_of_{name} = {name}\n")
    return folder


@pytest.mark.slow
def test_its_values_reach_queries_and_report_with_label_and_side(
    example: Path, python: Python, tmp_path: Path, tiny_sdxl: Path
) -> None:
    """Also where the package is not installed: the run keeps what it knew."""
    lake = tmp_path / "lake"
    module = ("-m", "tests.plugins.score_a_run")
    changes = {"model": {"id": str(tiny_sdxl)}, "metrics": ["contrast", "warmth", "vendi_score"]}
    done = python(*module, str(lake), json.dumps(changes), packages=(example,))
    assert done.returncode == 0, done.stderr
    run_id = done.stdout.split()[-1]
    assert "warmth" not in names()
    store = LocalStore(lake)
    (declared,) = (metric for metric in find_run(store, run_id).metrics if metric["name"] == "warmth")
    assert (declared["scorer"], declared["better"], declared["low"]) == ("warmth", "lower", -255)
    with sql.connect(lake) as connection:
        known = "SELECT label, better, higher_is_better, worst > best FROM metrics WHERE metric = 'warmth'"
        assert connection.execute(known).fetchall() == [("Warmth of colour", "lower", False, True)]
        curve = sql.query(connection, "operating_curve").filter(metric="warmth")
        assert curve["n"].to_list() == [4, 4]
        assert curve["higher_is_better"].to_list() == [False, False]
        assert sql.query(connection, "static_effect").filter(metric="warmth")["n"].to_list() == [4]
        (main,) = connection.execute("SELECT metric FROM main_metrics WHERE role = 'fidelity'").fetchall()
        assert main == ("warmth",)  # contrast has no better side
        assert margins(connection, NightlySpec())("sample", "warmth", np.ones(3)).better == "lower"
    page = Path(report_run(store, run_id)).read_text(encoding="utf-8")
    assert "Warmth of colour" in page
    assert "Warmth of colour (better ←)" in page.replace("\\u2190", "←")


def test_commands_know_it_and_what_is_broken_is_a_line(broken: Path, example: Path, python: Python) -> None:
    lines = [
        "warning: scorer 'scorer_of_fails' of package fails is skipped: ModuleNotFoundError: No module named "
        "'no_such_module'",
        "warning: scorer 'contrast' of package takes is skipped: the name is taken by skewbench.eval.scorers.contrast",
        "warning: scorer 'toy' of package wrong is skipped: it is not a GroupScorer, which its unit prompt requires",
    ]
    (alone,) = skewbench_commands(python, ["weights"], packages=(example,))
    assert "warning" not in alone.stderr
    listed, planned = skewbench_commands(python, ["weights"], ["plan", "demo"], packages=(broken, example))
    for done in (listed, planned):
        assert done.returncode == 0, done.stderr
        assert [line for line in done.stderr.splitlines() if "warning: scorer" in line] == lines
    for done in (alone, listed):
        assert re.search(r"warmth +│ nothing +│ yes", done.stdout), done.stdout


def test_a_metric_that_is_left_out_is_an_error_that_says_why(broken: Path, python: Python, tmp_path: Path) -> None:
    code = "from skewbench.tasks.checks import check_metrics; check_metrics(['toy'])"
    done = python("-c", code, packages=(broken,))
    assert "metrics 'toy': no such scorer; there are aesthetic, attribute_clip" in done.stderr
    assert "scorer 'toy' of package wrong is skipped: it is not a GroupScorer" in done.stderr
