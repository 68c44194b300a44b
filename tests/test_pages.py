"""README and docs name all that there is, and what they show runs."""

import re
import runpy
from pathlib import Path

import pytest
import typer

from skewbench.flows.cli import app
from skewbench.flows.experiments import bundled

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
METRICS = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")


def test_the_table_of_metrics_is_what_scorers_declare() -> None:
    """After a change: python docs/metrics_table.py."""
    assert runpy.run_path(str(ROOT / "docs/metrics_table.py"))["table"]() in METRICS


def test_the_list_of_tables_is_what_they_declare() -> None:
    """After a change: python docs/tables_table.py."""
    assert runpy.run_path(str(ROOT / "docs/tables_table.py"))["table"]() in (ROOT / "docs/lake.md").read_text("utf-8")


def test_the_pages_of_queries_are_what_queries_declare() -> None:
    """After a change: python docs/queries_table.py."""
    made = runpy.run_path(str(ROOT / "docs/queries_table.py"))
    assert made["table"]() in (ROOT / "docs/answers.md").read_text(encoding="utf-8")
    assert (ROOT / "docs/queries.md").read_text(encoding="utf-8") == made["page"]()


@pytest.mark.parametrize("experiment", bundled())
def test_every_experiment_is_in_the_readme(experiment: str) -> None:
    assert f"`{experiment}`" in README


def test_every_command_is_in_the_readme() -> None:
    documented = set(re.findall(r"skewbench (\w+)|`(\w+)[ `]", README))
    commands = typer.main.get_group(app).commands
    assert set(commands) <= {word for pair in documented for word in pair}


def test_the_readmes_snippet_runs_as_it_stands() -> None:
    (snippet,) = re.findall(r"```python\n(.+?)```", README, re.DOTALL)
    variables: dict[str, object] = {}
    exec(snippet.replace("steps=30", "steps=2"), variables)
    assert len(variables["images"]) == 4  # type: ignore[arg-type]
    assert variables["recorder"].to_arrow().num_rows == 4 * 11 * 2  # type: ignore[attr-defined]
