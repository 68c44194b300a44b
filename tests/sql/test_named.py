from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from skewbench import sql
from skewbench.vocabulary.verdicts import VERDICTS
from tests.lakes import Lake, make
from tests.tasks.two_runs import add_regressions


def test_parameters_are_put_back(tmp_path: Path) -> None:
    make(tmp_path, Lake(images=False))
    connection = sql.connect(tmp_path, branch="cond")
    cond = sql.query(connection, "correlations")
    assert not sql.query(connection, "correlations", branch="uncond").equals(cond)
    assert_frame_equal(sql.query(connection, "correlations"), cond)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "nan", "a lot"])
def test_a_number_that_is_none_is_told(tmp_path: Path, value: str | float) -> None:
    make(tmp_path, Lake(images=False))
    connection = sql.connect(tmp_path)
    with pytest.raises(ValueError, match=r"fraction .*: not a number"):
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
    with pytest.raises(ValueError, match=r"metric 'hsp': no metric of an image; there are: [a-z_]+"):
        sql.query(connection, "change_by_alignment", metric="hsp")
    diversity = connection.execute("SELECT metric FROM metrics WHERE kind = 'prompt'").fetchall()[0][0]
    with pytest.raises(ValueError, match=f"fidelity '{diversity}': no metric of an image"):
        sql.query(connection, "pareto_front", fidelity=diversity)
    with pytest.raises(ValueError, match=f"diversity 'hsp': no metric of a set of images; there are: .*{diversity}"):
        sql.query(connection, "pareto_front", diversity="hsp")
    for parameter in ("run", "against"):
        with pytest.raises(ValueError, match=f"{parameter} 'tou': no such run; there are: toy-"):
            sql.query(connection, "run_changes", **{parameter: "tou"})


def test_a_query_takes_each_verdict(tmp_path: Path) -> None:
    make(tmp_path, Lake(images=False))
    for verdict in VERDICTS:
        assert sql.query(sql.connect(tmp_path), "regressions", verdict=verdict).is_empty()


def test_the_most_urgent_rows_come_first(tmp_path: Path) -> None:
    run_id = make(tmp_path, Lake(images=False))
    for verdict in reversed(VERDICTS):
        add_regressions(tmp_path, run_id, verdict=verdict)
    assert sql.query(sql.connect(tmp_path), "regressions")["verdict"].to_list() == list(VERDICTS)
