"""How the page reads what people write on its board: `python -m tests.drawing_board`.

Ten words and short texts by ten people of the validation lines are drawn with the mouse in a browser, along the strokes
that these people made. Printed are the texts, what the page read, and how many it read without an error.
"""

from pathlib import Path

import numpy as np
from playwright.sync_api import Page

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.written import Written
from emnist_lines.evaluation.written_lines import writers_of
from emnist_lines.lines.dataset import LinesDataset
from tests import browsers
from tests.demo_page import ROOT, served

TEXTS = 10
SHORTEST, LONGEST = 4, 14
"""Characters of a text."""
HEIGHT, WIDTH = 110.0, 900.0
"""Pixels that a text takes on the board, at most."""
STEP = 6.0
"""Pixels between two places that the mouse is told to go to."""


def chosen(data: Path, seed: int = 0) -> tuple[Written, list[int]]:
    """All items, and those of `TEXTS` people of the validation lines that are drawn, a random one of each."""
    dataset = LinesDataset(data, "val")
    written, writers = dataset.written, writers_of(dataset)
    assert written is not None
    people = np.unique(writers[writers >= 0])
    lengths = np.char.str_len(written.texts)
    plain = np.array([set(text.decode()) <= set(CLASSES + " ") for text in written.texts.tolist()])
    fit = plain & (lengths >= SHORTEST) & (lengths <= LONGEST)
    rng = np.random.default_rng(seed)
    found = []
    for person in rng.permutation(people).tolist():
        own = np.flatnonzero(fit & (written.writers == person))
        if len(own) and len(found) < TEXTS:
            found.append(int(rng.choice(own)))
    return written, found


def draw(page: Page, strokes: list[np.ndarray]) -> None:
    """Move the mouse along some strokes, in the middle of the board."""
    board = page.locator("#board canvas").first
    board.wait_for()
    box = board.bounding_box()
    assert box is not None
    every = np.concatenate(strokes).astype(float)
    low, size = every.min(axis=0), np.ptp(every, axis=0)
    scale = min(HEIGHT / max(size[1], 1), WIDTH / max(size[0], 1))
    corner = np.array([box["x"] + (box["width"] - size[0] * scale) / 2, box["y"] + (box["height"] - HEIGHT) / 2])
    for stroke in strokes:
        points = (stroke - low) * scale + corner
        page.mouse.move(*points[0])
        page.mouse.down()
        at = points[0]
        for point in points[1:]:
            if np.hypot(*(point - at)) >= STEP:
                page.mouse.move(*point)
                at = point
        page.mouse.move(*points[-1])
        page.mouse.up()


def main() -> None:
    written, items = chosen(ROOT / "data")
    right = 0
    with served() as address, browsers.page() as (page, _):
        for item in items:
            page.goto(address)
            page.locator("#board button[aria-label=Brush].highlight").wait_for()
            draw(page, written.of(item))
            page.wait_for_timeout(4000)
            read = page.locator("#text textarea").input_value()
            text = written.texts[item].decode()
            right += read == text
            print(f"{text:{LONGEST}} {read:{LONGEST}} {'' if read == text else 'wrong'}", flush=True)
    print(f"{right} of {len(items)} texts read without an error")


if __name__ == "__main__":
    main()
