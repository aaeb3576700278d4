"""The size, place and pen of written lines: as the reader makes a picture ready, see `lines.pitch`."""

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.written import Written
from emnist_lines.lines import pitch
from emnist_lines.lines.crop import HEIGHT
from emnist_lines.lines.line_file import UNIT, WRITTEN, Lines
from emnist_lines.lines.pitch import FINE, INK_ROWS, TOP
from emnist_lines.lines.strokes import render_strokes
from emnist_lines.synthesis.handwriting import INKED, JITTER, PENS, SIDE, WIDENED

TOGETHER = 64
"""Lines whose strokes are counted at a time."""
PEN = 2.2
"""Rows that the pen takes in val and test lines."""
SLANT = 0.25
"""Columns per row that a train line is slanted by, at most, before it is stretched."""
WIDEST = 30.0
"""Columns of a character, before the line is stretched: flat ink such as a dash stays flat."""


def lay_out(
    written: Written,
    pieces: list[list[int]],
    boxes: list[NDArray[np.float64]],
    texts: list[bytes],
    tokens: NDArray[np.uint8],
    varied: np.random.Generator | None,
) -> Lines:
    """Written lines in their final size.

    Args:
        written: all items.
        pieces: of each line its items.
        boxes: of each line (pieces, 4) left, top, right, bottom of each one's points, in any unit, y down.
        texts: of each line.
        tokens: (N, max_length) uint8 of each line.
        varied: random numbers for pens, slants and widths; None: all lines have the same pen and no other change.
    """
    count = len(pieces)
    lengths = np.array([len(text) for text in texts])
    sizes = np.array([len(line) for line in pieces])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    line = np.repeat(np.arange(count), sizes)
    edges = np.concatenate(boxes)
    low, high = np.minimum.reduceat(edges[:, :2], starts[:-1]), np.maximum.reduceat(edges[:, 2:], starts[:-1])
    extent = np.maximum(high - low, 1e-9)

    down = np.full(count, PEN) if varied is None else varied.uniform(*PENS, count)
    scale = np.minimum((INK_ROWS - down) / extent[:, 1], WIDEST * lengths / extent[:, 0])
    scale = np.minimum(scale, HEIGHT * (tokens.shape[1] - 4) / extent[:, 0])
    wide, high_ = extent[:, 0] * scale, extent[:, 1] * scale
    over = TOP + (INK_ROWS - high_) / 2  # = TOP + half the pen, unless the ink is flat

    places = (edges - np.tile(low, 2)[line]) * scale[line, None]  # left, top, right, bottom in natural proportions
    places[:, [1, 3]] += over[line, None]
    natural = Lines(
        texts=np.array(texts, dtype=f"S{max(map(len, texts))}"),
        tokens=tokens,
        widths=np.zeros(count, dtype=np.int32),
        overlaps=np.zeros(count, dtype=np.float32),
        known=np.zeros(count, dtype=bool),
        kinds=np.full(count, WRITTEN, dtype=np.uint8),
        slants=np.zeros(count, dtype=np.int16),
        pens=_pens(down * FINE, down),
        starts=starts.astype(np.int64),
        glyphs=np.concatenate([np.array(line, dtype=np.int32) for line in pieces]),
        boxes=_boxes(places, np.full(count, float(FINE)), np.full(count, float(SIDE)), line),
    )
    stretch = _stretches(natural, written, (wide + down) * FINE + 2 * SIDE)
    slant = np.zeros(count)
    if varied is not None:
        stretch = stretch * varied.uniform(*JITTER, count)
        slant = varied.uniform(-SLANT, SLANT, count)
    most = natural.columns - 2 * HEIGHT - 2 * SIDE
    stretch = np.minimum(stretch, most / (wide + np.abs(slant) * INK_ROWS + down))
    slant, across = slant * stretch, down * np.clip(stretch, *WIDENED)
    aside = np.abs(slant) * INK_ROWS
    left = SIDE + across / 2 + np.where(slant < 0, aside, 0)
    return Lines(
        **{
            **vars(natural),
            "widths": np.ceil(2 * SIDE + across + aside + wide * stretch).astype(np.int32),
            "slants": np.rint(slant * UNIT).astype(np.int16),
            "pens": _pens(across, down),
            "boxes": _boxes(places, stretch, left, line),
        }
    )


def _pens(across: NDArray[np.float64], down: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.rint(np.stack([across, down], axis=1) * UNIT).astype(np.int16)


def _boxes(
    places: NDArray[np.float64], stretch: NDArray[np.float64], left: NDArray[np.float64], line: NDArray[np.int64]
) -> NDArray[np.int16]:
    """Whole pixels: (pieces, 4) left, top, width, height."""
    exact = places.copy()
    exact[:, [0, 2]] = exact[:, [0, 2]] * stretch[line, None] + left[line, None]
    edges = np.rint(exact)
    return np.concatenate([edges[:, :2], np.maximum(edges[:, 2:] - edges[:, :2], 1)], axis=1).astype(np.int16)


def _stretches(lines: Lines, written: Written, widths: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) how many times wider than it was written each line is to be. Their boxes are `FINE` times as wide."""
    found = np.ones(len(widths))
    order = np.argsort(widths, kind="stable")
    for start in range(0, len(order), TOGETHER):
        some = order[start : start + TOGETHER]
        images = render_strokes(lines, written, some, int(widths[some].max()) + SIDE) >= INKED
        for number, image in zip(some.tolist(), images, strict=True):
            found[number] = pitch.stretch_of(image)
    return found
