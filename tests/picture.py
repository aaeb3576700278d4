"""A picture of the top of the page of `dvc plots show` or `dvc plots diff`: `python -m tests.picture plots.png`."""

import argparse
from pathlib import Path

from emnist_lines.common.errors import UserError, run
from tests import browsers

PAGE = Path("dvc_plots/index.html")
WIDTH, HEIGHT = 1300, 1650
"""Pixels: two columns of plots, the first few rows."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Take a picture of the page of plots.")
    parser.add_argument("out", type=Path, metavar="FILE", help="the PNG file to write")
    options = parser.parse_args()
    if browsers.installed() is None:
        raise UserError(f"there is none of these browsers: {', '.join(browsers.NAMES)}; install one")
    if not PAGE.is_file():
        raise UserError(f"{PAGE} is missing; make it with `dvc plots show`")
    with browsers.page(WIDTH, HEIGHT) as (page, _):
        page.goto(PAGE.absolute().as_uri())
        page.locator("#Calibration_of_confidence svg.marks").wait_for()  # the last plot
        page.screenshot(path=options.out)


if __name__ == "__main__":
    run(main)
