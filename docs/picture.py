"""A picture of the top of the page of `dvc plots show` or `dvc plots diff`: `python docs/picture.py plots.png`."""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

from emnist_lines.errors import UserError, run

PAGE = Path("dvc_plots/index.html")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT = 1300, 1650
"""Pixels: two columns of plots, the first few rows."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Take a picture of the page of plots.")
    parser.add_argument("out", type=Path, metavar="FILE", help="the PNG file to write")
    options = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise UserError(f"there is none of these browsers: {', '.join(BROWSERS)}; install one")
    if not PAGE.is_file():
        raise UserError(f"{PAGE} is missing; make it with `dvc plots show`")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(PAGE.absolute().as_uri())
        page.locator("#metrics_plots_calibration_csv svg.marks").wait_for()  # the last plot
        page.screenshot(path=options.out)
        opened.close()


if __name__ == "__main__":
    run(main)
