"""Connected pieces of ink: which are writing, which are specks, blots or frames."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]

EIGHT = np.ones((3, 3), dtype=np.int8)
"""Pixels touch at their sides and corners."""
SMALLEST = 8
"""Rows of the smallest letter, at the working size."""
BLOT = 0.74
"""Share of its box that a piece of ink fills that has no strokes (a disc fills 0.785), where it is not slender."""
SLENDER = 0.45
"""Width over height, or height over width, of the widest stroke."""
SPECK = 0.2
"""Share of the letters' height below which a piece of ink is no letter, but may be a dot."""
LETTER = 0.45
"""Share of the letters' height from which on a piece of ink is a letter."""
FRAME = 0.5
"""Share of each side of its box that a ring around other ink covers."""
STRAIGHT = 0.93
"""Share of each side of its box that a box with nothing in it covers."""


@dataclass(frozen=True)
class Components:
    """Connected pieces of ink.

    Attributes:
        labels: (H, W) int32, 0 where there is none, else a piece's number from 1 on.
        tops, bottoms, lefts, rights: (N,) int64, the box of each piece; bottom and right are behind it.
        areas: (N,) int64, pixels.
    """

    labels: NDArray[np.int32]
    tops: NDArray[np.int64]
    bottoms: NDArray[np.int64]
    lefts: NDArray[np.int64]
    rights: NDArray[np.int64]
    areas: NDArray[np.int64]

    @property
    def heights(self) -> NDArray[np.int64]:
        return self.bottoms - self.tops

    @property
    def widths(self) -> NDArray[np.int64]:
        return self.rights - self.lefts

    def mask(self, chosen: NDArray[np.bool_]) -> Mask:
        """The ink of the chosen pieces."""
        return np.concatenate([[False], chosen])[self.labels]


def outline(mask: Mask) -> int:
    """How many pairs of neighbouring pixels, side by side or one above the other, have ink in one alone."""
    return int(np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1]))


def runs(inside: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where each run of True begins in a row of values, and where it has ended."""
    around = np.concatenate([[False], inside, [False]])
    starts, stops = np.flatnonzero(around[1:] & ~around[:-1]), np.flatnonzero(~around[1:] & around[:-1])
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def components(mask: Mask) -> Components:
    """The connected pieces of a mask."""
    labels, count = ndimage.label(mask, EIGHT)
    boxes = np.array(
        [(y.start, y.stop, x.start, x.stop) for y, x in ndimage.find_objects(labels)], dtype=np.int64
    ).reshape(count, 4)
    areas = np.bincount(labels.reshape(-1), minlength=count + 1)[1:]
    top, bottom, left, right = boxes.T
    return Components(labels, top, bottom, left, right, areas)


def letter_height(pieces: Components, of: NDArray[np.bool_] | None = None) -> float:
    """How high most of the ink's pieces are, by their area; 0 where there are none.

    Pieces much wider than high do not count if others are there.

    Args:
        pieces: the ink.
        of: (N,) which pieces are meant; None: all.
    """
    heights, weights = pieces.heights, pieces.areas.astype(np.float64)
    if of is not None:
        weights = weights * of
    if not weights.any():
        return 0.0
    giant = pieces.widths > 0.5 * pieces.labels.shape[1]
    some = ~giant & (heights >= SMALLEST)
    if weights[some].sum() > 0.1 * weights.sum():
        weights = weights * some
    order = np.argsort(heights)
    total = weights[order].cumsum()
    return float(heights[order][np.searchsorted(total, total[-1] / 2)])


def frames(pieces: Components) -> NDArray[np.bool_]:
    """(N,) pieces that are boxes or rings around others."""
    found = _boxes(pieces)
    large = ~found & (pieces.heights >= 3 * SMALLEST) & (pieces.areas < 0.35 * pieces.heights * pieces.widths)
    for number in np.flatnonzero(large):
        inside = (
            (pieces.tops > pieces.tops[number])
            & (pieces.bottoms < pieces.bottoms[number])
            & (pieces.lefts > pieces.lefts[number])
            & (pieces.rights < pieces.rights[number])
            & (pieces.heights > 0.3 * pieces.heights[number])
        )
        found[number] = inside.any() and _covers_sides(pieces, int(number), 0.15) >= FRAME
    return found


def _boxes(pieces: Components) -> NDArray[np.bool_]:
    """(N,) pieces that are four straight strokes with nothing else, as an empty field of a form."""
    found = np.zeros(len(pieces.areas), dtype=bool)
    hollow = (np.minimum(pieces.heights, pieces.widths) >= 2 * SMALLEST) & (
        pieces.areas < 0.25 * pieces.heights * pieces.widths
    )
    for number in np.flatnonzero(hollow):
        found[number] = _covers_sides(pieces, int(number), 0.04) >= STRAIGHT
    return found


def _covers_sides(pieces: Components, number: int, share: float) -> float:
    """The least share of a side of a piece's box along which its ink runs, in a band of this share of the box."""
    box = slice(pieces.tops[number], pieces.bottoms[number]), slice(pieces.lefts[number], pieces.rights[number])
    own = pieces.labels[box] == number + 1
    band = max(2, round(share * min(own.shape)))
    sides = (own[:band].any(axis=0), own[-band:].any(axis=0), own[:, :band].any(axis=1), own[:, -band:].any(axis=1))
    return float(min(side.mean() for side in sides))


def writing(pieces: Components, of: NDArray[np.bool_], height: float) -> NDArray[np.bool_]:
    """(N,) pieces that are writing: no specks, except dots above a stem; no lone bars, no blots.

    Args:
        pieces: the ink.
        of: (N,) which pieces are meant.
        height: rows of a letter, about.
    """
    heights, widths = pieces.heights, pieces.widths
    largest = np.maximum(heights, widths)
    smallest = min(SMALLEST, 0.4 * pieces.labels.shape[0])
    letters = of & (largest >= max(smallest, LETTER * height)) & (heights >= SPECK * height)
    letters &= ~((heights <= SPECK * height) & (widths >= 1.2 * height))
    blots = (pieces.areas >= BLOT * heights * widths) & (np.minimum(heights, widths) > SLENDER * largest)
    letters &= ~(blots & ((heights < 0.6 * height) | (blots | ~letters).all()))
    small = of & ~letters & (largest >= max(2.0, 0.07 * height))
    if not letters.any() or not small.any():
        return letters
    kept = letters.copy()
    for number in np.flatnonzero(small):
        kept[number] = _belongs(pieces, int(number), letters, height)
    return kept


def _belongs(pieces: Components, number: int, letters: NDArray[np.bool_], height: float) -> bool:
    """Whether a small piece is a letter's dot or a part of its stroke: close to it, not below it."""
    middle = (pieces.tops[number] + pieces.bottoms[number]) / 2
    beside = np.maximum(pieces.lefts - pieces.rights[number], pieces.lefts[number] - pieces.rights)
    near = (
        letters
        & (beside <= 0.15 * height)
        & (middle < pieces.bottoms + 0.05 * height)
        & (middle > pieces.tops - 0.6 * height)
    )
    return bool(near.any())
