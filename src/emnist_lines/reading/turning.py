"""How far the writing in a picture is turned, and the picture turned level."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emnist_lines.reading.components import Mask

STEEPEST = 7.0
"""Degrees that a line may be turned."""
FEWEST, POINTS, ROWS = 20, 2_500, 256
"""Pixels of ink that are needed to find out how far they are turned; that are enough; and rows to count them in."""
SHORT, LONG = 3.3, 7.0
"""Times its height that writing must be wide for its turn to be found at all, and well."""
BETTER = (1.10, 1.03)
"""Times better the rows of turned writing must stand apart, where it is short and where it is long."""
LEVEL = 0.3
"""Degrees that are as good as none."""


def turn(mask: Mask) -> float:
    """Degrees by which writing rises to the right (negative: falls); 0 where none can be told.

    Rows of ink and rows of paper stand apart best where they are summed along the writing (projection profiles; Postl,
    Detection of linear oblique structures and skew scan in digitized documents, 1986).
    """
    places = np.flatnonzero(mask)
    if len(places) < FEWEST:
        return 0.0
    rows, columns = np.divmod(
        places[:: max(1, len(places) // (POINTS if len(mask) < ROWS else 4 * POINTS))], mask.shape[1]
    )
    wide, high = np.ptp(columns) + 1, np.ptp(rows) + 1
    across = (rows * np.float32(min(1.0, ROWS / high))).astype(np.float32)
    along = ((columns - columns.mean()) * np.float32(min(1.0, ROWS / high))).astype(np.float32)
    coarse = np.arange(-STEEPEST, STEEPEST + 0.25, 0.5)
    scores = _apart(across, along, coarse)
    middle = float(coarse[scores.argmax()])
    fine = np.arange(middle - 0.4, middle + 0.45, 0.1)
    finer = _apart(across, along, fine)
    best = float(fine[finer.argmax()])
    high = high - wide * abs(np.tan(np.radians(best)))
    needed = BETTER[int(wide >= LONG * high)] * float(scores[len(coarse) // 2])
    if wide < SHORT * high or finer.max() < needed or not LEVEL < abs(best) < STEEPEST:
        return 0.0
    return best


def _apart(
    across: NDArray[np.float32], along: NDArray[np.float32], degrees: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(N,) for each turn: the number of pairs of pixels that lie in the same row along it."""
    slopes = np.tan(np.radians(degrees)).astype(np.float32)
    rows = slopes[:, None] * along
    rows += across
    rows -= rows.min()
    width = int(rows.max()) + 1
    bins = rows.astype(np.int32)
    bins += (width * np.arange(len(degrees), dtype=np.int32))[:, None]
    counts = np.bincount(bins.reshape(-1), minlength=width * len(degrees)).reshape(len(degrees), width)
    return (counts * (counts - 1.0)).sum(axis=1)


def turned(image: NDArray[np.float32], degrees: float) -> NDArray[np.float32]:
    """The image turned so that what rises by so many degrees is level; large enough to hold all of it, 0 around."""
    rows, columns = image.shape
    size, matrix = turning(rows, columns, degrees)
    return np.asarray(Image.fromarray(image).transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))


def turning(rows: int, columns: int, degrees: float) -> tuple[tuple[int, int], tuple[float, ...]]:
    """Columns and rows of an image turned level, and where in the image each of its places comes from.

    Returns:
        The size, and a, b, c, d, e, f: (x, y) comes from (a x + b y + c, d x + e y + f).
    """
    angle = np.radians(degrees)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    wide, high = round(columns * cos + rows * abs(sin)), round(columns * abs(sin) + rows * cos)
    return (wide, high), (
        cos,
        sin,
        columns / 2 - cos * wide / 2 - sin * high / 2,
        -sin,
        cos,
        rows / 2 + sin * wide / 2 - cos * high / 2,
    )
