"""From pen strokes to images: each item's strokes go into its box, are smoothed, slanted and inked with the line's pen.

All numbers are whole, so that every machine renders the same bytes. Places are in sixteenths of a pixel.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.glyphs import SIZE
from emnist_lines.common.written import Written
from emnist_lines.lines.crop import HEIGHT
from emnist_lines.lines.line_file import UNIT, Lines
from emnist_lines.lines.pitch import INK_ROWS, TOP
from emnist_lines.lines.ranges import ranges
from emnist_lines.lines.variation import TERM_TABLE, TERMS

FINE = 16
"""Steps of a place in one pixel."""
STEP = 8
"""Steps between two stamps of the pen along a stroke."""
STAMPS = 4
"""Places within a pixel, along each axis, at which the pen is stamped."""
THINNEST = UNIT
"""Of a pen, in `UNIT`: a pixel."""
PEN_STEP = 8
"""Steps of a pen's size, in `UNIT`: an eighth of a pixel."""
SMOOTHED = 2
"""Times that each point is moved towards its neighbours: old tablets have the steps of a screen."""
NEAR = 2 * FINE
"""Steps between points that smoothing takes for neighbours: farther ones are corners."""
_GRID = 8
"""Points per pixel and axis at which a stamp's cover is measured."""

Ints = NDArray[np.int64]


def render_strokes(
    lines: Lines,
    written: Written,
    chosen: NDArray[np.int64],
    columns: int,
    amounts: NDArray[np.float32] | None = None,
) -> NDArray[np.uint8]:
    """The images of some written lines.

    Args:
        lines: their recipes.
        written: the strokes of all items.
        chosen: (B,) which lines.
        columns: of each image.
        amounts: (pieces of the chosen lines, variation.COUNT), how each one varies; None: not at all.

    Returns:
        (B, 28, columns) uint8, white ink on black. Where strokes meet, the darker one counts.
    """
    starts, counts = lines.starts[chosen], lines.starts[chosen + 1] - lines.starts[chosen]
    pieces, line = ranges(starts, counts), np.repeat(np.arange(len(chosen)), counts)
    x, y, stroke, piece = _placed(written, lines.glyphs[pieces].astype(np.int64), lines.boxes[pieces].astype(np.int64))
    pens = lines.pens[chosen].astype(np.int64)
    if amounts is not None:
        x, y = _varied(x, y, piece, lines.boxes[pieces].astype(np.int64), amounts)
        first = np.cumsum(counts) - counts
        pens = pens + 2 * amounts[first, -1:].astype(np.int64)
    for _ in range(SMOOTHED):
        x, y = _smoothed(x, y, stroke)
    x = x + lines.slants[chosen].astype(np.int64)[line[piece]] * ((TOP + INK_ROWS) * FINE - y) // UNIT
    return _inked(x, y, stroke, line[piece], pens, columns)


