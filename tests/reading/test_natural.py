"""A picture of handwriting becomes what training has seen of it: the same place, size and width."""

import numpy as np
import pytest
from benchmarks.parameters import Params
from benchmarks.pictures import on_paper
from PIL import ImageFilter

from emnist_lines.common.written import Written
from emnist_lines.lines.strokes import render_strokes
from emnist_lines.reading import picture_file, preprocessing
from emnist_lines.reading.preprocessing import NATURAL_LETTER
from emnist_lines.sources.drawn_written import render_written
from emnist_lines.synthesis.written_lines import compose_written
from tests.reading.test_preprocessing import likeness


@pytest.fixture(scope="module")
def written() -> Written:
    return render_written(20, 5)


def test_a_picture_becomes_the_line_that_training_sees(written: Written, defaults: Params) -> None:
    """Words of one line each, as val and test have them; Pillow's pen is not ours, so that pixels differ."""
    lines, _ = compose_written(
        written, np.arange(12), len(written.texts), defaults.synthesize, np.random.default_rng(0), varied=False
    )
    sizes, alike = [], []
    for number in range(len(lines.texts)):
        pieces = lines.glyphs[lines.starts[number] : lines.starts[number + 1]]
        if len(pieces) > 1 or len(lines.texts[number]) < 4:
            continue
        seen = render_strokes(lines, written, np.array([number]), int(lines.widths[number]))[0]
        (line,) = preprocessing.lines(picture_file.load(on_paper(written, int(pieces[0]))))
        way = line.ways[0]
        assert way.letter == NATURAL_LETTER
        sizes.append(way.image.shape[1] / seen.shape[1])
        alike.append(likeness(way.image, seen))
    assert len(sizes) > 40
    assert np.median(sizes) == pytest.approx(1, abs=0.05)
    assert np.quantile(np.abs(np.array(sizes) - 1), 0.9) < 0.25
    assert np.median(alike) > 0.8


def test_the_size_of_a_picture_makes_no_difference(written: Written) -> None:
    item = int(np.flatnonzero(np.char.str_len(written.texts) > 6)[0])
    widths = []
    for times in (1, 2, 4):
        (line,) = preprocessing.lines(picture_file.load(on_paper(written, item, 45 * times, 4 * times, 20 * times)))
        widths.append(line.ways[0].image.shape[1])
    assert max(widths) < 1.1 * min(widths)


@pytest.mark.parametrize("blur", [0.7, 1.2, 2])
def test_a_blurred_picture_becomes_the_line_that_a_sharp_one_does(written: Written, blur: float) -> None:
    """Blur runs strokes together, so that fewer are counted and the line becomes narrower."""
    sizes, alike = [], []
    for item in np.flatnonzero(np.char.str_len(written.texts) >= 4)[:24].tolist():
        picture = on_paper(written, item, height=46, pen=4)
        blurred = picture.filter(ImageFilter.GaussianBlur(blur))
        (one,), (other,) = preprocessing.lines(picture_file.load(picture)), preprocessing.lines(np.asarray(blurred))
        sharp, found = one.ways[0].image, other.ways[0].image
        sizes.append(found.shape[1] / sharp.shape[1])
        alike.append(likeness(found, sharp))
    assert len(sizes) == 24
    assert np.median(sizes) == pytest.approx(1, abs=0.06)
    assert np.median(alike) > 0.9


@pytest.mark.parametrize("pen", [7, 8, 9])
def test_strokes_of_natural_handwriting_stay_as_wide_as_they_were_written(written: Written, pen: int) -> None:
    """The share of a line that is ink, which no stretching changes: wider strokes would fill what they go around."""
    shares = []
    for item in np.flatnonzero(np.char.str_len(written.texts) >= 4)[:12].tolist():
        picture = np.asarray(on_paper(written, item, pen=pen))
        (line,) = preprocessing.lines(picture)
        paper, image = picture[30:-30, 30:-30], line.ways[0].image[2:-2, 4:-4]
        shares.append((image > 127).mean() / (paper < 137).mean())
    assert len(shares) >= 8
    assert 0.8 < np.median(shares) < 1.2
