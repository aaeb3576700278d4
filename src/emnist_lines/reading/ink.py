"""What stands out from the paper of a picture: ink as levels above the paper, and from which level on it is ink."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

from emnist_lines.reading.edges import Step, edges

WORKING = 1400
"""Rows or columns that are enough to find writing; larger pictures are reduced to them."""
FEWEST = 112
"""Rows or columns that a picture of a long line keeps."""
PAPER = (32, 11, 0.25)
"""Shadows are found in a copy of so many rows or columns, as this share of the pixels in a square of this side."""
AROUND = (16, 96, 9)
"""Surroundings are the median in a square of the last side, in a copy of so many rows or columns, for one of more."""
SAMPLE = 10_000
"""Pixels that are enough to measure noise."""
FAINTEST = 5
"""Grey levels, of 255, between ink and paper; a picture with less holds no writing."""
CLEAR = 20
"""Times the noise that ink stands out where nothing needs to be smoothed."""
VISIBLE = 7
"""Times the noise that the darkest place stands out where there is ink; in noise alone it is about five."""
ABOVE_NOISE = 4.5
"""Times the noise that a pixel of ink stands out."""
SHARE = 0.12
"""Of the darkest ink: what less stands out is no ink, such as what JPEG leaves around strokes."""
LEAST, MOST = 0.02, 0.25
"""Shares of a picture that writing covers, at least and at most, where some of the picture is no paper."""
BESIDE = 0.9
"""Share of a picture's outline that lies beside the page, where most of the picture is no paper."""
STEP = (0.3, 0.2, 4)
"""What lies beside a page is darker by the first share of the darkest ink; by the second within so many pixels."""
APART = 16
"""Columns between pixels whose noise is not the same."""
SMOOTHINGS = (3, 5, 9)
"""Sides of the squares over which noise is smoothed, as far as needed."""


@dataclass(frozen=True)
class Ink:
    """The ink of a picture at a working size.

    Attributes:
        picture: (H, W) float32, the whole picture, ink brighter than paper.
        paper: (h, w) float32, the brightness that the paper has where ink covers it, at the working size.
        levels: (h, w) float32, what is brighter than the paper, smoothed as far as the noise asks for.
        mask: (h, w) bool, what stands out, without the dark edges of the picture.
        removed: (h, w) bool, those edges.
        threshold: from which level on.
        scale: working size over the picture's.
    """

    picture: NDArray[np.float32]
    paper: NDArray[np.float32]
    levels: NDArray[np.float32]
    mask: NDArray[np.bool_]
    removed: NDArray[np.bool_]
    threshold: float
    scale: float


def find(brightness: NDArray[np.float32]) -> Ink | None:
    """The ink in a picture, dark on light or light on dark; None where nothing stands out from the noise.

    Args:
        brightness: (H, W), 0 to 255.
    """
    rows, columns = brightness.shape
    scale = min(1.0, max(WORKING / max(rows, columns), FEWEST / min(rows, columns)))
    small = scaled(brightness, scale)
    light = _light_paper(small)
    found, _ = _find(brightness, small, scale, light)
    if found is not None and found.mask.mean() > MOST:  # a page before a large background, perhaps
        other, beside = _find(brightness, small, scale, not light)
        if other is not None and LEAST < other.mask.mean() < found.mask.mean() / 2 and beside > BESIDE:
            return other
    return found


def _find(
    brightness: NDArray[np.float32], small: NDArray[np.float32], scale: float, light_paper: bool
) -> tuple[Ink | None, float]:
    """The ink if paper is light, or dark; and the share of the picture's outline that lies beside a page."""
    picture = 255 - brightness if light_paper else brightness
    small = 255 - small if light_paper else small
    beside = _background(small)
    share = float(np.concatenate([beside[[0, -1]].reshape(-1), beside[:, [0, -1]].reshape(-1)]).mean())
    if share:
        small = np.where(beside, np.median(small[~beside]), small)
    paper = paper_of(small)
    found = _above_noise(small - paper)
    if found is None:
        return None, share
    levels, middle, threshold = found
    mask = levels > threshold
    removed = beside | edges(mask)
    paper = paper + np.float32(middle)
    return Ink(picture, paper, levels, mask & ~removed, removed, threshold, scale), share


def _background(small: NDArray[np.float32]) -> NDArray[np.bool_]:
    """What lies beside a page, along the sides of the picture, and begins with a step, as no shadow does."""
    paper = float(np.quantile(_some(small), 0.3))
    span = float(small.max()) - paper
    share, step, reach = STEP
    if span < FAINTEST:
        return np.zeros(small.shape, dtype=bool)
    return edges(small > paper + share * span, Step(small, step * span, reach))


