"""The lines of writing in a picture: where each lies, upright, without what is drawn beside it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from emnist_lines.reading import line_finding, turning
from emnist_lines.reading.components import Mask, components, frames, letter_height
from emnist_lines.reading.edges import corners
from emnist_lines.reading.ink import Ink
from emnist_lines.reading.rules import rules

FAINT = 0.3
"""Share of the ink's usual level that what is written reaches at least."""
AROUND = 0.12
"""Of a line's height: paper around it."""
EDGE, FINEST = 0.03, 3
"""Of a line's height, and pixels at least: what is so close to its ink belongs to its strokes' edges."""
CUT = 0.9
"""Certainty that the text of a line must have whose letters were cut from those of another."""
STACKED, SURE = 2.3, 0.87
"""With more strokes one above the other, on average, a line may be two, and its text must be so certain. One line of
handwriting has 1.6 of them, one in fifty more than 2.2."""


@dataclass(frozen=True)
class Line:
    """A line of writing.

    Attributes:
        box: rows and columns of its ink in the upright working picture.
        shape: rows and columns of that whole picture.
        turn: degrees by which the line rises in the picture as it is.
        mask: (rows, columns) float32 of `box` with `margin` around, what belongs to the line.
        alone: whether nothing but this line was found in the picture, which stands upright.
        letters: pieces of ink as large as letters.
        doubt: a text with less certainty is none, because this may be several lines that touch each other.
    """

    box: tuple[slice, slice]
    shape: tuple[int, int]
    turn: float
    mask: NDArray[np.float32]
    margin: int
    alone: bool
    letters: int
    doubt: float


def lines(ink: Ink) -> list[Line]:
    """The lines, top to bottom."""
    removed, mask, levels = ink.removed, ink.mask, ink.levels
    turn = turning.turn(mask)
    if turn:
        levels = turning.turned(levels, turn)
        removed = turning.turned(removed.astype(np.float32), turn) > 0.2
        mask = turning.turned(mask.astype(np.float32), turn) > 0.5
    pieces = components(_without_faint(mask, levels))
    height = letter_height(pieces)
    drawn = rules(mask, height) | corners(pieces, height)
    boxes_around = frames(pieces)
    if boxes_around.any():
        drawn |= pieces.mask(boxes_around)
    if drawn.any():
        removed, mask = removed | drawn, mask & ~drawn
        pieces = components(_without_faint(mask, levels))
    mask = pieces.labels > 0
    found = line_finding.lines(pieces)
    written = found.owner > 0
    if not written.any() or _as_bright_as_dark(levels, written, removed, ink.threshold):
        return []
    boxes = [(number, box) for number, box in enumerate(ndimage.find_objects(found.owner), 1) if box is not None]
    alone = len(boxes) == 1 and not turn and not removed.any()
    out = []
    for number, box in boxes:
        margin = max(2, round(AROUND * (box[0].stop - box[0].start)))
        part = around(box, margin, mask.shape)
        own = found.owner[part] == number
        belongs = _belonging(own, mask[part], removed[part], max(FINEST, round(EDGE * (box[0].stop - box[0].start))))
        through = CUT if found.cut[number - 1] else 0.0
        doubt = max(through, SURE if line_finding.crossings(own) > STACKED else 0.0)
        out.append(Line(box, mask.shape, turn, belongs, margin, alone, int(found.letters[number - 1]), doubt))
    return out


def _without_faint(mask: Mask, levels: NDArray[np.float32]) -> Mask:
    """Without what is much fainter than most of the ink, such as what shines through the paper."""
    some = levels[mask]
    if not some.size:
        return mask
    return mask & (levels > FAINT * float(np.quantile(some[:: max(1, some.size // 20_000)], 0.8)))


def _as_bright_as_dark(levels: NDArray[np.float32], written: Mask, removed: Mask, threshold: float) -> bool:
    """Whether what was found may be the paper's grain: then as much is brighter than the paper as is darker."""
    more = levels[written]
    if np.quantile(more, 0.9) > 3 * threshold:
        return False
    less = -levels[(levels < -threshold) & ~removed]
    return bool(less.size and more.sum() < 2 * less.sum() and np.quantile(more, 0.9) < 2 * np.quantile(less, 0.9))


def around(box: tuple[slice, slice], margin: int, shape: tuple[int, int]) -> tuple[slice, slice]:
    return (
        slice(max(0, box[0].start - margin), min(shape[0], box[0].stop + margin)),
        slice(max(0, box[1].start - margin), min(shape[1], box[1].stop + margin)),
    )


def _belonging(line: Mask, ink: Mask, removed: Mask, edge: int) -> NDArray[np.float32]:
    """What belongs to a line: its ink and the edges of its strokes, not those of others."""
    wide = ndimage.maximum_filter(line.view(np.uint8), 2 * edge + 1, mode="constant") > 0
    others = (ink & ~line) | removed
    others = ndimage.binary_dilation(others, iterations=2) if others.any() else others
    return (wide & ~others | line).astype(np.float32)
