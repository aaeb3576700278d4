"""From recipes to images: each glyph's ink is scaled to its box and added to its line. Sums saturate at 255.

A line may have a pen and a slant of its own: strokes widen or narrow before their glyph is scaled, and the rows of the
finished line move sideways.

All numbers are whole, so that every machine renders the same bytes.
"""

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.glyphs import SIZE
from emnist_lines.lines import scaling
from emnist_lines.lines.crop import HEIGHT
from emnist_lines.lines.line_file import NO_GLYPH, UNIT, Lines
from emnist_lines.lines.pitch import INK_ROWS, TOP
from emnist_lines.lines.ranges import ranges
from emnist_lines.lines.variation import pen, vary

TOGETHER = 32
"""Lines rendered at a time: some 400 kB."""
LEAST_PEN, MOST_PEN = 2 * UNIT, 2 * UNIT
"""Of a pixel's 64 parts: what a pen leaves of a stroke, and how much it adds on each side, at most."""


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
    order = np.lexsort((counts, lines.kinds[chosen]))  # lines of one kind and of similar length together
    for start in range(0, len(chosen), TOGETHER):
        rows = order[start : start + TOGETHER]
        varied = None if amounts is None else amounts[ranges(before[rows], counts[rows])]
        images[rows] = _render(lines, glyphs, chosen[rows], columns, varied)
    return images


def _render(
    lines: Lines,
    glyphs: NDArray[np.uint8],
    chosen: NDArray[np.int64],
    columns: int,
    amounts: NDArray[np.float32] | None,
) -> NDArray[np.uint8]:
    """The images of lines in order of their numbers of characters."""
    counts = lines.starts[chosen + 1] - lines.starts[chosen]
    characters = ranges(lines.starts[chosen], counts)
    line = np.repeat(np.arange(len(chosen)), counts)
    place = np.arange(len(characters)) - np.repeat(np.cumsum(counts) - counts, counts)
    written = lines.glyphs[characters] != NO_GLYPH
    characters, line, place = characters[written], line[written], place[written]
    # Transposed, a glyph is one run of bytes in a canvas of 28 rows and some columns.
    ink = glyphs[lines.glyphs[characters]].swapaxes(1, 2).reshape(-1, SIZE * SIZE)
    boxes = lines.boxes[characters].astype(np.int64)
    pens = lines.pens[chosen[line], 1].astype(np.int64)
    widened = np.zeros(len(ink), dtype=np.float32)
    penned = np.flatnonzero(pens)
    if len(penned):
        own = strokes(ink[penned].reshape(-1, SIZE, SIZE))
        widened[penned] = pen_amounts(pens[penned], boxes[penned, 3], own)
    if amounts is not None:
        varied = amounts[written]  # a copy
        varied[:, -1] += widened
        ink = vary(ink, varied)
    elif len(penned):
        ink = pen(ink.reshape(-1, SIZE, SIZE), widened)
    if (boxes[:, 1:] != (0, SIZE, SIZE)).any():
        ink = scaling.scaled(ink.reshape(-1, SIZE, SIZE), boxes)
    slants = lines.slants[chosen].astype(np.int64)
    aside = HEIGHT * int(np.abs(slants).max(initial=0)) // UNIT + 1 if slants.any() else 0  # columns of the longest way
    margin = ink.shape[1] // HEIGHT + aside  # a box may begin before its line, or end behind it
    canvas = np.zeros((len(chosen), margin + columns + margin, HEIGHT), dtype=np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(canvas.reshape(-1), ink.shape[1], writeable=True)
    left = np.clip(boxes[:, 0], -margin, columns + aside)
    at = (line * canvas.shape[1] + margin + left) * HEIGHT
    order = np.argsort(place, kind="stable")
    for one in np.split(order, np.flatnonzero(np.diff(place[order])) + 1):  # no line twice, so that no sum gets lost
        under = windows[at[one]]
        windows[at[one]] = under + np.minimum(ink[one], ~under)  # ~ is 255 - x: what still fits
    if aside:
        return _slanted(canvas.swapaxes(1, 2), slants, margin, columns)
    return canvas[:, margin : margin + columns].swapaxes(1, 2)


def strokes(ink: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(K,) pixels, times UNIT, that the strokes of glyphs (K, 28, 28) take: twice their area by their edges' length."""
    area = ink.sum(axis=(1, 2), dtype=np.int64)
    edges = np.zeros(len(ink), dtype=np.int64)
    for one, other in ((ink[:, 1:], ink[:, :-1]), (ink[:, :, 1:], ink[:, :, :-1])):
        edges += (np.maximum(one, other) - np.minimum(one, other)).sum(axis=(1, 2), dtype=np.int64)
    # Steps along rows and columns make an edge of any direction 4 / pi times as long in the mean.
    return area * round(2 * UNIT * 4 / np.pi) // np.maximum(edges, 1)


def pen_amounts(pens: NDArray[np.int64], heights: NDArray[np.int64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """By how much (see `variation.pen`) strokes widen to take as many rows of their boxes as the pen does.

    Args:
        pens: wanted rows, times UNIT.
        heights: rows of the boxes.
        own: pixels that the strokes take as they are, times UNIT. Where they narrow, LEAST_PEN of them stay.
    """
    wanted = pens * SIZE // heights
    return np.clip((np.maximum(wanted, np.minimum(own, LEAST_PEN)) - own) // 2, -MOST_PEN, MOST_PEN)


def _slanted(canvas: NDArray[np.uint8], slants: NDArray[np.int64], margin: int, columns: int) -> NDArray[np.uint8]:
    """(B, 28, columns): the canvas (B, 28, more columns) from `margin` on, each row moved in 1/64 columns."""
    canvas = np.ascontiguousarray(canvas)
    windows = np.lib.stride_tricks.sliding_window_view(canvas.reshape(-1), columns + 1)
    ways = slants[:, None] * (np.arange(HEIGHT) - TOP - INK_ROWS)  # how far to the right each row's ink comes from
    rows = np.arange(canvas.shape[0] * HEIGHT).reshape(-1, HEIGHT) * canvas.shape[2]
    found = windows[rows + margin + ways // UNIT]
    part = (ways % UNIT).astype(np.uint16)[:, :, None]
    mixed: NDArray[np.uint16] = found[:, :, :-1] * (UNIT - part) + found[:, :, 1:] * part + UNIT // 2
    return (mixed // UNIT).astype(np.uint8)
