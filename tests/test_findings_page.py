"""`make findings`: its experiments are valid, and its page is filled by its queries, here from toy lakes."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from skewbench.flows.experiments import parse
from skewbench.tasks.models import BUNDLED
from tests.lakes import Lake, made

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "findings.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- (table|figure) (\S+) (\S+)", PAGE)
TOY = {"'binding'": "'aesthetic'", "'shapes_clip_diversity'": "'diversity'"}
"""Metrics of the toy lakes in place of the models'."""
VALUE = re.compile(r"[+-]\d\.\d{3} \[|^\d+$|^(quality|diversity)$")
"""An interval, a count, or what is counted."""


@pytest.fixture(scope="module")
def experiments() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = runpy.run_path(str(DOCS / "findings.py"))["experiments"]()
    return found


def test_each_bundled_model_has_its_experiments(experiments: dict[str, dict[str, Any]]) -> None:
    for name, contents in experiments.items():
        assert parse(json.dumps(contents), name).name == name
    assert {parse(json.dumps(one), name).model.id for name, one in experiments.items()} == set(BUNDLED)


def test_the_page_asks_about_every_experiment(experiments: dict[str, dict[str, Any]]) -> None:
    assert {name for _, _, names in BLOCKS for name in names.split(",")} == set(experiments)


def test_the_page_is_filled(tmp_path: Path) -> None:
    names = {name for _, _, named in BLOCKS for name in named.split(",")}
    for name in names:
        knobs = ("baseline", "a1.05-b3", "a1.20-b5", "adaptive") if name.endswith("-knobs") else ("baseline",)
        made(tmp_path / "lake", Lake(name=name, images=False, knobs=knobs, prompts=12, steps=0))
    page = tmp_path / "findings.md"
    blank = re.sub(r"-->\n.*?<!-- end -->", "-->\n<!-- end -->", PAGE, flags=re.DOTALL)
    page.write_text(re.sub(r" adjust=\S+", " adjust=aesthetic,diversity", blank), encoding="utf-8")
    refresh = runpy.run_path(str(DOCS / "refresh.py"))
    for word, toy in TOY.items():
        refresh["main"].__globals__["MACROS"] = refresh["main"].__globals__["MACROS"].replace(word, toy)
    refresh["main"](page, tmp_path / "lake")
    filled = re.findall(r"-->\n(.*?)\n<!-- end -->", page.read_text("utf-8"), re.DOTALL)
    for (kind, query, named), shown in zip(BLOCKS, filled, strict=True):
        if kind == "figure":
            (file,) = re.findall(r"\]\((.*?)\)", shown)
            assert (tmp_path / file).stat().st_size > 5000
            continue
        rows = [line.strip("| ").split(" | ") for line in shown.splitlines()]
        assert len(rows) > 2, query
        models = {name.rsplit("-", 1)[0] for name in named.split(",")}
        assert models <= set(rows[0]) | {row[0] for row in rows}, query
        if query != "correlations":  # its intervals come from the analysis, which toy lakes lack
            cells = [cell for row in rows[2:] for cell in row[1:]]
            assert all(VALUE.search(cell) for cell in cells), query
