"""Glyphs and lines whose origin can be told."""

from dataclasses import dataclass

import numpy as np

from emnist_lines.common.glyphs import Glyphs
from emnist_lines.lines.line_file import Lines
from emnist_lines.lines.render import render
from emnist_lines.synthesis.composer import Composer


def one_pixel_each(count: int = 12) -> Glyphs:
    """Glyphs of one pixel, whose place tells in a line which glyph it is: 62 classes × `count`, at most 784 in all."""
    labels = np.repeat(np.arange(62, dtype=np.uint8), count)
    images = np.zeros((len(labels), 28, 28), dtype=np.uint8)
    for number, image in enumerate(images):
        image[number % 28, number // 28 % 28] = 200  # its place is its name
    return Glyphs(images, labels, "emnist", ("test",))


@dataclass(frozen=True)
class Composed:
    """Lines and their images, with the texts as characters."""

    lines: Lines
    images: np.ndarray
    texts: list[str]


def some(glyphs: Glyphs, composer: Composer, count: int) -> Composed:
    """Lines that a composer makes of its glyphs."""
    lines = composer.compose(composer.sample(count, np.random.default_rng(0)))
    images = render(lines, glyphs.images, np.arange(count), lines.columns)
    return Composed(lines, images, [text.decode() for text in lines.texts.tolist()])


def fingerprints(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}
