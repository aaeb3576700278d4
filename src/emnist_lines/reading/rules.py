"""Straight strokes that are no writing: rules below lines, margins, squares, boxes."""

from itertools import pairwise

import numpy as np
from scipy import ndimage

from emnist_lines.reading.components import EIGHT, Mask

RULE = 3.5
"""Times the letters' height: straight strokes that are longer are rules."""
STEM = 0.8
"""Times the letters' height: the steps that a margin is made of at least, as it need not be quite upright."""
SLANT = 0.12
"""Columns that a margin takes for each of its rows, at most."""
PAGE, LOW = 0.8, 0.97
"""Share of the picture's rows that a margin takes; likewise in a picture that is as low as a rule is long."""
AROUND, INNER = 0.12, (0.03, 0.97)
"""In a low picture: share of its rows above and below other ink; of whose rows these quantiles count."""
BESIDE, MANY = 0.95, 3
"""In a low picture: share of other ink that lies on one side of a margin; or so many of them, as of squares."""
BOX_SIDE = 0.92
"""Share of the way between two rules that a box's side takes."""


def rules(mask: Mask, height: float) -> Mask:
    """Straight strokes much longer than letters are: level ones, and what stands upright between two of them; margins.

    Where a letter's stroke crosses a rule, it stays.

    Args:
        mask: ink, upright.
        height: rows of its letters, about.
    """
    found = np.zeros_like(mask)
    length = max(12, round(RULE * height))
    where = _straight(mask, length, length // 2)
    for part, rule in where:
        _take_rule(mask, rule, part, found)
    _take_margins(mask & ~found, found, height, length)
    _take_sides(mask, found, [part for part, _ in where], 1.1 * height)
    return found


def _take_margins(mask: Mask, found: Mask, height: float, length: int) -> None:
    """Add the upright rules, such as a margin or those of squares.

    In a picture of one line, a letter may be as high as the picture: there, other ink must end before that, and a
    margin lies beside it, or there are several.

    Args:
        mask: ink without level rules.
        found: rules, to which these are added.
        height: rows of letters, about.
        length: of a rule, at least.
    """
    rows = len(mask)
    low, stem = length > LOW * rows, max(8, round(STEM * height))
    upright = [
        (part, rule)
        for part, rule in _straight(mask.T, stem, round(LOW * rows) if low else max(length, round(PAGE * rows)))
        if part[0].stop - part[0].start <= SLANT * (part[1].stop - part[1].start) + 2
    ]
    if not upright:
        return
    margins = np.zeros_like(mask)
    for part, rule in upright:
        _take_rule(mask.T, rule, part, margins.T)
    if low:
        y, x = np.nonzero(mask & ~margins)
        if not len(y) or np.abs(np.quantile(y, INNER) / rows - 0.5).max() > 0.5 - AROUND:
            return
        left = np.array([(x < part[0].start).mean() for part, _ in upright])
        if len(upright) < MANY and np.maximum(left, 1 - left).min() < BESIDE:
            return
    found |= margins


def _straight(mask: Mask, step: int, length: int) -> list[tuple[tuple[slice, slice], Mask]]:
    """Level strokes: where each is, and its pixels.

    Args:
        mask: ink.
        step: pixels that a stroke runs on in a row, or next to it, at least.
        length: columns that it takes, at least.
    """
    if step >= mask.shape[1]:
        return []
    thick = mask.copy()
    thick[1:] |= mask[:-1]
    thick[:-1] |= mask[1:]
    labels, _ = ndimage.label(_runs(thick, step) & mask, EIGHT)
    parts = enumerate(ndimage.find_objects(labels), 1)
    return [(part, labels[part] == number) for number, part in parts if part[1].stop - part[1].start >= length]


def _runs(mask: Mask, length: int) -> Mask:
    """Pixels in horizontal runs of at least so many."""
    found = np.zeros_like(mask)
    rows = np.flatnonzero(mask.sum(axis=1) >= length)
    padded = np.zeros((len(rows), mask.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = mask[rows]
    steps = np.diff(padded, axis=1)
    y, start = np.nonzero(steps == 1)
    stop = np.nonzero(steps == -1)[1]
    for number in np.flatnonzero(stop - start >= length):
        found[rows[y[number]], start[number] : stop[number]] = True
    return found


def _take_rule(mask: Mask, rule: Mask, part: tuple[slice, slice], found: Mask) -> None:
    """Add a rule to what was found, without the columns in which a stroke goes on above and below, or lies along it."""
    top, bottom = rule.argmax(axis=0), rule.shape[0] - rule[::-1].argmax(axis=0)
    inked = rule.any(axis=0)
    columns = np.arange(part[1].start, part[1].stop)
    above, below = part[0].start + top - 2, part[0].start + bottom + 1
    crossed = (
        inked
        & (above >= 0)
        & (below < mask.shape[0])
        & mask[above.clip(0), columns]
        & mask[below.clip(max=mask.shape[0] - 1), columns]
    )
    usual = np.quantile((bottom - top)[inked], 0.25)
    stroke = bottom - top > max(2 * usual, usual + 3)  # a letter's, along the rule
    rows = np.arange(rule.shape[0])[:, None]
    taken = (rows >= top - 1) & (rows <= bottom) & inked & ~crossed & ~stroke
    found[part] |= taken


def _take_sides(mask: Mask, found: Mask, where: list[tuple[slice, slice]], apart: float) -> None:
    """Add the upright strokes that stand between two rules at least so many rows apart."""
    tops = sorted(where, key=lambda part: part[0].start)
    for upper, lower in pairwise(tops):
        top, bottom = upper[0].stop, lower[0].start
        if bottom - top < apart:
            continue
        between = mask[top:bottom]
        wide = between.copy()
        wide[:, 1:] |= between[:, :-1]
        wide[:, :-1] |= between[:, 1:]
        upright = wide.mean(axis=0) >= BOX_SIDE
        found[top:bottom] |= between & upright
