"""`skewbench query`, `claims` and `report`: what a person sees of synthetic lakes."""

import io
import json
import sys
from pathlib import Path

import polars as pl
import pytest

from skewbench import sql
from skewbench.flows.cli import main
from skewbench.sql.connection import BRANCHES
from tests.lakes import Lake, drop_table, made


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["skewbench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("lake")
    made(folder, Lake(prompts=12, images=False))
    return str(folder)


def test_rows_as_parquet(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], lake: str
) -> None:
    assert run(monkeypatch, "query", "static_effect", "--lake", lake, "--format", "parquet") == 0
    rows = pl.read_parquet(io.BytesIO(capsysbinary.readouterr().out))
    assert set(rows["metric"]) == {"aesthetic", "scene", "diversity", "alignment"}


def test_a_condition_selects_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lake: str
) -> None:
    def answer(*options: str) -> list[tuple[str, str, int]]:
        assert run(monkeypatch, "query", "static_effect", "--lake", lake, "--format", "json", *options) == 0
        return [(row["cell"], row["metric"], row["n"]) for row in json.loads(capsys.readouterr().out)]

    rows = answer()
    selected = answer("--where", "metric = 'aesthetic' AND n > 1")
    assert selected == [(cell, metric, n) for cell, metric, n in rows if metric == "aesthetic" and n > 1]
    assert 0 < len(selected) < len(rows)
    assert run(monkeypatch, "query", "static_effect", "--lake", lake, "--where", "n < 0") == 0
    assert f"none of the {len(rows)} rows meets --where" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("metrc = 'scene'", r"""--where "metrc = 'scene'": unable to find column "metrc"; columns: run_id, cell"""),
        ("n +", "--where 'n +': unable to parse"),
        ("n", "--where 'n': filter predicate must be of type `Boolean`"),
    ],
)
def test_a_condition_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lake: str, where: str, message: str
) -> None:
    assert run(monkeypatch, "query", "static_effect", "--lake", lake, "--where", where) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1


def test_a_figure_takes_no_condition(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lake: str
) -> None:
    assert run(monkeypatch, "query", "regimes", "--lake", lake, "--figure", "a.svg", "--where", "n > 1") == 2
    assert "has no effect on --figure" in capsys.readouterr().err


def test_a_query_is_described_without_a_lake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(monkeypatch, "query", "worst_fraction", "--columns", "--lake", str(tmp_path / "none")) == 0
    printed = capsys.readouterr().out
    query = sql.find("worst_fraction")
    for text in (query.question, *query.method.splitlines(), query.source):
        assert text in printed
    for one in (*query.columns, *query.parameters):
        assert one.name in printed
        assert one.meaning in printed


def test_the_figure_of_a_query_becomes_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lake: str, tmp_path: Path
) -> None:
    drawn = tmp_path / "regimes.svg"
    assert run(monkeypatch, "query", "regimes", "--lake", lake, "--figure", str(drawn)) == 0
    printed = capsys.readouterr().out
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["regimes-2.svg", "regimes-3.svg", "regimes.svg"]
    assert "regimes-2.svg: Change of" in printed
    assert "<svg" in drawn.read_text()
    assert run(monkeypatch, "query", "correlations", "--lake", lake, "--figure", str(tmp_path / "heatmap.png")) == 0
    assert (tmp_path / "heatmap.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "heatmap-2.png").exists()  # the narrow one is for phones
    capsys.readouterr()
    assert run(monkeypatch, "query", "speed", "--lake", lake, "--figure", str(drawn)) == 2
    assert "has no figure; queries with one: attribute_diversity, change_by_alignment, " in capsys.readouterr().err
    assert run(monkeypatch, "query", "regimes", "--lake", lake, "--figure", "x.jpg") == 2
    assert "must end in .png or .svg" in capsys.readouterr().err


def test_parquet_is_not_for_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lake: str
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(monkeypatch, "query", "speed", "--lake", lake, "--format", "parquet") == 2
    assert "redirect them to a file" in capsys.readouterr().err


@pytest.mark.parametrize("branch", BRANCHES)
def test_each_branch_is_offered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lake: str, branch: str
) -> None:
    assert run(monkeypatch, "query", "correlations", "--lake", lake, "--branch", branch, "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)
    expected = sql.query(sql.connect(lake), "correlations", branch=branch)
    assert [row["rho"] for row in rows] == pytest.approx(expected["rho"].to_list())


def test_claims(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lake: str) -> None:
    assert run(monkeypatch, "claims", "--lake", lake, "--format", "json") == 0
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    assert len(rows) == 90
    assert {"claim", "published", "ours", "low", "high", "n", "verdict"} <= set(rows[0])
    assert "not applicable" in printed.err
    assert run(monkeypatch, "claims", "--lake", lake) == 0
    assert "raises it on the worst 20% by aesthetic" in capsys.readouterr().out


def test_a_missing_metric_is_told_beside_the_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lake: str
) -> None:
    assert run(monkeypatch, "query", "correlations", "--lake", lake, "--format", "csv") == 0
    assert "note: image_reward is missing: weights missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "noted"),
    [
        (
            ["static_effect"],
            "note: 4 metrics have no values (fid, hps, image_reward, …): see `skewbench runs show RUN`",
        ),
        (
            ["worst_fraction"],
            "note: 3 metrics have no values (hps, image_reward, pickscore): see `skewbench runs show RUN`",
        ),
        (["change_by_alignment", "--set", "metric=hps"], "note: hps is missing: weights missing"),
        (["change_by_alignment"], ""),
        (["speed"], ""),
    ],
)
def test_many_missing_metrics_are_a_line_and_only_where_a_query_is_about_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, asked: list[str], noted: str
) -> None:
    preference = ("image_reward", "hps", "pickscore")
    reasons = [{"metric": metric, "reason": "weights missing"} for metric in (*preference, "fid")]
    made(tmp_path, Lake(images=False, missing=preference), missing_metrics=reasons)
    assert run(monkeypatch, "query", *asked, "--lake", str(tmp_path)) == 0
    shown = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note") and "no rows" not in line]
    assert len(shown) == bool(noted)
    assert "".join(shown).startswith(noted)


