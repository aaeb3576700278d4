"""Pictures show every line, and each run of text in its colour, underlined as far as it is in doubt."""

import numpy as np
import pytest
from PIL import Image

from emnist_lines.figures.line_pictures import (
    DOUBT,
    GREY,
    INK,
    PAPER,
    SCALE,
    UNDERLINE,
    WRONG,
    Colour,
    Entry,
    Run,
    line,
    preview,
    stack,
)

IMAGE = np.zeros((28, 140), dtype=np.uint8)
IMAGE[5:20, 10:30] = 255


def count(page: Image.Image, colour: Colour) -> int:
    """Pixels of a colour, or nearly so."""
    return int((np.abs(np.asarray(page).astype(int) - colour).sum(axis=2) < 60).sum())


def page(*runs: Run, heading: str = "") -> Image.Image:
    """A picture of one line above one row of text."""
    return stack([Entry(IMAGE, [list(runs)], heading)])


def test_a_picture_has_room_for_every_line() -> None:
    texts = ["a", "hello", "a much longer text than its line is wide"]
    found = preview([IMAGE[:, :width] for width in (28, 140, 84)], texts)
    assert found.height > 3 * 28 * SCALE
    assert found.width > 140 * SCALE
    assert count(found, INK) + count(found, (0, 0, 0)) > 2 * 15 * 20 * SCALE**2  # dark on light
    assert count(found, PAPER) > 0.5 * found.width * found.height


@pytest.mark.parametrize("colour", [WRONG, GREY])
def test_a_run_of_text_has_its_colour(colour: Colour) -> None:
    assert count(page(Run("hello", colour)), colour) > 20 + count(page(Run("hello", INK)), colour)


def test_text_is_written_after_the_text_before_it() -> None:
    first, second = (np.asarray(page(*runs)) for runs in ([Run("HH", WRONG)], [Run("HH", INK), Run("HH", WRONG)]))
    red = [np.flatnonzero((np.abs(p.astype(int) - WRONG).sum(axis=2) < 60).any(axis=0)) for p in (first, second)]
    assert red[1].min() > red[0].max()


def test_doubt_is_an_underline_that_is_the_longer_the_less_sure() -> None:
    found = [count(page(Run("hello", INK, doubt)), DOUBT) for doubt in (0.0, 0.3, 0.6, 0.9)]
    assert found[0] == 0
    assert found[1] > 20
    assert found[2] == pytest.approx(2 * found[1], abs=3 * UNDERLINE)
    assert found[3] == pytest.approx(3 * found[1], abs=3 * UNDERLINE)


def test_a_heading_takes_a_row_of_its_own() -> None:
    without, with_heading = page(Run("a", INK)), page(Run("a", INK), heading="Best")
    assert with_heading.height > without.height + 28
    assert count(with_heading, INK) > count(without, INK)


def test_each_entry_and_each_row_takes_its_place() -> None:
    one = stack([Entry(IMAGE, [[Run("a", INK)]])])
    two = stack([Entry(IMAGE, [[Run("a", INK)]])] * 2)
    rows = stack([Entry(IMAGE, [[Run("a", INK)]] * 2)])
    assert two.height > one.height + 28 * SCALE
    assert one.height < rows.height < two.height
    assert count(two, (0, 0, 0)) == 2 * count(one, (0, 0, 0))


def test_a_line_as_on_paper() -> None:
    found = np.asarray(line(IMAGE))
    assert np.array_equal(255 - found, IMAGE)


def test_a_picture_of_no_lines_is_empty_paper() -> None:
    """As of a split of one or two lines, which has no best, typical and worst."""
    found = np.asarray(stack([]))
    assert found.size > 0
    assert (found == PAPER).all()
