"""How wide a line is drawn depends on the strokes that it has, not on the size or the proportions of its letters."""

import numpy as np
import pytest

from emnist_lines.lines.pitch import FINE, INK_ROWS, NARROWEST, SPACING, TOP, WIDEST, stretch, stretch_of


def bars(count: int, apart: int, thick: int = 3) -> np.ndarray:
    """Upright strokes so many columns apart, in the columns in which strokes are counted."""
    ink = np.zeros((INK_ROWS, (count - 1) * apart + thick), dtype=bool)
    for number in range(count):
        ink[:, number * apart : number * apart + thick] = True
    return ink


@pytest.mark.parametrize("apart", [12, 20, 30])
def test_strokes_come_to_stand_as_far_apart_as_they_should(apart: int) -> None:
    found = stretch(bars(200, apart)) * apart / FINE
    assert found == pytest.approx(SPACING, rel=0.05)


def test_a_single_stroke_is_not_drawn_as_wide_as_two() -> None:
    assert stretch(bars(1, 12)) < 2


def test_there_are_limits() -> None:
    assert stretch(bars(2, 4000)) == NARROWEST
    assert stretch(bars(400, 4, thick=2)) == WIDEST


def test_rows_that_few_strokes_cross_do_not_count() -> None:
    """As those of ascenders and descenders."""
    ink = bars(50, 16)
    ink[:8] = False
    ink[:8, 16:19] = True
    assert stretch(ink) == stretch(bars(50, 16))


def test_a_line_in_its_frame_is_cropped_to_its_ink() -> None:
    frame = np.zeros((28, 1000), dtype=bool)
    assert stretch_of(frame) == 1
    ink = bars(20, 14)
    frame[TOP : TOP + INK_ROWS, 100 : 100 + ink.shape[1]] = ink
    assert stretch_of(frame) == stretch(ink)
