"""A cell with a rule of guidance, alone and beside other knobs, and a weak branch: run, lake, report and replay."""

import json
from pathlib import Path

import pytest

from skewbench import sql
from skewbench.sql.cells import read_cell
from skewbench.stability.knobs import Apg, Cads, Guidance, Skew
from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from skewbench.tasks.cells import cell_entry, cell_words
from skewbench.tasks.experiment import Experiment, GenerationSpec
from skewbench.tasks.local import run_locally
from skewbench.tasks.run import prepare
from skewbench.tasks.size import Size
from tests.families import replays
from tests.tasks.experiments import BASELINE, small

LATER = ("heads", "schedule", "weak")
VANILLA = {"kind": "vanilla"}
WORDS = "skew, α 1.4, β 1; apg, ∥ 0; cads, s 0.25, τ₁ 0.6, τ₂ 0.9"
CELLS = [
    {"name": "same", "knob": VANILLA, "guidance_rule": {"kind": "guidance"}},  # before the baseline: it is none
    BASELINE,
    {
        "name": "both",
        "knob": {"kind": "skew", "alpha": 1.4},
        "guidance_rule": {"kind": "apg", "eta": 0.0},
        "condition": {"kind": "cads"},
    },
    {"name": "weak", "knob": {"kind": "pag", "share": 1.0, "weak": 2.0}},
]


@pytest.fixture(scope="module")
def lake(tiny_sdxl: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lake with one finished run."""
    folder = tmp_path_factory.mktemp("rules")
    experiment = small(model={"id": str(tiny_sdxl)}, cells=CELLS, metrics=["sharpness"], workers={"batch": 1})
    run_locally(prepare(experiment, str(folder / "lake")), lambda _outcome: None)
    return folder


def test_the_lake_has_all_knobs_of_a_cell(lake: Path) -> None:
    with sql.connect(lake / "lake") as connection:
        rows = connection.execute("SELECT cell, baseline, knob, family, words, strengths FROM knobs ORDER BY cell")
        found = {row[0]: row[1:] for row in rows.fetchall()}
        kept = "SELECT DISTINCT setting FROM samples WHERE cell = 'both'"
        ((setting,),) = connection.execute(kept).fetchall()
        effects = {row["cell"]: row["change"] for row in sql.query(connection, "static_effect").to_dicts()}
    assert found["baseline"][:3] == (True, "vanilla", "baseline")
    assert found["same"][:4] == (False, "vanilla", "guidance", "guidance")
    assert found["both"][1:4] == ("skew", "static; apg; cads", WORDS)
    assert [each["name"] for each in json.loads(found["both"][4])] == ["alpha", "beta", "eta", "noise", "tau1", "tau2"]
    assert json.loads(setting)["guidance_rule"] == Apg(eta=0.0).setting
    assert json.loads(setting)["knob"] == Skew(1.4).setting
    assert json.loads(setting)["condition"] == Cads().setting
    assert abs(effects["same"]) < 1e-4 < abs(effects["both"])


def test_rows_of_a_weak_branch_are_apart_from_a_samples_mean(lake: Path) -> None:
    by_branch = "SELECT branch, avg(alignment), count(*) FROM stability WHERE cell = 'weak' GROUP BY branch"
    shown = "SELECT avg(alignment) FROM stage_stability WHERE stage = 'all' AND cell = 'weak'"
    profile = "SELECT sum(alignment * n) / sum(n) FROM block_means('rows') WHERE cell = 'weak'"
    with sql.connect(lake / "lake") as connection:
        found = {branch: value for branch, value, _ in connection.execute(by_branch).fetchall()}
        assert set(found) == {"uncond", "cond", "weak"}
        assert abs(found["weak"] - found["cond"]) > 1e-3
        plain = (found["uncond"] + found["cond"]) / 2
        assert connection.execute(shown).fetchall() == [(pytest.approx(plain, rel=1e-5),)]
        connection.execute("CREATE TEMP VIEW rows AS SELECT *, NULL::SMALLINT AS step FROM stability")
        assert connection.execute(profile).fetchall() == [(pytest.approx(plain, rel=1e-5),)]
    with sql.connect(lake / "lake", branch="weak") as connection:
        assert connection.execute(shown).fetchall() == [(pytest.approx(found["weak"], rel=1e-5),)]


def test_the_report_shows_them(lake: Path) -> None:
    (page,) = (lake / "lake" / "_reports").glob("*.html")
    assert WORDS in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("cell", ["same", "both", "weak"])
def test_a_replay_gives_the_image_to_the_bit(lake: Path, cell: str) -> None:
    assert replays(lake, cell)


def test_the_manifest_gives_the_experiment_back(lake: Path) -> None:
    experiment = Experiment.model_validate(find_run(LocalStore(lake / "lake"), None).experiment)
    assert experiment.baseline == "baseline"
    assert [cell.guidance_rule for cell in experiment.cells] == [Guidance(), None, Apg(eta=0.0), None]
    assert cell_words(experiment.cells[0], experiment.generation) == "guidance"


def test_a_setting_of_an_older_run_is_the_same() -> None:
    """Its manifest lacks the fields that knobs got later."""
    (cell,) = small(cells=[{"name": "s", "knob": {"kind": "skew", "alpha": 1.2}}]).cells
    entry = cell_entry(cell, GenerationSpec(), Size(64, 64))
    older = {**entry, "knob": {name: value for name, value in entry["knob"].items() if name not in LATER}}
    assert read_cell(older).settings == read_cell(entry).settings
    oldest = {"name": "s", "knob": {"kind": "skew", "alpha": 1.2}}
    assert read_cell(oldest).settings == read_cell(entry).settings
    assert not set(LATER) & set(read_cell({"name": "b", "knob": {"kind": "vanilla"}}).settings)
