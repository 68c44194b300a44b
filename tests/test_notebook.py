"""The example notebook's code runs, from a lake in the working folder to a chart, in the ten lines it promises."""

import ast
import json
from pathlib import Path

import altair as alt
import polars as pl
import pytest

from tests.lakes import Lake, made

NOTEBOOK = Path(__file__).parent.parent / "docs" / "examples" / "from_lake_to_figure.ipynb"


def run_cell(source: str, names: dict[str, object]) -> object:
    """A cell's code; returns the value of its last line, as a notebook shows it."""
    body = ast.parse(source)
    last = body.body.pop()
    assert isinstance(last, ast.Expr)
    exec(compile(body, str(NOTEBOOK), "exec"), names)
    return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "lake", Lake(images=False))
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    names: dict[str, object] = {}
    chart, counts = (run_cell(source, names) for source in code)
    assert isinstance(chart, alt.LayerChart)
    assert "change of Aesthetic" in chart.to_json()
    assert isinstance(counts, pl.DataFrame)
    assert counts["images"].to_list() == [24, 24, 24]
    assert len([line for line in code[0].splitlines() if line.strip()]) <= 10
