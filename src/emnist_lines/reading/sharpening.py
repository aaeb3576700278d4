"""Blurred strokes made as sharp as those of training.

Soft edges run into one another, so that fewer strokes are counted and a line is drawn too narrow.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from emnist_lines.reading.components import outline

SHARP, LEAST = 0.5, 0.82
"""Pixels over which edges are spread, as a standard deviation: those of sharp strokes; the least that is mended."""
ROUNDS = 10
"""Of the method; more of them sharpen noise."""
FLAT = 0.02
"""Times the ink's level by pixel: what is less steep is no edge."""
HIGHEST = 1.3
"""Times as dark as the ink that it may become."""


def sharpened(ink: NDArray[np.float32], written: float) -> NDArray[np.float32]:
    """The ink before it was blurred, about; itself if it was not.

    Van Cittert's method (Zum Einfluß der Spaltbreite auf die Intensitätsverteilung in Spektrallinien II, 1931): what
    the result, blurred again, lacks of the picture is added to it, a few times. It stays between paper and dark ink.

    Args:
        ink: (H, W) above the paper, with ink.
        written: share of the darkest ink's level from which on a pixel is ink.
    """
    mask = ink > written * ink.max()
    level = float(np.quantile(ink[mask], 0.75))
    spread = _spread(ink, mask, level)
    if spread < LEAST:
        return ink
    blur, sharp = float(np.sqrt(spread**2 - SHARP**2)), ink
    for _ in range(ROUNDS):
        sharp = sharp + ink - ndimage.gaussian_filter(sharp, blur, truncate=3.0, mode="nearest")
        sharp = sharp.clip(0, HIGHEST * level)
    return sharp


def _spread(ink: NDArray[np.float32], mask: NDArray[np.bool_], level: float) -> float:
    """Pixels over which the edges of strokes are spread: a step blurred by σ is at most its height / (σ √2π) steep."""
    rows, columns = np.gradient(ink)
    steepness = np.hypot(rows, columns)
    steepness = steepness[steepness > FLAT * level]  # the rest is most of the picture
    steepest = max(1, min(len(steepness), outline(mask) // 2))
    if not steepness.size:
        return 0.0
    steep = float(np.median(np.partition(steepness, -steepest)[-steepest:]))
    return level / (float(np.sqrt(2 * np.pi)) * steep)
