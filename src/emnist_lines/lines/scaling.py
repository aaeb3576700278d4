"""Glyphs in boxes of other sizes than their own. All numbers are whole, so that every machine makes the same bytes."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.glyphs import SIZE
from emnist_lines.lines.crop import HEIGHT

_UNIT = 64
"""Steps of a weight."""
_TOGETHER = 64
"""Glyphs of similar width that are scaled at a time."""


def scaled(ink: NDArray[np.uint8], boxes: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(K, columns of the widest box · 28): transposed glyphs (K, 28, 28) in their boxes (K, 4), as wide as the widest.

    A pixel is the mean of the glyph's ink under a triangle, at least one glyph pixel to each side and at least one of
    its own: linear interpolation where the box is larger than the glyph, and no aliasing where it is smaller.
    """
    widths = boxes[:, 2]
    out = np.zeros((len(ink), int(widths.max()), HEIGHT), dtype=np.uint8)
    order = np.argsort(widths, kind="stable")
    for start in range(0, len(ink), _TOGETHER):
        some = order[start : start + _TOGETHER]
        widest = int(widths[some[-1]])
        across = _weights(widths[some], np.zeros(len(some), dtype=np.int64), widest)
        down = _weights(boxes[some, 3], boxes[some, 1], HEIGHT)
        # Exact in any order: whole numbers of at most 255 · 64 · 64 < 2^24. Matrices as small as these BLAS multiplies
        # in the thread that asks.
        sums = across @ (ink[some].astype(np.float32) @ down.swapaxes(1, 2))
        out[some, :widest] = (sums.astype(np.int32) + _UNIT**2 // 2) // _UNIT**2
    return out.reshape(len(ink), -1)


def _weights(sizes: NDArray[np.int64], offsets: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """(K, count, 28) whole numbers: what each of a glyph's 28 pixels gives to each pixel along one axis of a line.

    The box takes `sizes` pixels from `offsets` on; pixels outside get nothing.
    """
    each, which = np.unique(sizes, return_inverse=True)
    table = np.concatenate([np.zeros((1, SIZE), dtype=np.float32), *map(_weights_of, each.tolist())])
    first = 1 + np.cumsum(each) - each
    pixel = np.arange(count) - offsets[:, None]
    there = (pixel >= 0) & (pixel < sizes[:, None])
    return table[np.where(there, first[which][:, None] + pixel, 0)]


@lru_cache(maxsize=1024)
def _weights_of(size: int) -> NDArray[np.float32]:
    """(size, 28): the weights of each pixel sum to `_UNIT`."""
    step = SIZE / size
    distance = np.abs((np.arange(size)[:, None] + 0.5) * step - 0.5 - np.arange(SIZE))
    weights = np.maximum(0, 1 - distance / max(step, 1))
    total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    steps = np.rint(np.cumsum(weights / total, axis=1) * _UNIT)  # rounded so that the sum stays
    return np.diff(steps, axis=1, prepend=0).astype(np.float32)
