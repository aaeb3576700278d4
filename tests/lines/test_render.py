"""An image is its glyphs, each scaled to its box; where they meet, ink adds up to 255 at most."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from emnist_lines.lines import render as module
from emnist_lines.lines.line_file import Lines
from emnist_lines.lines.render import render, strokes
from emnist_lines.lines.variation import COUNT

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
        kinds=np.zeros(len(rows), dtype=np.uint8),
        slants=np.zeros(len(rows), dtype=np.int16),
        pens=np.zeros((len(rows), 2), dtype=np.int16),
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


def bars() -> np.ndarray:
    """A glyph with an upright stroke, four pixels wide."""
    glyphs = np.zeros((1, 28, 28), dtype=np.uint8)
    glyphs[0, 2:26, 12:16] = 255
    return glyphs


def middles(image: np.ndarray) -> np.ndarray:
    """(rows with ink,) the middle of each row's ink, in columns."""
    rows = image[image.any(axis=1)].astype(float)
    return (rows * np.arange(image.shape[1])).sum(axis=1) / rows.sum(axis=1)


@pytest.mark.parametrize("slant", [-70, -13, 0, 9, 64, 150])
def test_a_slant_moves_upper_rows_to_the_right(slant: int) -> None:
    lines = replace(lines_of([(0, (100, 0, 28, 28))]), slants=np.array([slant], dtype=np.int16))
    (image,) = render(lines, bars(), np.array([0]), 220)
    found = middles(image)
    assert len(found) == 24
    assert np.abs(found - (113.5 + slant / 64 * (26 - np.arange(2, 26)))).max() < 0.02
    assert np.abs(image.sum(axis=1, dtype=int)[2:26] - 4 * 255).max() <= 2


def test_ink_from_outside_may_slant_into_a_line() -> None:
    lines = replace(
        lines_of([(0, (-40, 0, 28, 28)), (0, (100, 0, 28, 28))], [(0, (-90, 0, 28, 28))]),
        slants=np.array([128, 128], dtype=np.int16),
    )
    first, second = render(lines, bars(), np.arange(2), 100)
    assert first[2:6, 19:24].any()
    assert (first[24, 95:] == 0).all()
    assert not second.any()


@pytest.mark.parametrize(("height", "rows"), [(28, 3.0), (28, 5.5), (28, 7.5), (14, 3.0), (40, 4.0)])
def test_a_pen_makes_strokes_as_wide_as_it_is(height: int, rows: float) -> None:
    lines = replace(lines_of([(0, (10, 0, height, height))]), pens=np.full((1, 2), round(64 * rows), dtype=np.int16))
    (image,) = render(lines, bars(), np.array([0]), 60)
    stroke = image[height // 2].sum(dtype=int) / 255
    assert stroke == pytest.approx(rows, abs=0.6)
    assert middles(image)[10] == pytest.approx(9.5 + height / 2, abs=0.05)


def test_strokes_are_measured() -> None:
    assert strokes(bars())[0] / 64 == pytest.approx(4, rel=0.2)
    assert strokes(np.zeros((2, 28, 28), dtype=np.uint8)).tolist() == [0, 0]


def test_no_pen_wipes_a_stroke_out_or_adds_more_than_two_pixels_on_each_side() -> None:
    for pens, widest, least in ((1, 4, 1.5), (2000, 8, 8)):
        lines = replace(lines_of([(0, (0, 0, 28, 28))]), pens=np.full((1, 2), pens, dtype=np.int16))
        stroke = render(lines, bars(), np.array([0]), 28)[0, 14].sum(dtype=int) / 255
        assert least <= stroke <= widest


def test_pen_and_variation_add_up() -> None:
    lines = replace(lines_of([(0, (0, 0, 28, 28))]), pens=np.full((1, 2), 320, dtype=np.int16))
    strokes_of = []
    for pen in (-32, 0, 32):
        amounts = np.zeros((1, COUNT), dtype=np.float32)
        amounts[0, -1] = pen
        strokes_of.append(render(lines, bars(), np.array([0]), 28, amounts)[0, 14].sum(dtype=int) / 255)
        assert amounts[0, -1] == pen
    assert np.diff(strokes_of) == pytest.approx([1, 1], abs=0.1)
    assert strokes_of[1] == pytest.approx(render(lines, bars(), np.array([0]), 28)[0, 14].sum(dtype=int) / 255)


def test_lines_of_all_kinds_are_rendered_as_if_alone_in_any_order() -> None:
    rng = np.random.default_rng(2)
    rows = [
        [(int(rng.integers(-1, 5)), (int(9 * place - 5), int(rng.integers(-6, 3)), int(width), int(height)))]
        for place, (width, height) in enumerate(rng.integers(1, 50, (40, 2)))
    ]
    natural = np.arange(40) % 2
    lines = replace(
        lines_of(*rows, *[[(1, (3, 0, 28, 28)), (2, (20, 0, 28, 28))]]),
        kinds=np.append(natural, 0).astype(np.uint8),
        slants=np.append(natural * rng.integers(-90, 90, 40), 0).astype(np.int16),
        pens=np.append(natural * rng.integers(60, 300, 40), 0).repeat(2).reshape(-1, 2).astype(np.int16),
    )
    amounts = np.rint(rng.uniform(-40, 40, (42, COUNT))).astype(np.float32)
    chosen = rng.permutation(41)
    varied = np.concatenate([amounts[lines.starts[one] : lines.starts[one + 1]] for one in chosen])
    found = render(lines, GLYPHS, chosen, 200, varied)
    for image, one in zip(found, chosen, strict=True):
        alone = amounts[lines.starts[one] : lines.starts[one + 1]]
        assert np.array_equal(image, render(lines, GLYPHS, np.array([one]), 200, alone)[0])
