"""The report in headless Chromium: charts are drawn, nothing is asked of a network, and the keyboard is enough."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skewbench.storage.store import LocalStore
from skewbench.tasks.report import report_run
from tests.lakes import Lake, made

CHROMIUM = Path("/usr/bin/chromium")
_QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
_FLAGS = ("--no-sandbox", "--disable-gpu", *_QUIET)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is missing; .ci/run installs it")
        pytest.skip(f"{CHROMIUM} is not installed (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(_FLAGS))
        yield launched
        launched.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser(browser: Any, normal: Path, scheme: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(normal.as_uri())
    page.wait_for_selector("html[data-ready]", timeout=30_000)

    seen = page.evaluate("[...document.querySelectorAll('.chart')].filter(node => node.getClientRects().length).length")
    drawn = page.evaluate(_MARKS)
    assert len(drawn) == seen >= 6
    assert all(marks > 3 for marks in drawn), drawn

    for measure in ("instability", "neg_energy"):  # by keyboard, as a reader without a mouse would
        page.focus("#stability-1 input:checked")
        page.keyboard.press("ArrowRight")
        page.wait_for_selector(f"[data-value={measure}]:not([hidden]) .chart[data-drawn=done] svg")
    page.wait_for_function(_ALL_DRAWN)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"
    ground, ink = page.evaluate(_COLOURS)
    assert (sum(ground) < sum(ink)) == (scheme == "dark")
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [normal.as_uri()]
    context.close()


def test_sliders_change_images_and_metrics_by_keyboard(browser: Any, tmp_path: Path) -> None:
    knobs = ("baseline", "a1.05-b3", "a1.20-b5", "adaptive", "warm")
    path = Path(report_run(LocalStore(tmp_path), made(tmp_path, Lake(knobs=knobs))))
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", timeout=30_000)

    def seen() -> tuple[str, list[str], str]:
        images = page.eval_on_selector_all("#explorer-images img", "images => images.map(image => image.src)")
        table = page.inner_text("[data-effects]:not([hidden])")
        return page.get_attribute("#explorer-body", "data-cell") or "", images, table

    alpha, beta = (page.get_by_label(f"{name} of the static knob") for name in ("alpha", "beta"))
    first = seen()
    assert first[0] == "a1.05-b3"
    assert len(first[1]) > 1
    alpha.focus()
    page.keyboard.press("ArrowRight")
    second = seen()
    assert second[0] == "a1.20-b5"
    assert set(first[1]).isdisjoint(second[1])
    assert first[2] != second[2]
    assert (alpha.get_attribute("aria-valuetext"), beta.get_attribute("aria-valuetext")) == ("1.2", "5")
    assert page.inner_text("#explorer-caption").startswith("a1.20-b5: skew, α 1.2, β 5; Aesthetic")
    assert page.get_attribute("#explorer-caption", "aria-live") == "polite"
    page.keyboard.press("Home")  # alpha 1 is the baseline, whatever beta is
    assert seen()[0] == "baseline"
    assert alpha.get_attribute("aria-valuetext") == "1"
    beta.focus()
    page.keyboard.press("ArrowLeft")
    assert seen()[0] in ("a1.05-b3", "baseline")
    page.focus("#explorer input[type=radio]:checked")
    page.keyboard.press("ArrowRight")
    assert seen()[0] == "adaptive"
    page.keyboard.press("ArrowRight")
    assert seen()[0] == "warm"
    page.get_by_label("tau of the temperature knob").focus()
    page.keyboard.press("ArrowLeft")
    assert seen()[0] == "baseline"
    unlabelled = page.evaluate(
        "[...document.querySelectorAll('input')].filter(node => !node.labels.length && !node.ariaLabel).length"
    )
    assert unlabelled == 0
    assert said == []
    context.close()


_MARKS = "[...document.querySelectorAll('.chart svg')].map(svg => svg.querySelectorAll('path, text').length)"
_ALL_DRAWN = """[...document.querySelectorAll('.chart')]
    .every(node => !node.getClientRects().length || node.dataset.drawn === 'done')"""
_COLOURS = """(() => {
    const numbers = (text) => text.match(/[0-9.]+/g).slice(0, 3).map(Number);
    const label = document.querySelector('.chart svg .role-axis-label text');
    return [numbers(getComputedStyle(document.body).backgroundColor), numbers(getComputedStyle(label).fill)];
})()"""
