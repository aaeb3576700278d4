"""Which pieces of ink make up which line of writing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emnist_lines.reading.components import LETTER, Components, Mask, letter_height, runs, writing

TALL = 1.6
"""Times the letters' height from which on a piece of ink may belong to two lines."""
SAME = 0.6
"""Share of the lower line's rows that two lines must have in common to be one."""
FAR = 0.5
"""Times a line's height away from it, a piece of ink is none of it."""
SMALLER = 0.3
"""Times as high as the first lines' letters that those of other lines are at least."""
SIZES = 3
"""Sizes of writing that are told apart in a picture."""
FEW = 0.3
"""Times as much ink, in columns, as a line has a part of it at most: a comma, the dot of an i, a tall letter."""
MARK, NEAR = 0.6, 0.8
"""Times a line's height that dots above it are large and away, at most."""
SINGLE, CLOSE = 0.06, 0.25
"""Times as much ink, in columns, as a line has a dot or a loop by itself at most. A dot is no further away than the
line is high; a loop, which may be as large as a letter, no further than the second times that."""
REACH = 0.1
"""Share of the lower one's rows that a line and a part of it have in common."""
THROUGH = 0.6
"""Share of a line's middle through which a piece of ink goes that belongs to it, if to others too."""


@dataclass(frozen=True)
class Lines:
    """Lines of writing, top to bottom.

    Attributes:
        owner: (H, W) int32, the number of each pixel's line, from 1 on; 0: no line's.
        letters: (lines,) int64, pieces of ink as large as letters.
        cut: (lines,) bool, whether pieces of ink were cut that reach from the line into others.
    """

    owner: NDArray[np.int32]
    letters: NDArray[np.int64]
    cut: NDArray[np.bool_]


@dataclass
class _Band:
    """The rows of one line: those of its letters' middles, and all of them; columns of its letters, summed up."""

    middle: tuple[int, int]
    top: float
    bottom: float
    width: int

    @property
    def height(self) -> float:
        return self.bottom - self.top


def lines(pieces: Components) -> Lines:
    """The lines that pieces of ink make up, each size of writing after the other, the commonest first."""
    left = np.ones(len(pieces.areas), dtype=bool)
    bands: list[_Band] = []
    kept = np.zeros_like(left)
    first = 0.0
    for _ in range(SIZES):
        height = letter_height(pieces, left)
        if not height or height < SMALLER * first:
            break
        first = first or height
        some = writing(pieces, left, height)
        found = _bands(pieces, some & _letters(pieces, height), height)
        found = [band for band in found if all(_overlap(band, other) < SAME * band.height for other in bands)]
        if not found:
            break
        bands = _whole(bands + found)
        away = _away(pieces, bands)
        kept |= some & (away.min(axis=1) <= 0)
        left &= ~kept & (away.min(axis=1) > 0)
    bands.sort(key=lambda band: band.middle)
    return _owned(pieces, kept, bands)


def _letters(pieces: Components, height: float) -> NDArray[np.bool_]:
    return np.maximum(pieces.heights, pieces.widths) >= LETTER * height


def _bands(pieces: Components, letters: NDArray[np.bool_], height: float) -> list[_Band]:
    """The lines of letters of one size."""
    usual = letters & (pieces.heights >= LETTER * height) & (pieces.heights <= TALL * height)
    if not usual.any():
        usual = letters
    if not usual.any():
        return []
    quarter = pieces.heights[usual] // 4
    profile = np.zeros(pieces.labels.shape[0] + 1, dtype=np.int64)
    np.add.at(profile, pieces.tops[usual] + quarter, pieces.widths[usual])
    np.add.at(profile, pieces.bottoms[usual] - quarter, -pieces.widths[usual])
    middles = _runs(profile.cumsum(), 0, height)
    of = _nearest(pieces, middles)
    found: list[_Band] = []
    for number, middle in enumerate(middles):
        own = usual & (of == number)
        if own.any():
            rows = float(np.median(pieces.tops[own])), float(np.median(pieces.bottoms[own]))
            found.append(_Band(middle, *rows, int(pieces.widths[own].sum())))
    merged: list[_Band] = []
    for band in found:
        last = merged[-1] if merged else None
        if last and _overlap(last, band) >= SAME * min(last.height, band.height):
            middle = (last.middle[0], band.middle[1])
            rows = min(last.top, band.top), max(last.bottom, band.bottom)
            merged[-1] = _Band(middle, *rows, last.width + band.width)
        else:
            merged.append(band)
    return merged


def _whole(bands: list[_Band]) -> list[_Band]:
    """Lines with the commas below, the dots above and the tall letters that looked like lines of their own."""
    lines: list[_Band] = []
    for band in sorted(bands, key=lambda band: -band.width):
        near = min(lines, key=lambda line: -_overlap(band, line), default=None)
        if near is not None and _part(band, near):
            near.top, near.bottom = min(near.top, band.top), max(near.bottom, band.bottom)
        else:
            lines.append(band)
    return lines


