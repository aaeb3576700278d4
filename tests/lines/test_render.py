"""An image is its glyphs, each scaled to its box; where they meet, ink adds up to 255 at most."""

import numpy as np
import pytest
from PIL import Image

from emnist_lines.lines import render as module
from emnist_lines.lines.line_file import Lines
from emnist_lines.lines.render import render

GLYPHS = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)


def lines_of(*rows: list[tuple[int, tuple[int, int, int, int]]]) -> Lines:
    """Lines of glyphs in boxes; what rendering does not look at is empty."""
    characters = [character for row in rows for character in row]
    return Lines(
        texts=np.zeros(len(rows), dtype="S1"),
        tokens=np.zeros((len(rows), 8), dtype=np.uint8),
        widths=np.zeros(len(rows), dtype=np.int32),
        overlaps=np.zeros(len(rows), dtype=np.float32),
        known=np.zeros(len(rows), dtype=bool),
        starts=np.cumsum([0, *map(len, rows)]),
        glyphs=np.array([glyph for glyph, _ in characters], dtype=np.int32),
        boxes=np.array([box for _, box in characters], dtype=np.int16).reshape(-1, 4),
    )


def images(lines: Lines, columns: int = 100) -> np.ndarray:
    return render(lines, GLYPHS, np.arange(len(lines.texts)), columns)


def test_glyphs_side_by_side_with_a_space_between() -> None:
    (image,) = images(lines_of([(0, (0, 0, 28, 28)), (-1, (28, 0, 28, 28)), (3, (56, 0, 28, 28))]))
    assert np.array_equal(image[:, :28], GLYPHS[0])
    assert np.array_equal(image[:, 56:84], GLYPHS[3])
    assert not image[:, 28:56].any()
    assert not image[:, 84:].any()


def test_ink_adds_up_and_saturates() -> None:
    (image,) = images(lines_of([(0, (0, 0, 28, 28)), (1, (10, 0, 28, 28)), (2, (12, 0, 28, 28))]))
    expected = np.zeros((28, 100), dtype=int)
    for glyph, left in ((0, 0), (1, 10), (2, 12)):
        expected[:, left : left + 28] += GLYPHS[glyph]
    assert (expected > 255).any()
    assert np.array_equal(image, np.minimum(expected, 255))


def test_lines_are_rendered_as_if_alone_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    rows = [
        [(int(rng.integers(-1, 5)), (9 * place, 0, 28, 28)) for place in range(int(count))]
        for count in rng.integers(1, 9, 40)
    ]
    lines = lines_of(*rows)
    chosen = rng.permutation(40)
    found = render(lines, GLYPHS, chosen, 100)
    monkeypatch.setattr(module, "TOGETHER", 3)
    assert np.array_equal(found, render(lines, GLYPHS, chosen, 100))
    for image, number in zip(found, chosen, strict=True):
        assert np.array_equal(image, images(lines_of(rows[number]))[0])


@pytest.mark.parametrize("size", [(14, 14), (20, 9), (28, 20), (41, 25), (28, 28)])
def test_a_box_of_another_size_holds_the_glyph_scaled(size: tuple[int, int]) -> None:
    """As Pillow scales it; both round, here in steps of 1/64 per axis."""
    width, height = size
    (image,) = images(lines_of([(2, (30, 2, width, height)), (1, (0, 0, 28, 28))]))
    scaled = np.array(Image.fromarray(GLYPHS[2]).resize(size, Image.Resampling.BILINEAR)).astype(int)
    cell = image[2 : 2 + height, 30 : 30 + width].astype(int)
    assert np.abs(cell - scaled[: 28 - 2]).max() <= 6
    around = image.copy()
    around[2 : 2 + height, 30 : 30 + width] = 0
    assert np.array_equal(around[:, :28], GLYPHS[1])
    assert not around[:, 28:].any()


def test_a_box_may_reach_beyond_its_line() -> None:
    (image,) = images(lines_of([(0, (-5, -3, 28, 28)), (1, (90, 7, 28, 28)), (2, (40, 4, 28, 40))]), columns=100)
    assert np.array_equal(image[:25, :23], GLYPHS[0][3:, 5:])
    assert np.array_equal(image[7:, 90:], GLYPHS[1][:21, :10])
    assert not image[25:, :23].any()
    assert not image[:4, 40:68].any()


def test_lines_without_ink() -> None:
    assert not images(lines_of([(-1, (0, 0, 28, 28))], [])).any()
