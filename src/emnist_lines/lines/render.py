"""From recipes to images: each glyph's ink is scaled to its box and added to its line. Sums saturate at 255.

All numbers are whole, so that every machine renders the same bytes.
"""

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.glyphs import SIZE
from emnist_lines.lines.crop import HEIGHT
from emnist_lines.lines.line_file import NO_GLYPH, Lines
from emnist_lines.lines.variation import vary

TOGETHER = 32
"""Lines rendered at a time: some 400 kB."""
_UNIT = 64
"""Steps of a weight when a glyph is scaled."""


def render(
    lines: Lines,
    glyphs: NDArray[np.uint8],
    chosen: NDArray[np.int64],
    columns: int,
    amounts: NDArray[np.float32] | None = None,
) -> NDArray[np.uint8]:
    """The images of some lines.

    Args:
        lines: their recipes.
        glyphs: (G, 28, 28) uint8, all of the glyph file.
        chosen: (B,) which lines.
        columns: of each image, at least as many as the widest line takes.
        amounts: (characters of the chosen lines, variation.COUNT), how each one's glyph varies; None: not at all.

    Returns:
        (B, 28, columns) uint8, white ink on black.
    """
    images = np.zeros((len(chosen), HEIGHT, columns), dtype=np.uint8)
    counts = lines.starts[chosen + 1] - lines.starts[chosen]
    before = np.concatenate([[0], np.cumsum(counts)])
    order = np.argsort(counts, kind="stable")  # lines of similar length together
    for start in range(0, len(chosen), TOGETHER):
        rows = order[start : start + TOGETHER]
        varied = None if amounts is None else amounts[_ranges(before[rows], counts[rows])]
        images[rows] = _render(lines, glyphs, chosen[rows], columns, varied)
    return images


def _ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers from each start on, so many of each."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1]) + np.repeat(starts - ends + counts, counts)


def _render(
    lines: Lines,
    glyphs: NDArray[np.uint8],
    chosen: NDArray[np.int64],
    columns: int,
    amounts: NDArray[np.float32] | None,
) -> NDArray[np.uint8]:
    """The images of lines in order of their numbers of characters."""
    counts = lines.starts[chosen + 1] - lines.starts[chosen]
    characters = _ranges(lines.starts[chosen], counts)
    line = np.repeat(np.arange(len(chosen)), counts)
    place = np.arange(len(characters)) - np.repeat(np.cumsum(counts) - counts, counts)
    written = lines.glyphs[characters] != NO_GLYPH
    characters, line, place = characters[written], line[written], place[written]
    # Transposed, a glyph is one run of bytes in a canvas of 28 rows and some columns.
    ink = glyphs[lines.glyphs[characters]].swapaxes(1, 2).reshape(-1, SIZE * SIZE)
    if amounts is not None:
        ink = vary(ink, amounts[written])
    boxes = lines.boxes[characters].astype(np.int64)
    if (boxes[:, 1:] != (0, SIZE, SIZE)).any():
        ink = _scaled(ink.reshape(-1, SIZE, SIZE), boxes)
    margin = ink.shape[1] // HEIGHT  # a box may begin before its line, or end behind it
    canvas = np.zeros((len(chosen), margin + columns + margin, HEIGHT), dtype=np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(canvas.reshape(-1), ink.shape[1], writeable=True)
    left = np.clip(boxes[:, 0], -margin, columns)
    at = (line * canvas.shape[1] + margin + left) * HEIGHT
    order = np.argsort(place, kind="stable")
    for one in np.split(order, np.flatnonzero(np.diff(place[order])) + 1):  # no line twice, so that no sum gets lost
        under = windows[at[one]]
        windows[at[one]] = under + np.minimum(ink[one], ~under)  # ~ is 255 - x: what still fits
    return canvas[:, margin : margin + columns].swapaxes(1, 2)


def _scaled(ink: NDArray[np.uint8], boxes: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(K, columns of the widest box · 28): transposed glyphs (K, 28, 28) in their boxes (K, 4), as wide as the widest.

    A pixel is the mean of the glyph's ink under a triangle, at least one glyph pixel to each side and at least one of
    its own: linear interpolation where the box is larger than the glyph, and no aliasing where it is smaller.
    """
    across = _weights(boxes[:, 2], np.zeros_like(boxes[:, 2]), int(boxes[:, 2].max()))
    down = _weights(boxes[:, 3], boxes[:, 1], HEIGHT)
    # Exact in any order: whole numbers of at most 255 · 64 · 64 < 2^24.
    sums = across @ ink.astype(np.float32) @ down.swapaxes(1, 2)
    return ((sums.astype(np.int32) + _UNIT**2 // 2) // _UNIT**2).astype(np.uint8).reshape(len(ink), -1)


def _weights(sizes: NDArray[np.int64], offsets: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """(K, count, 28) whole numbers: what each of a glyph's 28 pixels gives to each pixel along one axis of a line.

    The box takes `sizes` pixels from `offsets` on; pixels outside get nothing. Each pixel's weights sum to `_UNIT`.
    """
    step = SIZE / sizes[:, None, None]
    pixel = np.arange(count)[:, None] - offsets[:, None, None]
    distance = np.abs((pixel + 0.5) * step - 0.5 - np.arange(SIZE))
    weights = np.maximum(0, 1 - distance / np.maximum(step, 1))
    weights[np.broadcast_to((pixel < 0) | (pixel >= sizes[:, None, None]), weights.shape)] = 0
    total = np.maximum(weights.sum(axis=2, keepdims=True), 1e-9)
    steps = np.rint(np.cumsum(weights / total, axis=2) * _UNIT)  # rounded so that the sum stays
    return np.diff(steps, axis=2, prepend=0).astype(np.float32)
