"""What is dark at the sides of a picture and is no writing: edges of a scan or of a box, the table under a page."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from emnist_lines.reading.components import Components, Mask, runs

COVERED = 0.6
"""Share of a side along which a dark edge lies."""
STEADY = 0.8
"""Share of a side along which what lies beside a page ends straight."""
HALF = 0.4
"""Share of a side along which what lies beside a page must end at all."""
DEEPEST = 0.3
"""Share of the picture that a dark edge may reach into it."""
NEAR = 0.015
"""Share of the picture within which a dark edge begins."""
CORNER = 2.5
"""Times the letters' height along which what lies beside a page shows at a side of the picture."""
AT_SIDE = 3
"""Pixels within which it begins."""
NEAR_CORNER, GROWING = 0.15, 2.2
"""Share of the side within which it ends at the picture's corner; and how much deeper its half towards there is."""
MOSTLY = 0.5
"""Share of a piece of ink that lies so, from which on all of it is taken; else the rest is writing that it touches."""


@dataclass(frozen=True)
class Step:
    """How much darker an edge is within some pixels.

    Attributes:
        levels: (H, W) float32, bright where ink is.
        least: by how much.
        reach: within how many pixels.
    """

    levels: NDArray[np.float32]
    least: float
    reach: int

    def there(self, depth: NDArray[np.int64], side: int) -> bool:
        """Whether an edge of this depth along a side ends with a step, for most of its length."""
        levels = np.rot90(self.levels, side)
        rows = np.flatnonzero((depth > 0) & (depth < levels.shape[1] - 1))
        inner = (depth[rows] - 1 - self.reach // 2).clip(0)
        outer = (depth[rows] + self.reach // 2).clip(max=levels.shape[1] - 1)
        return bool(len(rows)) and float(np.median(levels[rows, inner] - levels[rows, outer])) >= self.least


def edges(mask: Mask, step: Step | None = None) -> Mask:
    """The dark edges along the sides of a picture: of a scan, of a box around all of it, or beside a turned page.

    Args:
        mask: ink.
        step: what an edge must end with; None: any end.
    """
    depths = [_depths(np.rot90(mask, side)) for side in range(4)]
    if step is not None:
        depths = [d if d is not None and step.there(d, side) else None for side, d in enumerate(depths)]
    strips = [_strip(mask, depth, side, step is not None) for side, depth in enumerate(depths)]
    found = np.zeros_like(mask)
    if not any(strip is not None for strip in strips):
        return found
    rest = mask & ~np.logical_or.reduce([strip for strip in strips if strip is not None])
    for side, (depth, strip) in enumerate(zip(depths, strips, strict=True)):
        if strip is not None and depth is not None and _beyond_writing(np.rot90(rest, side), depth):
            found |= strip
    return found


def _depths(mask: Mask) -> NDArray[np.int64] | None:
    """How far ink reaches into each row from the left side, 0 where there is none; None if that is no edge."""
    columns = mask.shape[1]
    near, deepest = max(1, round(NEAR * columns)), max(2, round(DEEPEST * columns))
    first = mask[:, : near + 1]
    at_side = first.any(axis=1)
    if at_side.mean() < COVERED:
        return None
    part = mask[:, : deepest + near + 1]
    inside = part | (np.arange(part.shape[1]) < first.argmax(axis=1)[:, None])
    depth = np.where(inside.all(axis=1), inside.shape[1], inside.argmin(axis=1))
    depth = np.where(at_side, depth, 0)
    return None if np.median(depth[at_side]) > deepest else depth


def _strip(mask: Mask, depth: NDArray[np.int64] | None, side: int, straight: bool) -> Mask | None:
    """The pixels of a dark edge along one side, without the writing that it touches; None if it is not steady."""
    if depth is None:
        return None
    usual = ndimage.median_filter(depth, max(3, len(depth) // 8) | 1, mode="nearest")
    steady = np.abs(depth - usual) <= 2 + (0.02 if straight else 0.25) * usual
    ends = depth < DEEPEST * mask.shape[1 - side % 2] if straight else np.ones(len(depth), dtype=bool)
    if ends.mean() < HALF or steady[ends].mean() < (STEADY if straight else COVERED):
        return None
    reach = np.where(steady, depth, np.minimum(depth, usual + 1))
    strip = np.arange(np.rot90(mask, side).shape[1]) < (reach + (reach > 0))[:, None]
    return np.rot90(strip, -side)


def _beyond_writing(rest: Mask, depth: NDArray[np.int64]) -> bool:
    """Whether a stroke along the left side is longer than the writing is high, or is none of its first letter's."""
    written = np.flatnonzero(rest.any(axis=1))
    if not len(written):
        return bool(np.median(depth[depth > 0]) < 0.06 * max(rest.shape))
    along = np.flatnonzero(depth)
    outside = np.count_nonzero(depth[: written[0]]) + np.count_nonzero(depth[written[-1] + 1 :])
    return bool(outside >= max(2, 0.03 * (along[-1] - along[0] + 1)))


def corners(pieces: Components, height: float) -> Mask:
    """What lies beside a turned page: dark from a side of the picture on, and deeper towards one of its corners.

    Args:
        pieces: ink, upright.
        height: rows of its letters, about.
    """
    mask, strips = pieces.labels > 0, np.zeros(pieces.labels.shape, dtype=bool)
    for side in range(4):
        ink, strip = np.rot90(mask, side), np.rot90(strips, side)
        for start, stop in runs(np.logical_or.reduce(ink[:, :AT_SIDE], axis=1)):
            if stop - start >= CORNER * height:
                part = ink[start:stop].copy()
                part[:, :AT_SIDE] = True
                depth = np.where(part.all(axis=1), 0, part.argmin(axis=1))
                dark = ink[start:stop] & (np.arange(part.shape[1]) < depth[:, None])
                if _grows(dark.sum(axis=1), start, len(ink) - stop):
                    strip[start:stop] |= dark
    if not strips.any():
        return strips
    shares = np.bincount(pieces.labels[strips], minlength=len(pieces.areas) + 1)[1:] / pieces.areas
    return strips | pieces.mask(shares >= MOSTLY)


def _grows(depth: NDArray[np.int64], before: int, behind: int) -> bool:
    """Whether ink gets deeper towards the corner that it is near to, with so many rows before and behind it."""
    if min(before, behind) > NEAR_CORNER * (before + len(depth) + behind):
        return False
    halves = depth[: len(depth) // 2].mean(), depth[len(depth) // 2 :].mean()
    towards, away = halves if before < behind else halves[::-1]
    return bool(towards > GROWING * away)
