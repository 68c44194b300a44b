"""The rating page in headless Chromium: a person votes with the keyboard, undoes, ends, and resumes after a reload."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from skewbench import sql
from skewbench.eval.scoring import audio, video
from skewbench.storage.manifest import find_run
from skewbench.storage.store import LocalStore
from skewbench.storage.verify import check_run
from tests.browser import chromium, needs_chromium
from tests.flows.command import SKEWBENCH
from tests.lakes import Lake, made
from tests.prefect_home import prepare_home
from tests.tasks.rating.media import with_medium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LAKE = Lake(prompts=2, seeds=2, size=64, knobs=("baseline", "a1.05-b3"), lost=False)
_OPEN = re.compile(r"open +(http://\S+)")

pytestmark = [pytest.mark.slow, needs_chromium]


@dataclass
class Rater:
    """`skewbench rate` in a process of its own."""

    process: "subprocess.Popen[str]"
    url: str

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Its exit code and what it printed at the end."""
        os.kill(self.process.pid, number)
        said, _ = self.process.communicate(timeout=120)
        return self.process.returncode, said


@contextmanager
def rating(folder: Path, *arguments: str) -> Iterator[Rater]:
    """The command, as a person would start it."""
    environment = {**os.environ, "PREFECT_HOME": str(prepare_home(folder / "home"))}
    command = [*SKEWBENCH, "rate", "--lake", str(folder / "lake"), "--rater", "ann", "--port", "0", *arguments]
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=environment, **options) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if found := _OPEN.search(line):
                break
        else:
            raise AssertionError(said)
        try:
            yield Rater(process, found[1])
        finally:
            process.kill()


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    with chromium() as opened:
        yield opened


@contextmanager
def opened(browser: "Browser", url: str, **options: Any) -> "Iterator[Page]":
    """A page on which nothing goes wrong: no error, no message of the console, no request elsewhere."""
    context = browser.new_context(**options)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    yield page
    context.close()
    assert said == []
    own = url.partition("#")[0]
    assert [one for one in asked if not one.startswith((own, f"blob:{own}", "data:,"))] == []


def at(page: "Page", position: int | str) -> None:
    """Wait until the page shows a comparison and takes votes on it."""
    page.wait_for_selector(f"html[data-position='{position}']", timeout=60_000)
    page.wait_for_selector("#undo:enabled, #vote-left:enabled", timeout=60_000)


def votes(folder: Path) -> pl.DataFrame:
    """The rows of `ratings`, whether or not they are committed."""
    return pl.read_parquet(folder / "ratings" / "*" / "*.parquet").sort("time")


