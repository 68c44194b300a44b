"""The report from synthetic lakes: what it says, what it leaves out, and that it needs nothing but itself."""

import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skewbench import sql
from skewbench.sql.parameters import Value
from skewbench.storage.store import LocalStore
from skewbench.storage.tables.images import IMAGES
from skewbench.tasks.report import report_run
from skewbench.vocabulary.errors import InputError, RunError
from skewbench.vocabulary.measures import MEASURES
from tests.lakes import KNOBS, Lake, drop_table, made
from tests.tasks.two_runs import alter, with_column


def reported(folder: Path, run_id: str) -> str:
    return Path(report_run(LocalStore(folder), run_id)).read_text(encoding="utf-8")


def words(html: str) -> str:
    """What a reader reads: no scripts, no styles, no tags."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_the_report_lies_in_the_lake_and_nothing_else_is_left(normal: Path) -> None:
    assert normal.is_absolute()
    assert normal.parent.name == "_reports"
    assert [path.name for path in normal.parent.iterdir()] == [normal.name]


def test_it_says_what_was_run(normal: Path) -> None:
    text = words(normal.read_text(encoding="utf-8"))
    for said in (
        "A toy.",
        "192 of 192 planned",
        "16 × 4",
        "skew, α 1.05, β 3",
        "plain attention",
        "seconds per sample",
    ):
        assert said in text, said


def test_it_explains_its_words_and_names_its_samples(normal: Path) -> None:
    page = normal.read_text(encoding="utf-8")
    glossary = page[page.index('<details class="words">') :].partition("</details>")[0]
    assert {"cell", "baseline", "unstable", *(one.symbol for one in MEASURES if one.answer)} <= set(
        re.findall("<dt>(.*?)</dt>", glossary)
    )
    ids = re.findall(r'<code class="id" title="skewbench replay (\w+) [^"]*">\1</code>', page)
    assert len(ids) == page.count('<figure class="image"')
    assert re.search(r"committed</span> \d{4}-\d\d-\d\d</p>", page)
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    assert not [title for title in titles if re.search(r"\bit\b", title)]


def test_few_prompts_have_one_banner(tmp_path: Path) -> None:
    page = reported(tmp_path, made(tmp_path, Lake(prompts=4)))
    assert page.count("This run has 4 prompts. Findings and verdicts need at least 10.") == 1


def test_it_leaves_out_the_section_of_a_search_that_it_has_not(normal: Path) -> None:
    assert "How was this setting chosen?" not in normal.read_text(encoding="utf-8")


def test_it_counts_failed_samples_and_names_metrics_without_values(normal: Path) -> None:
    text = words(normal.read_text(encoding="utf-8"))
    assert "3 samples failed ( a1.20-b5 3 of 64 )" in text.replace("(a1", "( a1").replace("64)", "64 )")
    assert "made to be nonfinite" in text
    assert "ImageReward: weights missing" in text


def test_metrics_without_a_value_are_grouped_by_their_reason(tmp_path: Path) -> None:
    run_id = made(tmp_path, Lake(missing=("zeta", "hps", "clip_score")))
    html = reported(tmp_path, run_id)
    assert len(re.findall(r"<li>[^<]*: weights missing</li>", html)) == 1
    assert "CLIPScore, HPS v2.1, zeta: weights missing" in html


def test_each_figure_names_its_query_and_n_and_has_a_table(normal: Path) -> None:
    html = normal.read_text(encoding="utf-8")
    for name in (
        *("operating_curve", "correlations", "regimes", "change_by_alignment", "worst_fraction", "stability_profile"),
    ):
        caption = re.search(rf"Query <code>{name}</code>; ([^<]+)<", html)
        assert caption, name
        assert "n = " in caption[1]
    assert html.count("<details><summary>The numbers</summary>") == 7
    assert "Command <code>claims</code>" in html
    assert "Query pareto_front" in html
    assert "swap control" in words(html)
    assert re.search(r"of the \d+ candidate findings holds: for each, the 95% CI includes 0", words(html))


def test_where_no_area_can_be_had_the_report_says_why(tmp_path: Path) -> None:
    run_id = made(tmp_path, Lake(images=False, lost=False))
    flat = with_column("value", lambda row: 0.3 if row["metric"] == "aesthetic" else row["value"])
    alter(tmp_path, run_id, "scores", flat)
    assert "none: all cells have the same aesthetic" in words(reported(tmp_path, run_id))


def test_images_are_in_three_groups_and_not_only_the_best(normal: Path) -> None:
    html = normal.read_text(encoding="utf-8")
    for group in ("Unstable samples that improved most", "Unstable samples that worsened most", "Random samples"):
        assert f"<h3>{group}</h3>" in html
    assert html.count('src="data:image/webp;base64,') > 30
    assert all(re.findall(r'<img [^>]*alt="[^"]+"', html))


def test_the_same_lake_gives_the_same_page(tmp_path: Path) -> None:
    run_id = made(tmp_path, Lake())
    assert reported(tmp_path, run_id) == reported(tmp_path, run_id)


def test_each_query_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[tuple[str, ...]] = Counter()
    ask = sql.query

    def counted(connection: duckdb.DuckDBPyConnection, name: str, **parameters: Value) -> pl.DataFrame:
        asked[name, *map(str, parameters.values())] += 1
        return ask(connection, name, **parameters)

    monkeypatch.setattr(sql, "query", counted)
    reported(tmp_path, made(tmp_path, Lake(prompts=12, images=False, knobs=tuple(KNOBS))))
    assert {("correlations",), ("static_effect",), ("worst_fraction",)} <= asked.keys()
    assert not {name: times for name, times in asked.items() if times > 1}


def test_a_page_loads_nothing(normal: Path) -> None:
    html = normal.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    assert "default-src &#39;none&#39;" in policy[1]
    assert "unsafe-eval" not in policy[1]
    page = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r"https?://", page.replace("https://vega.github.io/schema/", ""))
    assert not re.search(r"<(link|iframe|object|embed)\b|@import|url\(", page)


def test_headings_are_in_order(normal: Path) -> None:
    levels = [int(level) for level in re.findall(r"<h([1-6])\b", normal.read_text(encoding="utf-8"))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


class _Nesting(HTMLParser):
    """Raises where an element is closed that is not the innermost one."""

    VOID = ("meta", "img", "br", "input", "path", "rect", "circle")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag, self.getpos()


def test_elements_nest(normal: Path) -> None:
    parser = _Nesting()
    parser.feed(normal.read_text(encoding="utf-8"))
    assert parser.open == []


def test_without_scores_it_says_what_to_do(tmp_path: Path) -> None:
    run_id = made(tmp_path, Lake())
    drop_table(tmp_path, run_id, "scores", "group_scores")
    html = reported(tmp_path, run_id)
    text = words(html)
    assert "This run has no score; its experiment requests scene, diversity." in text
    assert f"<code>skewbench score {run_id}</code>" in html
    assert "stability_profile" in html
    assert "<h3>Random samples</h3>" in html
    assert "improved most" not in html


def test_without_a_diversity_metric_the_means_are_there(tmp_path: Path) -> None:
    run_id = made(tmp_path, Lake())
    drop_table(tmp_path, run_id, "group_scores")
    text = words(reported(tmp_path, run_id))
    assert "This run has no diversity metric" in text
    assert "Means by cell" in text


def test_a_single_cell_is_not_compared(tmp_path: Path) -> None:
    text = words(reported(tmp_path, made(tmp_path, Lake(knobs=("baseline",), lost=False))))
    assert text.count("This run has one cell, so there is nothing to compare it with") == 2
    assert "Random samples" in text
    assert "improved most" not in text


def test_without_a_baseline_nothing_is_paired(tmp_path: Path) -> None:
    text = words(reported(tmp_path, made(tmp_path, Lake(knobs=("a1.05-b3", "a1.20-b5")))))
    assert "This run has no baseline" in text
    assert "Stability against quality: a1.20-b5" in text


def test_an_incomplete_run_says_so(tmp_path: Path) -> None:
    failed = [{"job": "generation-s1", "error": "out of memory"}]
    text = words(reported(tmp_path, made(tmp_path, Lake(status="incomplete"), samples=96, failed_jobs=failed)))
    assert "This run is incomplete: 72 of 96 samples are finished." in text
    assert "1 job failed. The first, generation-s1: out of memory" in text


def test_a_run_with_nothing_in_it_yet_has_a_report(tmp_path: Path) -> None:
    run_id = made(tmp_path, Lake(status="running"))
    for receipt in (tmp_path / "_receipts").rglob("*.json"):
        receipt.unlink()
    text = words(reported(tmp_path, run_id))
    assert "This run is still running: 0 of 72 samples are finished." in text
    assert "This run has no stability measures" in text


def test_means_alone_have_no_heatmap_by_step(tmp_path: Path) -> None:
    text = words(reported(tmp_path, made(tmp_path, Lake(steps=0))))
    assert "Steps were not recorded" in text
    assert "by block and step Align" not in text


def test_prompts_and_errors_are_inert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"'{{7*7}}"
    from tests import lake_rows

    plain = lake_rows.samples
    monkeypatch.setattr(lake_rows, "samples", lambda lake: [row | {"prompt": evil} for row in plain(lake)])
    failed = [{"job": "generation-s1", "error": f"`{evil}`"}]
    html = reported(tmp_path, made(tmp_path, Lake(), description=evil, failed_jobs=failed))
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in html
    assert "{{7*7}}" in html


def test_images_that_are_none_are_told(tmp_path: Path) -> None:
    run_id = made(tmp_path, Lake(lost=False))
    for part in (tmp_path / "images").rglob("*.parquet"):
        rows = pq.read_table(part).to_pylist()
        broken = [row | {"image": {"bytes": b"no image", "path": None}} for row in rows]
        pq.write_table(pa.Table.from_pylist(broken, IMAGES.schema), part)
    with pytest.raises(RunError, match=r"6 parts are broken \(images/"):
        reported(tmp_path, run_id)


def test_its_place_and_an_unknown_run(tmp_path: Path) -> None:
    run_id = made(tmp_path / "lake", Lake())
    store = LocalStore(tmp_path / "lake")
    assert report_run(store, run_id) == str(tmp_path / "lake" / "_reports" / f"{run_id}.html")
    with pytest.raises(InputError, match="no such run"):
        report_run(store, "other")


def twin(folder: Path, **changes: Any) -> tuple[str, str]:
    """Two runs of the same prompts and noise, as two builds make them: other scores, the same pair_ids."""
    from tests import lakes

    first = made(folder, Lake(prompts=12))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lakes.Lake, "run_id", property(lambda lake: f"{lake.name}-later"))
        second = made(folder, Lake(prompts=12, repair=3.0), created="2026-01-02T00:00:00+00:00", **changes)
    return first, second


def test_against_another_run(tmp_path: Path) -> None:
    first, second = twin(tmp_path, run_id="toy-later", identity={"torch": "9.9", "repeat": "again"})
    html = Path(report_run(LocalStore(tmp_path), second, against=first)).read_text(encoding="utf-8")
    text = words(html)
    assert f"What changed against {first}?" in text
    assert "The runs differ in settings that affect the numbers: torch." in text
    assert "stand out at a false discovery rate of 5%" in text
    assert "Query <code>run_changes</code>; n = 12 to 36 pairs" in html
    with pytest.raises(InputError, match="cannot be compared with itself"):
        report_run(LocalStore(tmp_path), second, against=second)
    with pytest.raises(InputError, match="no such run"):
        report_run(LocalStore(tmp_path), second, against="other")


def test_against_a_run_of_other_images(tmp_path: Path) -> None:
    first, second = made(tmp_path, Lake()), made(tmp_path, Lake(name="other", knobs=("warm",)))
    text = words(Path(report_run(LocalStore(tmp_path), second, against=first)).read_text(encoding="utf-8"))
    assert "can be paired with one of this run" in text


def test_claims_are_told(normal: Path) -> None:
    text = words(normal.read_text(encoding="utf-8"))
    assert "of 90 published claims apply to this run" in text
    assert "an article about the paper, no data seen" not in text  # none of its claims applies
    assert "no cell with α 1.1, β 5, static" in text


def test_no_knob_no_explorer(tmp_path: Path) -> None:
    html = reported(tmp_path, made(tmp_path, Lake(knobs=("baseline",), lost=False)))
    assert "explorer" not in re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
