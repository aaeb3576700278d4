"""Natural lines: letters as high as people write them, on one base line, and as large as handwriting is read."""

from dataclasses import fields

import numpy as np
import pytest
from benchmarks.parameters import Params

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.lines.line_file import LAB, NATURAL, NO_GLYPH, Lines
from emnist_lines.lines.pitch import INK_ROWS, TOP
from emnist_lines.lines.render import render
from emnist_lines.synthesis import natural as module
from emnist_lines.synthesis.composer import Composer
from emnist_lines.synthesis.documents import Document
from emnist_lines.synthesis.handwriting import SIDE
from emnist_lines.synthesis.natural import natural_lines
from emnist_lines.synthesis.proportions import Hand, dotless, ink_boxes, layout
from emnist_lines.synthesis.synthesize import composers

SPACE = len(CLASSES)


def hand(count: int, **others: float) -> Hand:
    """Upright hands alike, on a straight base line."""
    values = {"small": 0.6, "depth": 0.4, "wide": 1.0, "gap": 0.1, "space": 0.7, "climb": 0.0} | others
    columns = {name: np.full((count, 1), value) for name, value in values.items()}
    return Hand(**columns, wave=np.full((count, 3), (0.0, 5.0, 0.0)), slant=np.zeros(count), pen=np.full(count, 2.0))


def placed(text: str, bare: bool = False, count: int = 50, **others: float) -> np.ndarray:
    """(count, characters, 4) edges of ink that is twice as high as wide."""
    classes = np.array([[SPACE if letter == " " else CLASSES.index(letter) for letter in text]] * count, dtype=np.uint8)
    inks = np.full((*classes.shape, 4), (9, 4, 19, 24))
    return layout(classes, inks, np.full(classes.shape, bare), hand(count, **others), np.random.default_rng(0))


@pytest.fixture(scope="module")
def composer(glyphs: Glyphs, documents: list[Document], small: Params) -> Composer:
    return composers(glyphs, documents, small.synthesize.replace(max_length=24))["train"]


def natural(glyphs: Glyphs, composer: Composer, count: int = 60, varied: bool = False, seed: int = 0) -> Lines:
    rng = np.random.default_rng(seed)
    choices = composer.sample(count, rng)
    return natural_lines(composer, choices, glyphs.images, ink_boxes(glyphs.images), rng, varied)


def test_ink_boxes() -> None:
    images = np.zeros((3, 28, 28), dtype=np.uint8)
    images[0, 5:20, 3:9] = 200
    images[0, 21, 12] = 60  # a shade, not ink
    images[1] = 255
    assert ink_boxes(images).tolist() == [[3, 5, 9, 20], [0, 0, 28, 28], [0, 0, 28, 28]]


def test_a_dot_stands_apart() -> None:
    images = np.zeros((3, 28, 28), dtype=np.uint8)
    images[:, 10:24, 14] = 255
    images[1, 4:7, 14] = 255
    images[2, :10, 14] = 255
    assert dotless(images).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("letters", "bottom", "top"),
    [
        ("AZ07bdfhkl", 0, 1),
        ("acemnorsuvwxz", 0, 0.6),
        ("gpqy", -0.4, 0.6),
        ("t", 0, 0.85),
        ("i", 0, 0.9),
        ("j", -0.4, 0.9),
    ],
)
def test_letters_are_as_high_as_their_kind(letters: str, bottom: float, top: float) -> None:
    edges = placed(letters)
    for found, wanted in ((edges[..., 1], bottom), (edges[..., 3], top)):
        assert np.abs(found - wanted).max() <= 0.03 + 0.06 * abs(wanted) + 1e-9
        assert np.abs(found.mean(axis=0) - wanted).max() < 0.03
        assert found.std() > 0.01


def test_an_i_without_its_dot_is_a_small_letter() -> None:
    assert np.abs(placed("ij", bare=True)[..., 3] - 0.6).max() < 0.07
    assert (placed("bt", bare=True)[..., 3] > 0.7).all()


def test_letters_keep_their_own_width_and_stand_a_gap_apart() -> None:
    left, bottom, right, top = np.moveaxis(placed("ab cd", wide=0.9), 2, 0)
    width = (right - left)[:, [0, 1, 3, 4]] / (top - bottom)[:, [0, 1, 3, 4]]
    assert np.abs(width / 0.45 - 1).max() <= 0.08 + 1e-9
    gaps = left[:, 1:] - right[:, :-1]
    assert np.abs(gaps[:, [0, 3]] - 0.1).max() <= 0.05 + 1e-9
    assert np.allclose(gaps[:, 1:3], 0)  # the space itself is the gap
    assert np.abs((right - left)[:, 2] - 0.7).max() <= 0.1 + 1e-9


