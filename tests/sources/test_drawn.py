"""The stand-in is in EMNIST's format, varied, and the same each time."""

import numpy as np

from emnist_lines.common.glyphs import Glyphs
from emnist_lines.sources import drawn


def test_all_classes_in_emnist_s_format(glyphs: Glyphs) -> None:
    assert glyphs.images.shape == (744, 28, 28)
    assert glyphs.images.dtype == glyphs.labels.dtype == np.uint8
    assert (glyphs.counts() == 12).all()
    assert glyphs.source == "drawn"


def test_ink_is_white_centred_and_inside(glyphs: Glyphs) -> None:
    assert (glyphs.images.max(axis=(1, 2)) > 120).all()
    assert glyphs.images.mean() < 80
    for axis in (1, 2):
        ink = (glyphs.images > 60).any(axis=axis)
        first, last = ink.argmax(axis=1), 27 - ink[:, ::-1].argmax(axis=1)
        assert (abs(first - (27 - last)) <= 3).all()
        assert (first >= 1).all()


def test_no_two_are_alike(glyphs: Glyphs) -> None:
    assert len({image.tobytes() for image in glyphs.images}) == 744


def test_the_seed_decides(glyphs: Glyphs) -> None:
    assert np.array_equal(drawn.render_glyphs(10, 5).images, drawn.render_glyphs(10, 5).images)
    assert not np.array_equal(drawn.render_glyphs(10, 5).images, drawn.render_glyphs(10, 6).images)