def test_a_session_by_keyboard(browser: "Browser", tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    run_id = made(folder, LAKE)
    with rating(tmp_path) as rater, opened(browser, rater.url, viewport={"width": 1280, "height": 800}) as page:
        at(page, 1)
        assert "#" not in page.url  # the password does not stay in the address
        assert page.inner_text("#question") == "Which image is better?"
        assert page.inner_text("#progress") == "1 of 4"
        assert page.is_disabled("#undo")
        page.keyboard.press("ArrowLeft")
        at(page, 2)
        assert votes(folder).height == 1  # durable before the next pair appears
        page.keyboard.press("ArrowRight")
        at(page, 3)
        page.keyboard.press("Backspace")
        at(page, 2)
        assert page.inner_text("#progress") == "2 of 4"
        page.keyboard.press("ArrowDown")
        at(page, 3)
        page.reload()
        at(page, 3)
        page.keyboard.press("u")
        at(page, 2)
        page.keyboard.press("t")
        at(page, 3)
        page.get_by_role("button", name="Right", exact=True).click()
        at(page, 4)
        page.keyboard.press("ArrowLeft")
        at(page, "end")
        assert "4 of 4 are rated" in page.inner_text("#thanks")
        with sql.connect(folder, run_id) as lake:  # committed at the end
            (row,) = sql.query(lake, "ratings").to_dicts()
            assert (row["n"], row["ties"], row["raters"]) == (4, 1, 1)
        page.keyboard.press("Backspace")  # also the last vote can be taken back
        at(page, 4)
        page.keyboard.press("ArrowRight")
        at(page, "end")
        code, said = rater.stop()
    assert (code, "4 of 4 pairs are rated and saved" in said) == (0, True), said
    found = votes(folder)
    assert found["position"].to_list() == [1, 2, 2, 2, 2, 2, 3, 4, 4, 4]
    assert found["withdrawn"].sum() == 3
    last = found.group_by("position", maintain_order=True).last()
    sides = [
        (row["left_cell"], None, row["right_cell"], row["right_cell"])[at] for at, row in enumerate(last.to_dicts())
    ]
    assert last["choice"].to_list() == sides
    assert check_run(LocalStore(folder), find_run(LocalStore(folder), run_id)) == []


def test_a_killed_server_loses_no_vote_and_the_next_one_resumes(browser: "Browser", tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    run_id = made(folder, LAKE)
    with rating(tmp_path) as rater, opened_while_killed(browser, rater) as page:
        for position in (1, 2):
            at(page, position)
            page.keyboard.press("ArrowLeft")
        at(page, 3)
        rater.stop(signal.SIGKILL)
        page.keyboard.press("ArrowLeft")
        page.wait_for_selector("#message:not([hidden])")
        assert "The server does not answer" in page.inner_text("#message")
    assert check_run(LocalStore(folder), find_run(LocalStore(folder), run_id)) == []
    with rating(tmp_path) as rater, opened(browser, rater.url) as page:
        at(page, 3)
        assert page.inner_text("#progress") == "3 of 4"
        code, said = rater.stop()
    assert code == 130
    assert "stopped; 2 of 4 pairs are rated and saved, 0 of them now; run the same command again to resume" in said
    with sql.connect(folder, run_id) as lake:
        assert sql.query(lake, "ratings")["n"].to_list() == [2]


@contextmanager
def opened_while_killed(browser: "Browser", rater: Rater) -> "Iterator[Page]":
    """A page whose server ends, of which the console tells."""
    page = browser.new_page()
    page.goto(rater.url)
    yield page
    page.close()


def test_without_the_link_the_page_says_what_is_missing(browser: "Browser", tmp_path: Path) -> None:
    made(tmp_path / "lake", LAKE)
    with rating(tmp_path) as rater:
        page = browser.new_page()
        page.goto(rater.url.partition("#")[0])
        page.wait_for_selector("#message:not([hidden])")
        assert "needs the link that the command printed" in page.inner_text("#message")
        assert "scene number" not in page.content()
        page.close()


@pytest.fixture(scope="module", params=["quality", "diversity"])
def one_comparison(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int]]:
    """The link to a page of one prompt with ten seeds, and the number of samples that it shows on a side."""
    folder = tmp_path_factory.mktemp(request.param)
    made(folder / "lake", Lake(prompts=1, seeds=10, size=64, knobs=("baseline", "a1.05-b3"), lost=False))
    with rating(folder, "--question", request.param) as rater:
        yield rater.url, 1 if request.param == "quality" else 9


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_what_is_seen(browser: "Browser", one_comparison: tuple[str, int], width: int, scheme: str) -> None:
    url, count = one_comparison
    with opened(browser, url, viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        at(page, 1)
        for side in ("left", "right"):
            images = page.locator(f"#{side} img")
            assert images.count() == count
            assert all(image.bounding_box()["width"] > 20 for image in images.all())  # type: ignore[index]
        left, right = (page.locator(f"#{side}").bounding_box() for side in ("left", "right"))
        assert left is not None
        assert right is not None
        assert left["x"] + left["width"] <= right["x"]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"
        ground, ink = page.evaluate(_COLOURS)
        assert (sum(ground) < sum(ink)) == (scheme == "dark")
        assert not {"baseline", "a1.05-b3"} & set(re.split(r"[^\w.-]+", page.content()))
        names = page.evaluate(
            "[...document.querySelectorAll('main button, footer button')].map(b => b.ariaLabel || b.innerText)"
        )
        assert all(name.strip() for name in names)
        page.keyboard.press("?")
        assert page.is_visible("#help")
        page.keyboard.press("ArrowLeft")  # no vote while the help is open
        page.keyboard.press("?")
        assert page.is_hidden("#help")
        page.locator("#left button").first.click()
        assert page.is_visible("#large img")
        page.keyboard.press("Escape")
        assert page.is_hidden("#large img")
        assert page.inner_text("#progress").startswith("1 of")


_NAMES = "[...document.querySelectorAll('main button, footer button')].map(one => one.ariaLabel || one.innerText)"
_COLOURS = """() => ["backgroundColor", "color"].map(
    name => getComputedStyle(document.body)[name].match(/\\d+/g).slice(0, 3).map(Number))"""


def test_sounds_have_players_and_arrows_still_vote(browser: "Browser", tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wave = [audio.encode(rng.normal(scale=0.1, size=8000).astype(np.float32), 8000) for _ in range(2)]
    with_medium(tmp_path / "lake", LAKE, "audio", wave, {"sampling_rate": 8000})
    with rating(tmp_path) as rater, opened(browser, rater.url) as page:
        at(page, 1)
        assert page.inner_text("#question") == "Which sound is better?"
        assert page.locator("#left audio").count() == page.locator("#right audio").count() == 1
        page.wait_for_function("[...document.querySelectorAll('audio')].every(one => one.duration > 0.9)")
        page.focus("#left audio")
        page.keyboard.press("ArrowRight")
        at(page, 2)
    assert votes(tmp_path / "lake")["choice"].to_list() == votes(tmp_path / "lake")["right_cell"].to_list()


def test_videos_move(browser: "Browser", tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    moving = [video.encode(rng.integers(0, 255, (4, 16, 16, 3), np.uint8), 4.0) for _ in range(2)]
    with_medium(tmp_path / "lake", LAKE, "video", moving, {"frames": 4, "fps": 4.0})
    with rating(tmp_path) as rater, opened(browser, rater.url) as page:
        at(page, 1)
        assert page.inner_text("#question") == "Which video is better?"
        box = page.locator("#left img")
        assert box.count() == 1
        before = box.screenshot()
        moved = False
        for _ in range(20):
            page.wait_for_timeout(200)
            moved = moved or box.screenshot() != before
        assert moved
