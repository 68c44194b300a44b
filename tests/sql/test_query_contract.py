"""Every registered query, ours or another package's, keeps the contract: its answer is what it declares."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from skewbench import sql
from skewbench.eval.figures import draw
from skewbench.eval.statistics import resample
from skewbench.sql.declaration import Query
from skewbench.sql.resampling import Resamples
from tests.lakes import KNOBS, Lake, make
from tests.tasks.two_runs import add_attributes, add_ratings, add_regressions, add_trials, alter, with_column

NAMES = [query.name for query in sql.named_queries()]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the same images, with rows for every query, also those that compare runs."""
    folder = tmp_path_factory.mktemp("lake")
    make(folder, Lake(knobs=tuple(KNOBS)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lake, "run_id", property(lambda lake: "toy-later"))
        make(folder, Lake(knobs=tuple(KNOBS)))
    alter(folder, "toy-later", "stability", with_column("energy_steps", lambda row: [9.0] * 4))
    add_attributes(folder, "toy-later")
    add_ratings(folder, "toy-later")
    add_regressions(folder, "toy-later")
    add_trials(folder, "toy-later")
    return folder


@pytest.fixture(scope="module")
def connection(lake: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with sql.connect(lake) as opened:
        yield opened


def answered(connection: duckdb.DuckDBPyConnection, query: Query) -> list[tuple[str, str]]:
    """Names and types of the answer's columns, as DuckDB has them."""
    relation = connection.sql(query.text)
    return list(zip(relation.columns, map(str, relation.types), strict=True))


def declared(query: Query) -> list[tuple[str, str]]:
    return [(column.name, column.type) for column in query.columns]


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_has_the_declared_columns_and_types(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    query = sql.find(name)
    assert answered(connection, query) == declared(query)
    answer = sql.query(connection, name)
    assert answer.height > 0
    assert answer.columns == [column.name for column in query.columns]


@pytest.mark.parametrize("name", NAMES)
def test_a_declared_default_is_what_is_computed(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """A number after "default:" in a parameter's meaning gives the same answer as no value."""
    for parameter in sql.find(name).parameters:
        if default := re.search(r"default: ([0-9][0-9.e-]*)", parameter.meaning):
            number = float(default[1])
            given = sql.query(connection, name, **{parameter.name: number})
            assert_frame_equal(sql.query(connection, name), given)


@pytest.mark.parametrize("name", NAMES)
def test_a_declaration_is_for_people_too(name: str) -> None:
    query = sql.find(name)
    assert "?" in query.question
    assert query.source.strip()
    assert all("picture" not in column.meaning for column in query.columns if column.name != "kind")


@pytest.mark.parametrize("name", NAMES)
def test_a_run_without_scores_stability_or_failures_gives_no_error(tmp_path: Path, name: str) -> None:
    make(tmp_path, Lake(prompts=1, seeds=1, steps=0, images=False, missing=(), knobs=("baseline",), lost=False))
    with sql.connect(tmp_path) as opened:
        assert answered(opened, sql.find(name)) == declared(sql.find(name))
        sql.query(opened, name)


@pytest.mark.parametrize("name", NAMES)
def test_each_parameter_is_taken_and_put_back(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    query = sql.find(name)
    for parameter in query.parameters:
        sql.query(connection, name, **{parameter.name: None})
        with pytest.raises(ValueError, match=f"{parameter.name}|no cell") as refused:
            sql.query(connection, name, **{parameter.name: "no such thing"})
        assert "no parameter" not in str(refused.value)
        assert connection.execute(f"SELECT getvariable('{parameter.name}')").fetchall() == [(None,)]


@pytest.mark.parametrize("name", [name for name in NAMES if sql.find(name).interval])
def test_an_interval_belongs_to_a_row_of_the_answer(lake: Path, name: str) -> None:
    """Its value and n are those of the row with its key, whose columns the SQL joins it by."""
    query = sql.find(name)
    columns = {column.name for column in query.columns}
    assert {"low", "high", "method"} <= columns
    with sql.connect(lake, "toy-later") as opened:
        prompts = opened.execute("SELECT DISTINCT prompt_id FROM samples ORDER BY 1").pl()["prompt_id"].to_list()
        drawn = Resamples({prompt: at for at, prompt in enumerate(prompts)}, resample(len(prompts), 20))
        answer = sql.query(opened, name)
        found = list(query.load(query.interval)(opened, "toy-later", drawn))
    assert found
    for one in found:
        assert one.draws.shape == (20,)
        assert isinstance(one.row["n"], int)
    for statistic in columns & {one.statistic for one in found}:
        values = {round(one.value, 9) for one in found if one.statistic == statistic and one.value is not None}
        assert set(answer.drop_nulls("low")[statistic].round(9)) <= values  # the order of a sum moves the last digits


@pytest.mark.parametrize("name", [name for name in NAMES if sql.find(name).figure])
def test_a_figure_draws_the_answer(lake: Path, name: str) -> None:
    """Each chart compiles, holds rows, and says what it shows."""
    query = sql.find(name)
    runs = None if query.parameter("run") else "toy-later"
    with sql.connect(lake, runs) as opened:
        answer, context = sql.query(opened, name), sql.read_context(opened)
    drawings = query.draw(answer, context)
    assert drawings
    for drawing in drawings:
        svg = draw(drawing.chart.to_dict(), "svg").decode()
        assert svg.count("<path") + svg.count("<text") > 4
        assert "NaN" not in svg
        assert "undefined" not in svg
    assert len(drawings) == 1 or all(drawing.title or drawing.label for drawing in drawings)
    assert query.draw(answer.clear(), context) == []


@pytest.mark.parametrize("name", [name for name in NAMES if sql.find(name).figure])
def test_a_figure_draws_an_answer_with_missing_values(lake: Path, name: str) -> None:
    """A run of one seed has no diversity, and one of few prompts no interval: such numbers are NULL."""
    query = sql.find(name)
    runs = None if query.parameter("run") else "toy-later"
    with sql.connect(lake, runs) as opened:
        answer, context = sql.query(opened, name), sql.read_context(opened)
    given = {parameter.name for parameter in query.parameters}  # such as the fraction of worst images
    numbers = [column for column, kind in answer.schema.items() if kind.is_float() and column not in given]
    for missing in [[column] for column in numbers] + [numbers]:
        holes = answer.with_columns(pl.lit(None, pl.Float64).alias(column) for column in missing)
        for drawing in query.draw(holes, context):
            assert "NaN" not in draw(drawing.chart.to_dict(), "svg").decode(), missing


@pytest.mark.parametrize("name", [name for name in NAMES if sql.find(name).section])
def test_a_section_names_columns_of_its_query(name: str) -> None:
    query = sql.find(name)
    assert query.section is not None
    assert query.section.title.strip()
    assert query.section.explanation.strip()
    assert query.section.by in ("", *(column.name for column in query.columns))


def test_declarations_import_nothing_heavy() -> None:
    """Charts and statistics are imported when they are needed."""
    code = (
        "import sys\nfrom skewbench import sql\nassert len(sql.named_queries()) >= 15\n"
        "print(*[name for name in ('altair', 'scipy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == []


def test_nothing_is_left_out() -> None:
    assert sql.problems() == []
