"""A query of another package goes wherever ours go; one that is broken costs a line and nothing else."""

import json
import re
from pathlib import Path

import pytest

from skewbench import sql
from tests.lakes import Lake, made
from tests.plugins.conftest import Python, skewbench_commands

REPORT = """
import sys
from pathlib import Path
from skewbench.storage.store import LocalStore
from skewbench.tasks.report import report_run
from tests.tasks.analysed import store
lake, run = sys.argv[1:]
print(*store(Path(lake), run)["query"].unique())
print(report_run(LocalStore(lake), run))
"""
DECLARED = """
from skewbench.sql.declaration import Column, Query, Section
QUERY = Query(
    package=__name__, name={name!r}, source="a test", columns=(Column("run_id", "VARCHAR", "the run"),),
    {more}
)
"""
SELECT = "-- Which runs are there?\nSELECT run_id FROM runs;\n"
SECTION = 'section=Section(title="A section that fails", explanation="It draws nothing."), figure="charts:none", '
SECTION += 'interval="charts:none"'


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Installed packages: three cannot be used; the fourth fails when its answer is drawn or resampled."""
    folder = tmp_path_factory.mktemp("broken")
    for name, declared, text in (
        ("fails", "import no_such_module", SELECT),
        ("takes", DECLARED.format(name="speed", more=""), SELECT),
        ("writes", DECLARED.format(name="writes", more=""), "-- What?\nDROP VIEW runs;\n"),
        ("draws", DECLARED.format(name="draws", more=SECTION), SELECT),
    ):
        package = folder / f"{name}_query"
        package.mkdir()
        (package / "__init__.py").write_text(declared)
        (package / "query.sql").write_text(text)
        (package / "charts.py").write_text("def none(*_):\n    raise RuntimeError('no chart today')\n")
        about = folder / f"{name}-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (about / "entry_points.txt").write_text(f"[skewbench.queries]\nquery_of_{name} = {name}_query\n")
    return folder


@pytest.fixture
def lake(tmp_path: Path) -> tuple[Path, str]:
    """A lake and its run."""
    folder = tmp_path / "lake"
    return folder, made(folder, Lake(prompts=12))


def test_it_is_listed_described_answered_and_drawn(example: Path, python: Python, lake: tuple[Path, str]) -> None:
    assert "above_median" not in {query.name for query in sql.named_queries()}
    figure = lake[0] / "shares.svg"
    command = ("query", "above_median", "--lake", str(lake[0]))
    listed, described, answered, drawn = skewbench_commands(
        python,
        ["query"],
        ["query", "above_median", "--columns"],
        [*command, "--format", "json"],
        [*command, "--figure", str(figure)],
        packages=(example,),
    )
    assert re.search(r"above_median +│ How many images of each cell score above", listed.stdout), listed.stdout
    assert "share of the cell's images that score above the median" in described.stdout
    assert answered.returncode == 0, answered.stderr
    rows = json.loads(answered.stdout)
    assert [row["cell"] for row in rows] == ["baseline", "a1.05-b3", "a1.20-b5"]
    assert sum(row["share"] * row["n"] for row in rows) == pytest.approx(sum(row["n"] for row in rows) / 2, abs=1)
    assert drawn.returncode == 0, drawn.stderr
    assert "above the median" in figure.read_text()


def test_it_is_analysed_and_has_a_section_of_the_report(example: Path, python: Python, lake: tuple[Path, str]) -> None:
    done = python("-c", REPORT, str(lake[0]), lake[1], packages=(example,))
    assert done.returncode == 0, done.stderr
    assert "above_median" in done.stdout
    page = Path(done.stdout.splitlines()[-1]).read_text(encoding="utf-8")
    section = page[page.index('<section id="above_median"') :].partition("</section>")[0]
    assert "Which setting has the high scores?" in section
    assert re.search(r'<div class="chart" id="chart-\d+">', section)
    assert re.search(r"Query <code>above_median</code>; n = [\d,]+ to [\d,]+\.", section)
    assert section.count("[0.") == 3  # intervals
    assert "<dt>share</dt><dd>share of the cell&#39;s images" in section
    ids = re.findall(r'<section id="(\w+)"', page)
    assert ids.index("above_median") == ids.index("correlations") + 1
    assert 'href="#above_median"' in page


def test_an_answer_with_other_columns_is_refused(broken: Path, python: Python, lake: tuple[Path, str]) -> None:
    text = broken / "draws_query" / "query.sql"
    text.write_text(SELECT.replace("run_id FROM", "run_id, name FROM"))
    (done,) = skewbench_commands(python, ["query", "draws", "--lake", str(lake[0])], packages=(broken,))
    text.write_text(SELECT)
    assert done.returncode == 2
    assert "its answer has the columns run_id, name; it declares run_id" in done.stderr


@pytest.mark.slow
def test_what_is_broken_is_a_line_and_the_rest_works(
    broken: Path, example: Path, python: Python, lake: tuple[Path, str]
) -> None:
    lines = [
        "warning: query 'query_of_fails' of package fails is skipped: ModuleNotFoundError: No module named "
        "'no_such_module'",
        "warning: query 'speed' of package takes is skipped: the name is taken by skewbench.sql.queries.speed",
        "warning: query 'writes' of package writes is skipped: query.sql is not one SELECT statement",
    ]
    of_lake = ("--lake", str(lake[0]))
    commands = (["query"], ["query", "speed", *of_lake], ["report", *of_lake])
    for done in skewbench_commands(python, *commands, packages=(broken, example)):
        assert done.returncode == 0, done.stderr
        assert [line for line in done.stderr.splitlines() if "warning: query" in line] == lines
    done = python("-c", REPORT, str(lake[0]), lake[1], packages=(broken, example))
    assert done.returncode == 0, done.stderr
    assert "query 'draws' of draws_query has no intervals: RuntimeError: no chart today" in done.stderr
    page = Path(done.stdout.splitlines()[-1]).read_text(encoding="utf-8")
    assert "Query <code>draws</code> of <code>draws_query</code> failed: RuntimeError: no chart today" in page
    assert '<section id="above_median"' in page
    assert '<section id="claims"' in page