@pytest.mark.parametrize("name", ["correlations", "worst_fraction", "knob_ranking", "pareto_front"])
def test_a_run_without_scores_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    drop_table(tmp_path, made(tmp_path, Lake(images=False)), "scores", "group_scores")
    assert run(monkeypatch, "query", name, "--lake", str(tmp_path)) == 0
    assert "no metric has a value" in capsys.readouterr().err


def test_a_run_without_a_baseline_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made(tmp_path, Lake(images=False, knobs=("a1.05-b3",)))
    assert run(monkeypatch, "query", "static_effect", "--lake", str(tmp_path)) == 0
    assert "a baseline to compare with" in capsys.readouterr().err
    assert run(monkeypatch, "claims", "--lake", str(tmp_path)) == 0


def test_a_run_that_was_stopped_is_told_what_can_be_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run_id = made(tmp_path, Lake(images=False, status="running"))
    assert run(monkeypatch, "query", "correlations", "--run", run_id, "--lake", str(tmp_path)) == 2
    assert "was stopped; `skewbench run` resumes it" in capsys.readouterr().err
    assert run(monkeypatch, "report", run_id, "--lake", str(tmp_path)) == 0  # as it advises


@pytest.mark.parametrize("command", [["query", "correlations"], ["claims"], ["report"]])
def test_an_empty_run_is_no_stack_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]
) -> None:
    run_id = made(tmp_path, Lake(images=False, status="incomplete"))
    drop_table(tmp_path, run_id, "samples", "stability", "scores", "group_scores")
    named = ["--run", run_id] if command[0] == "query" else [run_id]
    assert run(monkeypatch, *command, *named, "--lake", str(tmp_path)) == 0
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("value", ["nan", "inf", "-Infinity", "1e999", "much", ""])
def test_what_is_no_number_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lake: str, value: str
) -> None:
    assert run(monkeypatch, "query", "worst_fraction", "--lake", lake, "--set", f"fraction={value}") == 2
    shown = capsys.readouterr().err
    assert f"fraction {value!r}: not a number" in shown
    assert "Traceback" not in shown


def test_a_cell_may_be_named_by_a_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made(tmp_path, Lake(images=False, knobs=("baseline", "1.20")))
    command = ["query", "correlations", "--lake", str(tmp_path), "--format", "json", "--set", "cell=1.20"]
    assert run(monkeypatch, *command) == 0
    assert {row["cell"] for row in json.loads(capsys.readouterr().out)} == {"1.20"}


def test_an_unknown_category_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lake: str
) -> None:
    assert run(monkeypatch, "query", "static_effect", "--lake", lake, "--set", "category=flat") == 2
    assert "category 'flat'" in capsys.readouterr().err


def test_two_runs_are_compared_by_what_their_ids_begin_with(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    earlier, later, _ = (made(tmp_path, Lake(name=name, images=False)) for name in ("one", "two", "three"))
    command = ["query", "run_changes", "--lake", str(tmp_path), "--format", "json"]
    for given in (["--run", "two", "--set", "against=one"], ["--set", f"run={later}", "--set", "against=one"]):
        assert run(monkeypatch, *command, *given) == 0
        rows = json.loads(capsys.readouterr().out)
        assert {(row["run_id"], row["against"]) for row in rows} == {(later, earlier)}
    assert run(monkeypatch, *command, "--run", "two") == 0
    assert {row["run_id"] for row in json.loads(capsys.readouterr().out)} == {later}


def test_lists_go_into_csv_and_bytes_into_parquet_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made(tmp_path, Lake(prompts=2))
    command = ["sql", "--lake", str(tmp_path), "--format"]
    assert run(monkeypatch, *command, "csv", "SELECT energy_steps, NULL::INT[] AS none FROM stability LIMIT 1") == 0
    (row,) = pl.read_csv(io.StringIO(capsys.readouterr().out)).to_dicts()
    assert len(json.loads(row["energy_steps"])) > 1
    assert row["none"] is None
    for format in ("csv", "json"):
        assert run(monkeypatch, *command, format, "SELECT image FROM images LIMIT 1") == 2
        assert "column 'image' contains bytes; leave it out, or use --format parquet" in capsys.readouterr().err
