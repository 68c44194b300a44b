"""A browser for tests: Debian's Chromium, without a window. Where it is missing tests skip; CI installs it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.flows.serving import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = Path("/usr/bin/chromium")
_QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
_FLAGS = ("--no-sandbox", "--disable-gpu", *_QUIET)

needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists() and os.environ.get("CI") != "true", reason="no chromium on this machine; CI installs it"
)


@contextmanager
def chromium() -> "Iterator[Browser]":
    """A browser, which is closed after the block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS, timeout=PATIENCE * 1000)
        yield browser
        browser.close()
