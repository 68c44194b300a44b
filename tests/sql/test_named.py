import re
from importlib.resources import files
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from skewbench import sql
from skewbench.eval.regressions import VERDICTS as JUDGED
from skewbench.sql.named import NUMBERS, VERDICTS
from tests.lakes import KNOBS, Lake, make
from tests.tasks.two_runs import add_regressions, alter, with_column


def test_every_query_says_what_it_answers() -> None:
    for query in sql.queries():
        assert query.description.endswith("?") or "." in query.description
        assert "Columns:" in query.documentation
        assert "Source:" in query.documentation


@pytest.mark.parametrize("name", [query.name for query in sql.queries()])
def test_every_query_returns_the_columns_that_it_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make(tmp_path, Lake(knobs=tuple(KNOBS)))
    with monkeypatch.context() as patch:  # a second run of the same pictures, for queries that compare runs
        patch.setattr(Lake, "run_id", property(lambda lake: "toy-later"))
        make(tmp_path, Lake(knobs=tuple(KNOBS)))
    alter(tmp_path, "toy-later", "stability", with_column("energy_steps", lambda row: [9.0] * 4))
    add_regressions(tmp_path, "toy-later")
    answer = sql.query(sql.connect(tmp_path), name)
    documentation = next(query.documentation for query in sql.queries() if query.name == name)
    assert answer.height > 0
    for column in answer.columns:
        assert column in documentation


@pytest.mark.parametrize("name", [query.name for query in sql.queries()])
def test_a_run_without_scores_stability_or_lost_cells_gives_no_error(tmp_path: Path, name: str) -> None:
    make(tmp_path, Lake(prompts=1, seeds=1, steps=0, images=False, missing=(), knobs=("baseline",), lost=False))
    sql.query(sql.connect(tmp_path), name)


def test_parameters_are_put_back(tmp_path: Path) -> None:
    make(tmp_path, Lake(images=False))
    connection = sql.connect(tmp_path, branch="cond")
    cond = sql.query(connection, "correlations")
    assert not sql.query(connection, "correlations", branch="uncond").equals(cond)
    assert_frame_equal(sql.query(connection, "correlations"), cond)


def test_numbers_are_the_parameters_that_are_read_as_numbers() -> None:
    sql = files("skewbench.sql")
    texts = [path.read_text() for folder in ("queries", "views") for path in (sql / folder).iterdir()]
    read = [re.findall(r"getvariable\('(\w+)'\)::(\w+)", text) for text in texts]
    kinds = {(name, kind) for found in read for name, kind in found}
    assert {name for name, kind in kinds if kind == "DOUBLE"} == set(NUMBERS)
    assert {kind for _, kind in kinds} == {"DOUBLE", "VARCHAR"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "nan", "a lot"])
def test_a_number_that_is_none_is_told(tmp_path: Path, value: str | float) -> None:
    make(tmp_path, Lake(images=False))
    connection = sql.connect(tmp_path)
    with pytest.raises(ValueError, match=r"fraction .*: a number is wanted"):
        sql.query(connection, "worst_fraction", fraction=value)
    connection.execute("SET VARIABLE fraction = 'nan'::DOUBLE")  # by hand, and put back after a query with another
    half = sql.query(connection, "worst_fraction", fraction=0.5)
    assert_frame_equal(sql.query(connection, "worst_fraction", fraction="0.5"), half)


def test_what_is_not_known_is_told(tmp_path: Path) -> None:
    make(tmp_path, Lake(images=False))
    connection = sql.connect(tmp_path)
    with pytest.raises(ValueError, match=r"did you mean 'correlations'.*operating_curve"):
        sql.query(connection, "corelations")
    with pytest.raises(ValueError, match="no parameter 'cel'; its parameters: cell, branch"):
        sql.query(connection, "correlations", cel="x")
    with pytest.raises(ValueError, match="one of cond, uncond"):
        sql.query(connection, "correlations", branch="x")
    with pytest.raises(ValueError, match=r"no cell 'a9'; there are: a1.05-b3, a1.20-b5, baseline"):
        sql.query(connection, "correlations", cell="a9")
    with pytest.raises(ValueError, match="verdict 'foo': one of worse, changed, better"):
        sql.query(connection, "regressions", verdict="foo")
    with pytest.raises(ValueError, match=r"metric 'hsp': no metric of a picture; there are: [a-z_]+"):
        sql.query(connection, "change_by_alignment", metric="hsp")
    diversity = connection.execute("SELECT metric FROM metrics WHERE kind = 'prompt'").fetchall()[0][0]
    with pytest.raises(ValueError, match=f"fidelity '{diversity}': no metric of a picture"):
        sql.query(connection, "pareto_front", fidelity=diversity)
    with pytest.raises(ValueError, match=f"diversity 'hsp': no metric of a set of pictures; there are: .*{diversity}"):
        sql.query(connection, "pareto_front", diversity="hsp")
    for parameter in ("run", "against"):
        with pytest.raises(ValueError, match=f"{parameter} 'tou': no such run; there are: toy-"):
            sql.query(connection, "run_changes", **{parameter: "tou"})


def test_the_verdicts_that_a_query_takes_are_those_that_rows_have(tmp_path: Path) -> None:
    assert set(VERDICTS) == set(JUDGED)
    make(tmp_path, Lake(images=False))
    for verdict in VERDICTS:
        assert sql.query(sql.connect(tmp_path), "regressions", verdict=verdict).is_empty()
