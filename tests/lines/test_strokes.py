"""Strokes lie in their boxes, as wide as the pen, whatever other lines are rendered beside them."""

import numpy as np
import pytest

from emnist_lines.lines.config import VariationConfig
from emnist_lines.lines.line_file import UNIT, WRITTEN, Lines
from emnist_lines.lines.strokes import render_strokes
from emnist_lines.lines.variation import COUNT, sample_amounts
from tests.written_items import written_of

BAR, UPRIGHT, DOT = [(0, 0), (1000, 0)], [(0, 0), (0, 1000)], [(5, 5)]
WAVE = [(x * 50, (x * 37) % 90) for x in range(30)]
SOME = written_of(("a", [BAR]), ("b", [UPRIGHT]), ("c", [DOT]), ("d", [WAVE, UPRIGHT]), ("e", [BAR, UPRIGHT, WAVE]))


def lines_of(
    *rows: list[tuple[int, tuple[int, int, int, int]]], pen: tuple[float, float] = (2, 2), slant: float = 0
) -> Lines:
    """Lines of these items in these boxes."""
    pieces = [piece for row in rows for piece in row]
    return Lines(
        texts=np.full(len(rows), b"x"),
        tokens=np.zeros((len(rows), 8), dtype=np.uint8),
        widths=np.full(len(rows), 100, dtype=np.int32),
        overlaps=np.zeros(len(rows), dtype=np.float32),
        known=np.zeros(len(rows), dtype=bool),
        kinds=np.full(len(rows), WRITTEN, dtype=np.uint8),
        slants=np.full(len(rows), round(slant * UNIT), dtype=np.int16),
        pens=np.tile(np.array([round(size * UNIT) for size in pen], dtype=np.int16), (len(rows), 1)),
        starts=np.cumsum([0, *map(len, rows)]),
        glyphs=np.array([item for item, _ in pieces], dtype=np.int32),
        boxes=np.array([box for _, box in pieces], dtype=np.int16),
    )


def image(lines: Lines, columns: int = 100) -> np.ndarray:
    return render_strokes(lines, SOME, np.array([0]), columns)[0]


@pytest.mark.parametrize("pen", [1.5, 2.0, 3.25])
def test_a_stroke_is_as_wide_as_the_pen_and_where_its_box_is(pen: float) -> None:
    level = image(lines_of([(0, (10, 14, 60, 1))], pen=(pen, pen))).astype(float) / 255
    assert level[:, 30:50].sum(axis=0) == pytest.approx(np.full(20, pen), abs=0.2)
    rows = (level[:, 40] * (np.arange(28) + 0.5)).sum() / level[:, 40].sum()
    assert rows == pytest.approx(14.5, abs=0.3)
    columns = np.flatnonzero(level.max(axis=0) > 0.5)
    assert columns[0] == pytest.approx(10 - pen / 2, abs=1)
    assert columns[-1] + 1 == pytest.approx(70 + pen / 2, abs=1)


def test_a_pen_may_be_wider_across_than_down() -> None:
    level = image(lines_of([(1, (30, 4, 1, 20))], pen=(5, 2))).astype(float) / 255
    assert level[10:18].sum(axis=1) == pytest.approx(np.full(8, 5), abs=0.3)


def test_a_point_is_a_dot() -> None:
    level = image(lines_of([(2, (40, 10, 4, 4))], pen=(3, 3))).astype(float) / 255
    assert level.sum() == pytest.approx(np.pi * 1.5**2, rel=0.15)
    assert level[10:14, 40:44].sum() > 0.9 * level.sum()


def test_ink_leans_to_the_right_from_the_bottom_on() -> None:
    upright, leaning = (image(lines_of([(1, (40, 2, 1, 24))], slant=slant)) for slant in (0, 0.5))
    tops = [int(picture[4].argmax()) for picture in (upright, leaning)]
    bottoms = [int(picture[24].argmax()) for picture in (upright, leaning)]
    assert tops[1] - tops[0] == pytest.approx(11, abs=1)
    assert bottoms[1] - bottoms[0] == pytest.approx(1, abs=1)


def test_a_line_is_rendered_as_if_alone() -> None:
    rng = np.random.default_rng(0)
    rows = [
        [(int(rng.integers(5)), (int(rng.integers(60)), 3, 20, 20)) for _ in range(int(rng.integers(1, 4)))]
        for _ in range(12)
    ]
    lines = lines_of(*rows, pen=(3, 2))
    amounts = sample_amounts(
        (len(lines.glyphs),), VariationConfig(shift=1, stretch=2, bend=1, pen=0.5), np.random.default_rng(1)
    )
    assert amounts.shape[1] == COUNT
    chosen = rng.permutation(12)
    own = [amounts[lines.starts[n] : lines.starts[n + 1]] for n in chosen]
    together = render_strokes(lines, SOME, chosen, 100, np.concatenate(own))
    for number, some, picture in zip(chosen, own, together, strict=True):
        assert np.array_equal(picture, render_strokes(lines, SOME, np.array([number]), 100, some)[0])
    assert not np.array_equal(together, render_strokes(lines, SOME, chosen, 100))
    assert np.array_equal(together[:, :, :60], render_strokes(lines, SOME, chosen, 60, np.concatenate(own)))


def test_ink_beyond_the_edges_is_cut() -> None:
    found = image(lines_of([(4, (-30, 5, 200, 70))], pen=(9, 9)))
    assert found.shape == (28, 100)
    assert found.any()
