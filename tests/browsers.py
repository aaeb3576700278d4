"""A headless Chromium for the tests of pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")

FEWER_FRAMES = """
const frame = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (callback) => setTimeout(() => frame(callback), 200);
window.cancelAnimationFrame = clearTimeout;
"""
"""Five pictures a second: without a GPU, a page that draws itself anew at each chance takes all cores."""


def installed() -> str | None:
    """The path of the first of `NAMES` that is there."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def failure(request: Request) -> list[str]:
    """What failed, unless the page itself gave the request up."""
    return [] if request.failure == "net::ERR_ABORTED" else [f"{request.url}: {request.failure}"]


@contextmanager
def page(width: int = 1300, height: int = 1000) -> Iterator[tuple[Page, list[str]]]:
    """An empty page, and what went wrong in it so far: scripts that failed, files that could not be loaded.

    Skips the test where no browser is installed, except in CI.
    """
    found = installed()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"CI needs one of these browsers: {', '.join(NAMES)}")
        pytest.skip(f"needs one of these browsers: {', '.join(NAMES)}")
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(OPTIONS))
        opened = browser.new_page(viewport={"width": width, "height": height})
        opened.add_init_script(FEWER_FRAMES)
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on("requestfailed", lambda request: problems.extend(failure(request)))
        opened.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        yield opened, problems
        browser.close()
