"""README and docs list everything that exists, and their examples run."""

import json
import re
import runpy
from pathlib import Path

import pytest
import typer
from PIL import Image

from skewbench.flows.cli import app
from skewbench.flows.experiments import bundled, load, parse
from skewbench.tasks.cells import whole_setting
from skewbench.tasks.identity import noise_seed, pair_id
from skewbench.tasks.models import resolve_model
from skewbench.tasks.prompts import load_prompts
from skewbench.tasks.size import Size

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCES = re.compile(r"^(````?)\w*\n.*?^\1$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)#?([^)\s]*)\)")
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


def test_the_page_of_an_experiments_fields_is_what_the_models_declare() -> None:
    """After a change: python docs/experiment_table.py."""
    made = runpy.run_path(str(ROOT / "docs/experiment_table.py"))["page"]()
    assert (ROOT / "docs/experiment.md").read_text(encoding="utf-8") == made


def test_the_tables_of_the_gpu_are_what_was_measured() -> None:
    """After a change: python docs/gpu_table.py."""
    page = (ROOT / "docs/performance-gpu.md").read_text(encoding="utf-8")
    assert runpy.run_path(str(ROOT / "docs/gpu_table.py"))["filled"](page) == page


@pytest.mark.parametrize("package", ["stability", "sql"])
def test_the_pages_of_the_api_name_all_that_is_public(package: str) -> None:
    """After a change: python docs/api_table.py."""
    made = runpy.run_path(str(ROOT / "docs/api_table.py"))["page"](package)
    assert (ROOT / f"docs/api/{package}.md").read_text(encoding="utf-8") == made


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of the site, before it is built."""
    target = tmp_path_factory.mktemp("pages")
    runpy.run_path(str(ROOT / "docs/pages.py"))["gather"](target)
    return target


def test_every_link_between_pages_resolves(pages: Path) -> None:
    texts = {path: FENCES.sub("", path.read_text(encoding="utf-8")) for path in pages.rglob("*.md")}
    broken = []
    for page, text in texts.items():
        for name, anchor in LINK.findall(re.sub(r"`[^`]*`", "", text)):
            linked = (page.parent / name).resolve() if name else page
            # the site makes one hyphen of several, so GitHub's `a--b` for the heading "a & b" leads nowhere there
            found = linked.exists() and "--" not in anchor and (not anchor or anchor in _anchors(texts[linked]))
            broken += [] if found else [f"{page.relative_to(pages)}: {name}#{anchor}"]
    assert not broken


def test_the_site_has_every_page_in_its_navigation(pages: Path) -> None:
    named = set(re.findall(r'= "([^"]+[.]md)"', (ROOT / "zensical.toml").read_text(encoding="utf-8")))
    written = {str(path.relative_to(pages)) for path in (pages / "docs").rglob("*.md")}
    ours = {one for one in written if (ROOT / one).exists() and not one.startswith("docs/benchmarks/")}
    assert ours <= named
    assert all((pages / one).exists() for one in named)


def test_the_examples_of_contributing_are_files_that_tests_run(pages: Path) -> None:
    """The page shows them as they are; tests/plugins installs them, and runs the contracts over them."""
    shown = (pages / "CONTRIBUTING.md").read_text(encoding="utf-8")
    package = ROOT / "tests/plugins/skewbench_example"
    for name in ("knob.py", "family.py", "scorer.py", "above_median/query.sql", "above_median/__init__.py"):
        assert (package / "src/skewbench_example" / name).read_text(encoding="utf-8").strip() in shown
    assert (package / "pyproject.toml").read_text(encoding="utf-8").strip() in shown


@pytest.mark.parametrize("experiment", bundled())
def test_every_experiment_is_in_the_readme(experiment: str) -> None:
    assert f"`{experiment}`" in README


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.+?)```", README, re.DOTALL))
def test_the_readmes_experiments_are_valid(text: str) -> None:
    assert parse(text, "README.md").baseline == "baseline"


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


def test_the_images_of_the_readme_are_those_of_their_experiment() -> None:
    """After a change of docs/strip.yaml, the knobs' words, prompts or the bundled model: make strip."""
    experiment = load(str(ROOT / "docs/strip.yaml"))
    figure = ROOT / "docs/strip.png"
    with Image.open(figure) as image:
        described = json.loads(image.text["skewbench"])  # type: ignore[attr-defined]
    size = Size(width=64, height=64)
    planned = set()
    for prompt in load_prompts(experiment.prompts):
        noise = noise_seed(prompt.id, 0, shared=False)
        planned.add((prompt.text, noise, pair_id(prompt.id, noise, size)))
    assert {(one["prompt"], one["noise_seed"], one["pair_id"]) for one in described["pairs"]} == planned
    assert described["cells"] == [cell.name for cell in experiment.cells]
    settings = [whole_setting(cell, experiment.generation, size) for cell in experiment.cells]
    assert described["settings"] == json.loads(json.dumps(settings))
    assert described["revision"] == resolve_model(experiment.model).revision
    assert figure.stat().st_size < 200_000
    assert "docs/strip.png" in README


def _anchors(text: str) -> set[str]:
    """What the headings of a page are called in links."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