def _part(band: _Band, line: _Band) -> bool:
    if band.width > FEW * line.width:
        return False
    overlap = _overlap(band, line)  # below 0: rows between them
    if overlap >= REACH * min(band.height, line.height):
        return True
    small = band.height <= MARK * line.height
    if band.width <= SINGLE * line.width and overlap >= -(1.0 if small else CLOSE) * line.height:
        return True
    return small and band.bottom <= line.top and overlap >= -NEAR * line.height


def _overlap(one: _Band, other: _Band) -> float:
    return min(one.bottom, other.bottom) - max(one.top, other.top)


def _runs(profile: NDArray[np.int64], above: float, height: float) -> list[tuple[int, int]]:
    """Runs of rows with more than a number of letters' columns; a run too high for one line is split where few are."""
    found: list[tuple[int, int]] = []
    for start, stop in runs(profile > above):
        part = np.zeros_like(profile)
        part[start:stop] = profile[start:stop]
        parts = [(start, stop)]
        if stop - start > 1.3 * height and above < 0.4 * part.max():
            finer = _runs(part, max(0.1 * part.max(), 1.5 * above), height)
            finer = [run for run in finer if run[1] - run[0] >= 0.2 * height]
            parts = finer if len(finer) > 1 else parts
        found += parts
    return found


def _nearest(pieces: Components, middles: list[tuple[int, int]]) -> NDArray[np.int64]:
    """(N,) the index of the line to whose middle each piece is nearest."""
    starts, stops = np.array(middles).T
    middle = (pieces.tops + pieces.bottoms)[:, None] / 2
    nearest: NDArray[np.int64] = np.maximum(starts - middle, middle - stops).clip(0).argmin(axis=1)
    return nearest


def _away(pieces: Components, bands: list[_Band]) -> NDArray[np.float64]:
    """(N, lines) rows between each piece's middle and what is still a line's; not above 0 where it may belong to it."""
    tops = np.array([band.top - FAR * band.height for band in bands])
    bottoms = np.array([band.bottom + FAR * band.height for band in bands])
    middle = (pieces.tops + pieces.bottoms)[:, None] / 2
    return np.maximum(tops - middle, middle - bottoms)


def _owned(pieces: Components, kept: NDArray[np.bool_], bands: list[_Band]) -> Lines:
    """Give each piece that is writing to the line that it is nearest to; cut those that reach through several."""
    cut = np.zeros(len(bands), dtype=bool)
    if not bands:
        return Lines(np.zeros(pieces.labels.shape, dtype=np.int32), np.zeros(0, dtype=np.int64), cut)
    middles = [band.middle for band in bands]
    line = np.where(kept, _nearest(pieces, middles) + 1, 0)
    owner = np.concatenate([[0], line]).astype(np.int32)[pieces.labels]
    if len(bands) > 1:
        starts, stops = np.array(middles).T
        reach = np.minimum(pieces.bottoms[:, None], stops) - np.maximum(pieces.tops[:, None], starts)
        through = kept[:, None] & (reach >= THROUGH * (stops - starts))
        for number in np.flatnonzero(through.sum(axis=1) > 1):
            reached = np.flatnonzero(through[number])
            _cut(pieces, int(number), reached, middles, owner)
            cut[reached] = True
    heights = np.array([0.0, *(band.height for band in bands)])
    letters = np.bincount(line[line * (pieces.heights >= LETTER * heights[line]) > 0], minlength=len(bands) + 1)[1:]
    return Lines(owner, letters, cut)


def _cut(
    pieces: Components,
    number: int,
    reached: NDArray[np.int64],
    middles: list[tuple[int, int]],
    owner: NDArray[np.int32],
) -> None:
    """Give each line its part of a piece that reaches through several, cut where it is thinnest between them."""
    top, bottom = int(pieces.tops[number]), int(pieces.bottoms[number])
    box = slice(top, bottom), slice(int(pieces.lefts[number]), int(pieces.rights[number]))
    own = pieces.labels[box] == number + 1
    start = 0
    for upper, lower in zip(reached, [*reached[1:], None], strict=True):
        stop = bottom - top
        if lower is not None:
            first, last = sorted((middles[upper][1] - top, middles[lower][0] - top))
            first = max(start, first)
            stop = first + int(own[first : last + 1].sum(axis=1).argmin()) if first <= last else first
        part = owner[box][start:stop]
        part[own[start:stop]] = upper + 1
        start = stop


def crossings(line: Mask) -> float:
    """How many strokes lie one above the other in a line's columns that hold ink, on average: 1 to 1.7."""
    padded = np.pad(line, ((1, 0), (0, 0)))
    begun = (padded[1:] & ~padded[:-1]).sum(axis=0)
    return float(begun[begun > 0].mean())
