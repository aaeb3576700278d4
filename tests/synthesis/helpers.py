"""Glyphs and lines whose origin can be told."""

import numpy as np

from emnist_lines.common.glyphs import Glyphs
from emnist_lines.synthesis.composer import Block, Composer


def one_pixel_each(count: int = 12) -> Glyphs:
    """Glyphs of one pixel, whose place tells in a line which glyph it is: 62 classes × `count`, at most 784 in all."""
    labels = np.repeat(np.arange(62, dtype=np.uint8), count)
    images = np.zeros((len(labels), 28, 28), dtype=np.uint8)
    for number, image in enumerate(images):
        image[number % 28, number // 28 % 28] = 200  # its place is its name
    return Glyphs(images, labels, "emnist", ("test",))


def some(composer: Composer, count: int) -> Block:
    """Lines that a composer makes."""
    return composer.compose(composer.sample(count, np.random.default_rng(0)))


def fingerprints(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}
