"""Varied glyphs: each occurrence of a character is bent and inked a little differently, as by another hand.

A smooth field moves a glyph's pixels (shift; stretch, slant and rotation; bend, a sum of low cosine waves), and its
strokes grow or shrink (dilation and erosion). Training on deformed copies is the method of Simard et al. 2003 ("Best
Practices for Convolutional Neural Networks"), here with waves in place of their blurred noise. All numbers are whole,
so that every machine makes the same bytes.
"""

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.glyphs import SIZE
from emnist_lines.lines.config import VariationConfig

AREA = SIZE * SIZE
UNIT = 64
"""Steps of a random number in one pixel, and of a place between the glyph's middle and its edge."""
WAVES = [(i, j) for i in range(4) for j in range(4) if i + j >= 2]
"""Half periods of each wave along a glyph's rows and columns."""
TERMS = 3 + len(WAVES)
COUNT = 2 * TERMS + 1
"""Random numbers of one varied glyph: the field's terms for each axis, and the pen."""
CHUNK = 128
"""Glyphs varied together: what they need fits the processor's cache."""
_FINE = 16
"""Steps of a pixel that ink is interpolated at, 2^4."""
_PADDED = SIZE + 3


def _terms() -> NDArray[np.float32]:
    """(16, 784) whole numbers from -64 to 64: 1, x, y and the waves at each pixel, x and y from -1 to 1."""
    one, line = np.ones(SIZE), (2 * np.arange(SIZE) - SIZE + 1) / (SIZE - 1)
    waves = np.cos(np.pi * np.arange(4)[:, None] * (np.arange(SIZE) + 0.5) / SIZE)
    products = [(one, one), (line, one), (one, line), *[(waves[i], waves[j]) for i, j in WAVES]]
    return np.stack([np.rint(UNIT * np.outer(*pair)).ravel() for pair in products]).astype(np.float32)


TERM_TABLE = _terms()
"""(16, 784) whole numbers from -64 to 64: the terms of the field at each pixel of a glyph."""


def sample_amounts(shape: tuple[int, ...], variation: VariationConfig, rng: np.random.Generator) -> NDArray[np.float32]:
    """(*shape, COUNT) whole numbers, uniform within what `variation` allows: by how much glyphs vary.

    The shorter a wave, the lower: 2 / (i + j) of `variation.bend` for (i, j) half periods.
    """
    axis = [variation.shift, variation.stretch, variation.stretch, *[variation.bend * 2 / (i + j) for i, j in WAVES]]
    limits = np.rint(np.array([*axis, *axis, variation.pen]) * UNIT)
    return np.rint((2 * rng.random((*shape, COUNT)) - 1) * limits).astype(np.float32)


def vary(ink: NDArray[np.uint8], amounts: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Glyphs after their variation.

    Args:
        ink: (N, 784) uint8, (28, 28) glyphs; which axis comes first makes no difference to the distribution.
        amounts: (N, COUNT) as `sample_amounts` returns them, the last with what a line's pen adds.

    Returns:
        (N, 784) uint8.
    """
    out = np.empty_like(ink)
    for start in range(0, len(ink), CHUNK):
        chunk = slice(start, start + CHUNK)
        out[chunk] = pen(_moved(ink[chunk], amounts[chunk, :-1]), amounts[chunk, -1])
    return out


def _moved(ink: NDArray[np.uint8], amounts: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(N, 28, 28): each pixel takes the ink of the place that the field names, bilinearly."""
    count = len(ink)
    padded = np.zeros((count, _PADDED, _PADDED), dtype=np.uint8)
    padded[:, 1 : 1 + SIZE, 1 : 1 + SIZE] = ink.reshape(count, SIZE, SIZE)
    # Not @: the threads of NumPy's BLAS would go on spinning and take torch's cores for a third of a training step.
    moves = np.einsum("nk,kp->np", amounts.reshape(-1, TERMS), TERM_TABLE)  # exact: whole numbers far below 2^24
    moves = (moves.astype(np.int32) >> 8).astype(np.int16).reshape(count, 2, SIZE, SIZE)  # of 1/4096 pixel to 1/16
    rows = moves[:, 0] + (np.arange(1, SIZE + 1, dtype=np.int16) * _FINE)[:, None]
    columns = moves[:, 1] + np.arange(1, SIZE + 1, dtype=np.int16) * _FINE
    for axis in (rows, columns):
        np.maximum(axis, 0, out=axis)
        np.minimum(axis, (_PADDED - 2) * _FINE, out=axis)
    at = ((rows >> 4) * _PADDED + (columns >> 4)).astype(np.intp)
    at += (np.arange(count) * _PADDED**2)[:, None, None]
    down, right = (rows & (_FINE - 1)).astype(np.uint16), (columns & (_FINE - 1)).astype(np.uint16)
    corners = [padded.ravel()[there:].take(at) for there in (0, 1, _PADDED, _PADDED + 1)]
    upper = corners[0] * (_FINE - right) + corners[1] * right
    lower = corners[2] * (_FINE - right) + corners[3] * right
    mixed: NDArray[np.uint16] = upper * (_FINE - down) + lower * down + _FINE**2 // 2
    return (mixed >> 8).astype(np.uint8)


def pen(glyphs: NDArray[np.uint8], amounts: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Glyphs as a pen of another width leaves them.

    Args:
        glyphs: (N, 28, 28) uint8.
        amounts: (N,) whole numbers, by how much strokes widen (or, below 0, narrow) on each side: 1/64 pixel, and two
            pixels at most.

    Returns:
        (N, 784) uint8.
    """
    first = np.clip(amounts, -UNIT, UNIT)
    inked = _inked(glyphs, first)
    more = np.flatnonzero(first != amounts)
    if len(more):
        inked[more] = _inked(inked[more].reshape(-1, SIZE, SIZE), np.clip(amounts - first, -UNIT, UNIT)[more])
    return inked


def _inked(glyphs: NDArray[np.uint8], amounts: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(N, 784): part of the way to what a pen one pixel wider (or, below 0, narrower) on each side would leave."""
    share = amounts.astype(np.int16)[:, None, None]
    negative = np.where(share > 0, 0, 255).astype(np.uint8)  # paper grows where ink shrinks
    glyphs = glyphs ^ negative
    grown = glyphs.copy()
    for here, there in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
        for one, other in (((slice(None), here), (slice(None), there)), ((..., here), (..., there))):
            np.maximum(grown[one], glyphs[other], out=grown[one])
    glyphs, grown = glyphs ^ negative, grown ^ negative
    changed = glyphs + ((grown.astype(np.int16) - glyphs) * np.abs(share) // UNIT)
    return changed.astype(np.uint8).reshape(-1, AREA)
