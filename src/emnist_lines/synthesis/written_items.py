"""What composing needs to know of written items: where their ink is, where they stand, and which are neighbours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.written import TEXT, Written
from emnist_lines.synthesis.baselines import base_lines

GAP = (0.3, 4.0)
"""Bodies of small letters between a word and the next of its line: a space that can be seen."""
SAME_BASE = 0.8
"""Bodies by which the base lines of two words of a line differ, at most."""


@dataclass(frozen=True)
class Ink:
    """Of each item, in the units of its sheet.

    Attributes:
        boxes: (I, 4) float64, left, top, right, bottom of its points.
        base: (I,) float64, y of its base line.
        body: (I,) float64, height of its small letters.
        lengths: (I,) int64, characters.
    """

    boxes: NDArray[np.float64]
    base: NDArray[np.float64]
    body: NDArray[np.float64]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, written: Written) -> "Ink":
        """Measure all items."""
        first = written.points[written.strokes]
        low = np.minimum.reduceat(written.xy, first[:-1]).astype(np.float64)
        high = np.maximum.reduceat(written.xy, first[:-1]).astype(np.float64)
        boxes = np.concatenate([low, high], axis=1)
        base, body = base_lines(written, boxes)
        return cls(boxes, base, np.maximum(body, 1), np.char.str_len(written.texts))


def rows(written: Written, ink: Ink, items: NDArray[np.int64]) -> list[list[int]]:
    """Words of one person in the rows that they stand in: neighbours on one sheet, left to right.

    Args:
        written: all items.
        ink: of all items.
        items: some words, ascending.
    """
    found: list[list[int]] = []
    for item in items.tolist():
        if found and _follows(written, ink, found[-1][-1], item):
            found[-1].append(item)
        else:
            found.append([item])
    return found


def _follows(written: Written, ink: Ink, one: int, other: int) -> bool:
    if other != one + 1 or written.sheets[one] != written.sheets[other] or written.levels[one] == TEXT:
        return False
    if ink.lengths[one] == ink.lengths[other] == 1:
        return False  # digits of one number, for all that is known
    body = (ink.body[one] + ink.body[other]) / 2
    gap = (ink.boxes[other, 0] - ink.boxes[one, 2]) / body
    return bool(GAP[0] < gap < GAP[1] and abs(ink.base[one] - ink.base[other]) < SAME_BASE * body)
