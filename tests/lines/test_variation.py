"""A varied glyph is what the field and the pen say, pixel by pixel."""

import numpy as np
import pytest

from emnist_lines.common.glyphs import Glyphs
from emnist_lines.lines import variation
from emnist_lines.lines.config import VariationConfig

MOST = VariationConfig(shift=1.0, stretch=2.5, bend=1.0, pen=0.5)


@pytest.fixture
def ink(glyphs: Glyphs) -> np.ndarray:
    return glyphs.images[::7].reshape(-1, 784)


def amounts(count: int, **values: float) -> np.ndarray:
    """In pixels: x and y followed by the number of a term, or pen."""
    out = np.zeros((count, variation.COUNT), dtype=np.float32)
    for name, value in values.items():
        place = -1 if name == "pen" else "xy".index(name[0]) * variation.TERMS + int(name[1])
        out[:, place] = value * variation.UNIT
    return out


def test_nothing_moves_by_nothing(ink: np.ndarray) -> None:
    assert np.array_equal(variation.vary(ink, amounts(len(ink))), ink)


@pytest.mark.parametrize(("name", "axis"), [("x0", 1), ("y0", 2)])
def test_a_shift_by_a_whole_pixel(ink: np.ndarray, name: str, axis: int) -> None:
    images = ink.reshape(-1, 28, 28)
    moved = variation.vary(ink, amounts(len(ink), **{name: 1.0})).reshape(-1, 28, 28)
    expected = np.roll(images, -1, axis)  # each pixel takes the ink of its neighbour
    expected.swapaxes(0, axis)[-1] = 0
    assert np.array_equal(moved, expected)


def test_a_field_of_random_terms(ink: np.ndarray) -> None:
    """Against the same in floating point, one pixel at a time."""
    sampled = variation.sample_amounts((len(ink),), MOST.replace(pen=0.0), np.random.default_rng(0))
    found = variation.vary(ink, sampled).reshape(-1, 28, 28)
    for number in range(0, len(ink), 10):
        image, (to_x, to_y) = np.pad(ink[number].reshape(28, 28).astype(float), 30), sampled[number, :-1].reshape(2, -1)
        for row in range(28):
            for column in range(28):
                x, y = (row - 13.5) / 13.5, (column - 13.5) / 13.5
                down, right = np.pi * (row + 0.5) / 28, np.pi * (column + 0.5) / 28
                waves = [np.cos(i * down) * np.cos(j * right) for i, j in variation.WAVES]
                terms = np.array([1, x, y, *waves]) / variation.UNIT
                at = np.array([row + to_x @ terms, column + to_y @ terms]) + 30
                corner = np.floor(at).astype(int)
                down, right = at - corner
                square = image[corner[0] : corner[0] + 2, corner[1] : corner[1] + 2]
                expected = np.array([1 - down, down]) @ square @ np.array([1 - right, right])
                assert abs(found[number, row, column] - expected) < 30  # an eighth of a pixel of full contrast


@pytest.mark.parametrize(("share", "choose"), [(1.0, np.max), (-1.0, np.min), (0.5, np.max), (-0.25, np.min)])
def test_a_wider_and_a_narrower_pen(ink: np.ndarray, share: float, choose: object) -> None:
    padded = np.pad(ink.reshape(-1, 28, 28).astype(int), ((0, 0), (1, 1), (1, 1)), mode="edge")
    cross = [padded[:, 1 + a : 29 + a, 1 + b : 29 + b] for a, b in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))]
    assert callable(choose)
    target = choose(cross, axis=0)
    expected = cross[0] + abs(share) * (target - cross[0])
    found = variation.vary(ink, amounts(len(ink), pen=share)).reshape(-1, 28, 28)
    assert np.abs(found - expected).max() < 1


def test_sampled_amounts_keep_to_their_limits() -> None:
    sampled = variation.sample_amounts((4000,), MOST, np.random.default_rng(0)) / variation.UNIT
    # half periods (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (2, 0), …
    waves = [1, 2 / 3, 1, 2 / 3, 1 / 2, 1, 2 / 3, 1 / 2, 2 / 5, 2 / 3, 1 / 2, 2 / 5, 1 / 3]
    limits = [*[1.0, 2.5, 2.5, *waves] * 2, 0.5]
    assert np.allclose(np.abs(sampled).max(axis=0), limits, atol=0.02)
    assert np.allclose(sampled.mean(axis=0), 0, atol=0.1)


def test_glyphs_vary_each_on_their_own(ink: np.ndarray) -> None:
    many = np.repeat(ink[:1], 300, axis=0)  # more than are computed together
    sampled = variation.sample_amounts((300,), MOST, np.random.default_rng(0))
    found = variation.vary(many, sampled)
    assert len({glyph.tobytes() for glyph in found}) > 290
    assert np.array_equal(found[200:], variation.vary(many[200:], sampled[200:]))