def _placed(written: Written, items: Ints, boxes: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """All points of some items in their boxes: (P,) x, y, number of the stroke, number of the item among these."""
    first, last = written.strokes[items], written.strokes[items + 1]
    strokes = ranges(first, last - first)
    sizes = written.points[strokes + 1] - written.points[strokes]
    counts = written.points[last] - written.points[first]
    points = written.xy[ranges(written.points[first], counts)].astype(np.int64)
    piece = np.repeat(np.arange(len(items)), counts)
    edges = np.cumsum(counts) - counts
    low, high = np.minimum.reduceat(points, edges), np.maximum.reduceat(points, edges)
    extent, size = (high - low)[piece], boxes[piece, 2:] * FINE
    inside = np.where(extent > 0, (points - low[piece]) * size // np.maximum(extent, 1), size // 2)
    places = boxes[piece, :2] * FINE + inside
    return places[:, 0], places[:, 1], np.repeat(np.arange(len(strokes)), sizes), piece


def _varied(x: Ints, y: Ints, piece: Ints, boxes: Ints, amounts: NDArray[np.float32]) -> tuple[Ints, Ints]:
    """Points moved by the field that moves a glyph's pixels; along a word it runs to and fro every 28 columns."""
    along = ((x >> 4) - boxes[piece, 0]) % (2 * SIZE)
    column = np.minimum(along, 2 * SIZE - 1 - along)
    row = np.clip(y >> 4, 0, SIZE - 1)
    terms = TERM_TABLE[:, row * SIZE + column]
    moves = np.einsum("pak,kp->ap", amounts[piece, :-1].reshape(-1, 2, TERMS), terms)  # exact: far below 2^24
    down, right = moves.astype(np.int64) >> 8  # of 1/4096 pixel to 1/16
    return x + right, y + down


def _smoothed(x: Ints, y: Ints, stroke: Ints) -> tuple[Ints, Ints]:
    """Each point half itself, half the mean of its neighbours; but not across corners or strokes."""
    near = (stroke[1:] == stroke[:-1]) & (np.maximum(np.abs(np.diff(x)), np.abs(np.diff(y))) <= NEAR)
    at = np.flatnonzero(near[1:] & near[:-1]) + 1
    for values in (x, y):
        values[at] = (values[at - 1] + 2 * values[at] + values[at + 1]) >> 2
    return x, y


def _inked(x: Ints, y: Ints, stroke: Ints, line: Ints, pens: Ints, columns: int) -> NDArray[np.uint8]:
    """(B, 28, columns): the pen stamped along all strokes."""
    sizes = np.maximum(pens, THINNEST) // PEN_STEP
    kinds, kind = np.unique(sizes, axis=0, return_inverse=True)
    reach = [-(-(int(kinds[:, axis].max()) * PEN_STEP + UNIT) // (2 * UNIT)) for axis in (0, 1)]
    # A stamp beside the image may reach into it, and then also beyond its other side.
    wide, high = columns + 4 * reach[0], HEIGHT + 4 * reach[1]
    x, y = x + 2 * reach[0] * FINE, y + 2 * reach[1] * FINE

    going_on = np.append(stroke[1:] == stroke[:-1], False)
    dx, dy = np.append(np.diff(x), 0) * going_on, np.append(np.diff(y), 0) * going_on
    steps = np.maximum(np.abs(dx), np.abs(dy)) // STEP + 1
    point, step = np.repeat(np.arange(len(x)), steps), ranges(np.zeros_like(steps), steps)
    per = FINE // STAMPS
    column = (x[point] + dx[point] * step // steps[point]) // per
    row = (y[point] + dy[point] * step // steps[point]) // per
    inside = (column >= STAMPS * reach[0]) & (column < STAMPS * (wide - reach[0]))
    inside &= (row >= STAMPS * reach[1]) & (row < STAMPS * (high - reach[1]))
    key = (line[point] * STAMPS * high + row) * STAMPS * wide + column
    rest, column = np.divmod(np.unique(key[inside]), STAMPS * wide)
    of, row = np.divmod(rest, STAMPS * high)

    table = np.stack([_stamp(int(across), int(down), reach[0], reach[1]) for across, down in kinds])
    table = table.reshape(len(kinds), STAMPS, STAMPS, -1)
    some = table.any(axis=(0, 1, 2))
    offsets = (np.arange(-reach[1], reach[1] + 1)[:, None] * wide + np.arange(-reach[0], reach[0] + 1)).ravel()[some]
    stamps = table[..., some][kind.ravel()[of], row % STAMPS, column % STAMPS]
    at = (of * high + row // STAMPS) * wide + column // STAMPS
    canvas = np.zeros(len(pens) * high * wide, dtype=np.uint8)
    np.maximum.at(canvas, (at[:, None] + offsets).ravel(), stamps.ravel())
    framed = canvas.reshape(len(pens), high, wide)
    return np.ascontiguousarray(framed[:, 2 * reach[1] : -2 * reach[1], 2 * reach[0] : -2 * reach[0]])


@cache
def _stamp(across: int, down: int, reach_across: int, reach_down: int) -> NDArray[np.uint8]:
    """(4, 4, rows, columns) uint8: what an elliptical pen covers, softened by half a pixel, for each place in a pixel.

    Args:
        across: its columns, in eighths of a pixel.
        down: its rows, likewise.
        reach_across: columns of the result to each side of the middle one.
        reach_down: rows, likewise.
    """
    # Whole numbers throughout: places in sixteenths of a pixel, at the middles of a fine grid.
    fine = (2 * np.arange(_GRID) + 1) * FINE // (2 * _GRID)
    place = (2 * np.arange(STAMPS) + 1) * FINE // (2 * STAMPS)
    rows = (np.arange(-reach_down, reach_down + 1)[:, None] * FINE + fine)[None] - place[:, None, None]
    cols = (np.arange(-reach_across, reach_across + 1)[:, None] * FINE + fine)[None] - place[:, None, None]
    inside = (rows[:, None, :, None, :, None] * across) ** 2 + (cols[None, :, None, :, None, :] * down) ** 2 <= (
        across * down
    ) ** 2  # radius in sixteenths = eighths of the diameter
    cover = inside.sum(axis=(4, 5)) * 255 // _GRID**2
    stamp: NDArray[np.uint8] = cover.astype(np.uint8)
    return stamp
