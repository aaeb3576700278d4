"""The size that natural handwriting is read in: ink of 24 rows, and strokes a fixed number of columns apart.

A line's pixels alone decide, so that a picture to be read becomes what training has seen. The network looks through
windows that step 8 columns, and letters as narrow as people write them would share one; how many letters a line has
nobody knows before it is read, but its strokes can be counted.
"""

import numpy as np
from numpy.typing import NDArray

INK_ROWS, TOP = 24, 2
"""Rows that a line's ink takes, of 28, and the first of them."""
FINE = 2
"""Columns, in the proportions of the writing, that strokes are counted in for each of its own."""
SPACING = 15.0
"""Columns from one stroke to the next: two strokes are about a letter."""
PRIOR, PRIOR_SPACING = 3.0, 11.0
"""Strokes that are taken to stand beside the line so far apart, so that a single one is not drawn as wide as two."""
NARROWEST, WIDEST = 0.7, 6.0
"""Times wider than written that a line is drawn, at least and at most."""


def stretch(ink: NDArray[np.bool_]) -> float:
    """How many times wider than it was written a line is to be drawn.

    Strokes are counted in the eight of the rows that cross the most: those of the small letters.

    Args:
        ink: (INK_ROWS, FINE · W), where there is ink in a line that is cropped to it, INK_ROWS rows high and W columns
            wide in the proportions that it was written in.
    """
    before = np.pad(ink, ((0, 0), (1, 0)))[:, :-1]
    strokes = float(np.sort((ink & ~before).sum(axis=1))[-INK_ROWS // 3 :].mean())
    columns = ink.shape[1] / FINE
    wanted = SPACING * (strokes + PRIOR) / (columns + PRIOR * PRIOR_SPACING)
    return min(max(wanted, NARROWEST), WIDEST)


def stretch_of(image: NDArray[np.bool_]) -> float:
    """`stretch` for a line in its frame: (28, columns), ink in the rows from TOP on; 1 where there is none."""
    columns = np.flatnonzero(image.any(axis=0))
    if len(columns) == 0:
        return 1.0
    return stretch(image[TOP : TOP + INK_ROWS, columns[0] : columns[-1] + 1])
