"""Where written items stand: their base lines, and how high their small letters are."""

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.written import Written

LEVELS = 16
"""Steps of an item's height within which a pen that goes up and down has not turned."""
SHORT = 3
"""Characters of an item, at most, whose pen turns too seldom to tell: if none reaches below the base line, its ink
ends there."""
DEEP, TALL = "fgjpqyzJQ,;", "bdfhklt0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Characters that may reach below the base line, and those as high as capitals."""
FLAT = "\"'*+-.:"
"""Those that do not stand on it."""
TALLER = 1.6
"""Times as high as a small letter that the tall ones are."""
SHARE = 0.7
"""Of the turns that no deep or tall character makes, those that lie nearer the middle: joins between letters."""


def base_lines(written: Written, boxes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(I,) y of each item's base line, and (I,) the height of its small letters, both in units of its sheet.

    The pen turns at the base line and at the top of the small letters, but for a turn of each deep or tall character,
    which lies outside, and some between letters, which lie inside.

    Args:
        written: all items.
        boxes: (I, 4) left, top, right, bottom of each one's points.
    """
    top, bottom = boxes[:, 1], boxes[:, 3]
    height = np.maximum(bottom - top, 1)
    texts = [text.decode() for text in written.texts.tolist()]
    letters = np.array([sum(letter != " " for letter in text) for text in texts])
    deep, tall = (np.array([sum(letter in some for letter in text) for text in texts]) for some in (DEEP, TALL))
    lowest, highest, item = _turns(written, top, height)
    all_tall = tall == letters
    base = -_ranked(-lowest, item[0], deep, -bottom)
    over = _ranked(highest, item[1], np.where(all_tall, 0, tall), top)
    short = (letters <= SHORT) & (deep == 0) & np.array([not set(text) & set(FLAT) for text in texts])
    base, over = np.where(short, bottom, base), np.where(short, top, over)
    body = (base - over) / np.where(all_tall | (short & (tall > 0)), TALLER, 1)
    return base, np.maximum(body, height / 4)


def _turns(
    written: Written, top: NDArray[np.float64], height: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.int32], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """y where strokes turn from down to up, y where they turn from up to down, and of which items these are.

    An end of a stroke counts as a turn if it lies in its half of the item; a stroke on one level, a dot or a bar, not.
    """
    y = written.xy[:, 1]
    stroke = np.repeat(np.arange(len(written.points) - 1), np.diff(written.points))
    of = np.repeat(np.arange(len(written.texts)), np.diff(written.strokes))[stroke]
    level = ((y - top[of]) * LEVELS / height[of]).astype(np.int64)
    new = np.append(True, (level[1:] != level[:-1]) | (stroke[1:] != stroke[:-1]))
    runs = np.flatnonzero(new)
    level, stroke, of = level[runs], stroke[runs], of[runs]
    first, last = np.append(True, stroke[1:] != stroke[:-1]), np.append(stroke[1:] != stroke[:-1], True)
    before, after = np.append(0, level[1:] - level[:-1]), np.append(level[1:] - level[:-1], 0)
    inner, moving = ~(first | last), ~(first & last)
    falls, rises = first | (before > 0), last | (after < 0)
    low = falls & rises & moving & (inner | (2 * level >= LEVELS))
    falls, rises = first | (before < 0), last | (after > 0)
    high = falls & rises & moving & (inner | (2 * level < LEVELS))
    lowest, highest = np.maximum.reduceat(y, runs)[low], np.minimum.reduceat(y, runs)[high]
    return lowest, highest, (of[low], of[high])


def _ranked(
    values: NDArray[np.int32], groups: NDArray[np.int64], outside: NDArray[np.int64], otherwise: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of each group's values in ascending order, without `outside` first ones, the one at 1 - SHARE; or `otherwise`."""
    if len(values) == 0:
        return otherwise.copy()
    order = np.lexsort((values, groups))
    counts = np.bincount(groups, minlength=len(otherwise))
    rank = np.minimum(outside, counts // 2) + np.rint((1 - SHARE) * (counts - 1 - np.minimum(outside, counts // 2)))
    at = np.cumsum(counts) - counts + rank.astype(np.int64)
    return np.where(counts > 0, values[order][np.clip(at, 0, len(values) - 1)], otherwise)