def scaled(image: NDArray[np.float32], by: float) -> NDArray[np.float32]:
    """The image at another size; reduced, each pixel is the mean of those that it stands for."""
    if by == 1:
        return image
    size = (max(1, round(image.shape[1] * by)), max(1, round(image.shape[0] * by)))
    return resized(image, size)


def resized(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """The image with so many columns and rows."""
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0))


def _light_paper(small: NDArray[np.float32]) -> bool:
    """Whether ink is darker than paper.

    Where most of the picture is not clearly at one end of its range, the sign of the third moment about the median
    of the surroundings tells: what stands out is less than what is around.
    """
    low, high = float(small.min()), float(small.max())
    quarter, rest = np.quantile(_some(small), (0.25, 0.75))
    if high - quarter < 0.35 * (high - low) or rest - low < 0.35 * (high - low):
        return bool(high - quarter < rest - low)
    fine = scaled(small, min(1.0, AROUND[1] / min(small.shape)))
    coarse = scaled(fine, min(1.0, AROUND[0] / min(fine.shape)))
    around = Image.fromarray(np.rint(coarse).clip(0, 255).astype(np.uint8)).filter(ImageFilter.MedianFilter(AROUND[2]))
    apart = fine - resized(np.asarray(around, dtype=np.float32), fine.shape[::-1])
    apart = apart - np.median(_some(apart))
    return float((apart * apart * apart).sum(dtype=np.float64)) < 0


def _some(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Enough of the values to measure them by."""
    return values.reshape(-1)[:: max(1, values.size // SAMPLE)]


def paper_of(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """The paper's brightness with its shadows, where ink is brighter than paper.

    It is a low quantile of what is around, in what is left of the picture without a slope across all of it.
    """
    rows, side, share = PAPER
    coarse = scaled(ink, min(1.0, rows / min(ink.shape)))
    limit = np.quantile(coarse, 0.3) + 0.7 * np.ptp(coarse)  # a dark edge is no shadow
    across = _slope(np.median(coarse, axis=0)) + _slope(np.median(coarse, axis=1))[:, None]
    if _spread(coarse - across) > 0.7 * _spread(coarse):
        across = np.zeros_like(across)
    level = coarse - across
    lowest, span = float(level.min()), max(float(np.ptp(level)), 1e-3)
    shade: Image.Image = Image.fromarray(np.rint((level - lowest) * (255 / span)).astype(np.uint8))
    shade = shade.filter(ImageFilter.RankFilter(side, int(side * side * share)))
    paper = across + lowest + np.asarray(shade, dtype=np.float32) * np.float32(span / 255)
    return resized(np.minimum(paper, limit).astype(np.float32), ink.shape[::-1])


def _spread(values: NDArray[np.float32]) -> float:
    return float(np.median(np.abs(values - np.median(values))))


def _slope(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A straight line through values, its steepness the median of that between places half the length apart."""
    half = len(values) // 2
    steepness = float(np.median(values[-half:] - values[:half])) / max(len(values) - half, 1) if half else 0.0
    return (np.arange(len(values)) * steepness).astype(np.float32)


def _above_noise(above: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, float] | None:
    """What is above the paper, smoothed; what was taken off as paper; and from which level on it is ink.

    None: all is noise.
    """
    best: tuple[float, NDArray[np.float32], float, float, float] | None = None
    for side in (1, *SMOOTHINGS):
        if side > 1 and side > min(above.shape) / 8:
            break
        levels = above if side == 1 else ndimage.uniform_filter(above, side, mode="nearest")
        middle, noise = _noise(levels)
        smooth = ndimage.uniform_filter(levels, 3, mode="constant") if side == 1 else levels
        highest = float(smooth.max()) - middle
        ratio = highest / max(noise, 1e-3)
        if best is None or ratio > 1.3 * best[0]:
            best = (ratio, levels - np.float32(middle), middle, noise, highest)
        if ratio >= CLEAR:
            break
    assert best is not None
    ratio, levels, middle, noise, highest = best
    if ratio < VISIBLE or highest < FAINTEST:
        return None
    return levels, middle, max(ABOVE_NOISE * noise, SHARE * highest, FAINTEST / 2)


def _noise(levels: NDArray[np.float32]) -> tuple[float, float]:
    """Median of the levels, and the standard deviation of the noise: of what is below the median, as ink is above.

    Where edges or shadows are below it, pixels some way apart differ less.
    """
    some = _some(levels)
    middle = float(np.median(some))
    below = float(np.median(middle - some[some <= middle]))
    if levels.shape[1] > 2 * APART:
        rows = levels[:: max(1, levels.size // SAMPLE)]
        differ = np.abs(_some(rows[:, APART:] - rows[:, :-APART]))
        below = min(below, float(np.median(differ)) / 2**0.5)
    return middle, 1.4826 * below
