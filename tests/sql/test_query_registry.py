"""What a query's registration refuses, and how it says so."""

import importlib
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from skewbench.sql.declaration import Column, Kind, Parameter, Query
from skewbench.sql.registry import REGISTRY

RUN = Column("run_id", "VARCHAR", "the run")
SELECT = "-- Which runs are there?\nSELECT run_id FROM runs WHERE run_id <> getvariable('note')::VARCHAR;\n"
Make = Callable[..., Query]
_NUMBER = itertools.count()


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a package that holds `query.sql`, and its declaration."""
    monkeypatch.syspath_prepend(tmp_path)

    def made(text: str | None = SELECT, parameters: dict[str, Kind] | None = None, **fields: object) -> Query:
        package = f"query_{next(_NUMBER)}"
        folder = tmp_path / package
        folder.mkdir()
        (folder / "__init__.py").touch()
        if text is not None:
            (folder / "query.sql").write_text(text)
        importlib.invalidate_caches()
        given = {"note": "text"} if parameters is None else parameters
        declared = tuple(Parameter(name, kind, "a toy") for name, kind in given.items())
        fields = {"package": package, "name": "toy", "source": "a test", "columns": (RUN,)} | fields
        return Query(**fields, parameters=declared)  # type: ignore[arg-type]

    return made


def refusal(query: Query) -> str:
    assert REGISTRY._check is not None
    with pytest.raises(ValueError, match=r".") as refused:
        REGISTRY._check(query.name, query)
    return str(refused.value)


def test_a_query_that_keeps_the_contract(make: Make) -> None:
    query = make()
    assert REGISTRY._check is not None
    REGISTRY._check("toy", query)
    assert (query.question, query.method) == ("Which runs are there?", "")


@pytest.mark.parametrize("name", ["Toy", "a toy", ""])
def test_a_name_is_an_identifier(make: Make, name: str) -> None:
    assert "lower-case letters" in refusal(make(name=name))


def test_the_sql_is_one_select(make: Make) -> None:
    assert "has no query.sql" in refusal(make(text=None))
    assert "must begin with a comment" in refusal(make(text=SELECT.partition("\n")[2]))
    assert "is not valid SQL" in refusal(make(text=SELECT.replace("SELECT run_id", "SELECT FROM FROM")))
    created = SELECT.replace("SELECT", "CREATE TABLE t AS SELECT")
    for text in (f"{SELECT}SELECT 1;", f"{SELECT}DROP VIEW runs;", created):
        assert refusal(make(text=text)) == "query.sql is not one SELECT statement"


def test_parameters_are_the_variables_that_the_sql_reads(make: Make) -> None:
    assert refusal(make(parameters={})) == "query.sql reads the variable 'note', which is not a parameter"
    unread = refusal(make(parameters={"note": "text", "cell": "cell"}))
    assert unread == "parameter 'cell': neither query.sql nor a view that it names reads the variable"
    assert "of kind number" in refusal(make(parameters={"note": "number"}))
    assert "kind is 'words'" in refusal(make(parameters={"note": "words"}))
    assert "metrics applies only" in refusal(make(parameters={"note": "metric"}))
    through_a_view = make(text="-- What?\nSELECT run_id FROM baseline_regimes;", parameters={"quantile": "number"})
    REGISTRY._check("toy", through_a_view)  # type: ignore[misc]
    commented = make(text="-- What?\n-- getvariable('note')::VARCHAR\nSELECT run_id FROM runs;", parameters={})
    REGISTRY._check("toy", commented)  # type: ignore[misc]


def test_columns_are_there_once_with_a_meaning(make: Make) -> None:
    assert "no columns, or a duplicate column" in refusal(make(columns=()))
    assert "no columns, or a duplicate column" in refusal(make(columns=(RUN, RUN)))
    assert "meaning must be one line" in refusal(make(columns=(Column("run_id", "VARCHAR", " "),)))