def test_a_base_line_climbs() -> None:
    bottom = placed("a" * 20, climb=0.02)[..., 1].mean(axis=0)
    assert bottom[-1] - bottom[0] == pytest.approx(0.02 * 19 * 0.4, abs=0.03)


@pytest.mark.parametrize("varied", [False, True])
def test_ink_takes_its_rows_and_the_columns_that_are_told(glyphs: Glyphs, composer: Composer, varied: bool) -> None:
    lines = natural(glyphs, composer, 200, varied)
    images = render(lines, glyphs.images, np.arange(200), lines.columns + 20)
    assert (lines.kinds == NATURAL).all()
    assert not lines.overlaps.any()
    assert (lines.widths <= 28 * 22).all()
    highs = []
    for image, width in zip(images, lines.widths, strict=True):
        rows, columns = (np.flatnonzero((image >= 102).any(axis=axis)) for axis in (1, 0))
        highs.append(rows[-1] + 1 - rows[0])
        assert rows[0] >= TOP - 2
        assert SIDE - 2 <= columns[0] <= SIDE + 3
        assert SIDE - 3 <= width - 1 - columns[-1] <= SIDE + 3
    assert np.mean(highs) == pytest.approx(INK_ROWS, abs=1)
    assert min(highs) >= INK_ROWS - 4


def test_train_lines_are_wider_and_narrower_than_they_are_read(
    glyphs: Glyphs, composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a factor between the ends of JITTER."""
    widths = {}
    for factor in (0.8, 1.0, 1.3):
        monkeypatch.setattr(module, "JITTER", (factor, factor))
        widths[factor] = natural(glyphs, composer, 200, varied=True).widths - 2 * SIDE
    whole = widths[1.3] < widths[1.3].max()  # what would be too long is as wide as there is room
    assert whole.sum() > 100
    for factor in (0.8, 1.3):
        assert np.allclose(widths[factor][whole], factor * widths[1.0][whole], atol=2)


def test_texts_are_the_choices_and_spaces_leave_no_ink(glyphs: Glyphs, composer: Composer) -> None:
    rng = np.random.default_rng(5)
    choices = composer.sample(60, rng)
    lab = composer.compose(choices)
    lines = natural_lines(composer, choices, glyphs.images, ink_boxes(glyphs.images), rng, varied=True)
    assert (lab.kinds == LAB).all()
    for name in ("texts", "tokens", "starts", "glyphs", "known"):
        assert np.array_equal(getattr(lines, name), getattr(lab, name))
    spaces = np.concatenate([[letter == 32 for letter in text] for text in lines.texts.tolist()])
    assert np.array_equal(lines.glyphs == NO_GLYPH, spaces)
    assert (lines.boxes[:, 2:] > 0).all()


def test_the_same_lines_each_time_with_the_types_of_the_lab_s(glyphs: Glyphs, composer: Composer) -> None:
    one, other, another = (natural(glyphs, composer, seed=seed) for seed in (1, 1, 2))
    lab = composer.compose(composer.sample(3, np.random.default_rng(0)))
    for field in fields(one):
        assert np.array_equal(getattr(one, field.name), getattr(other, field.name))
        assert getattr(one, field.name).dtype == getattr(lab, field.name).dtype
    assert not np.array_equal(one.boxes, another.boxes)


def test_lines_are_rendered_as_if_alone(glyphs: Glyphs, composer: Composer) -> None:
    lines = natural(glyphs, composer)
    columns = int(lines.widths.max())
    chosen = np.random.default_rng(1).permutation(60)
    for image, number in zip(render(lines, glyphs.images, chosen, columns), chosen, strict=True):
        assert np.array_equal(image, render(lines, glyphs.images, np.array([number]), columns)[0])


def test_the_shortest_lines_fit(glyphs: Glyphs, documents: list[Document], small: Params) -> None:
    lines = natural(glyphs, composers(glyphs, documents, small.synthesize.replace(max_length=3))["val"], varied=True)
    assert (lines.widths <= 28).all()
    assert (lines.widths > 2 * SIDE).all()
