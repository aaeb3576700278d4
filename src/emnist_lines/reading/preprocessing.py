"""Any picture of a line of writing → the images that the network was trained on: 28 rows, white ink on black.

Contrast, polarity, size and place are found from the ink itself.
"""

import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

from emnist_lines.common.errors import UserError, one_line
from emnist_lines.common.glyphs import SIZE

MAX_PIXELS = 64_000_000
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
INK_HEIGHTS = (24, 21, 18)
"""Rows that a line's ink may take, the usual first: EMNIST's glyphs are 24 high, unless they are wider than high."""
FRAME_INK = (18, 26)
"""Rows of ink, of 28, within which a picture may be no more than the line's own rows, enlarged."""
FINE = 96
"""Rows of ink that are enough to work on."""
LARGE = 1000
"""Rows that a picture is first reduced to."""
FAINTEST = 20
"""Grey levels, of 255, between ink and paper; a picture with less holds no writing."""
WRITTEN = 0.4
"""Share of the darkest ink's level from which on a pixel is ink."""
PEN, THIN = 2.4, 1.6
"""Pixels that a stroke takes in EMNIST, about; one that would take less than the second is widened to the first."""
SIDE, WIDEST_SIDE = 4, 14
"""Columns of paper beside the ink: as most glyphs have; as any glyph has. More than the second is cut to the first."""


def load(source: Path | BinaryIO, name: str) -> Image.Image:
    """The picture in a file, of any format that Pillow knows, upright as its camera says.

    Raises:
        UserError: it cannot be read, is no picture, is damaged, or has more than 64 megapixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is lower
            image = Image.open(source)
        if image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        image.load()
    except Image.DecompressionBombError:
        raise UserError(f"{name} has more than {MAX_PIXELS // 10**6} megapixels; make it smaller") from None
    except UnidentifiedImageError:
        raise UserError(f"{name} is no picture; give a PNG, JPEG, WebP, TIFF or BMP file") from None
    except FileNotFoundError:
        raise UserError(f"{name} does not exist; give the path of a picture") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else one_line(error)
        raise UserError(f"{name} cannot be read as a picture ({told}); give a whole one") from None
    return ImageOps.exif_transpose(image)


def grey(picture: Image.Image | NDArray[np.generic]) -> NDArray[np.float32]:
    """(H, W) brightness, 0 to 255. What is transparent becomes paper.

    Args:
        picture: of any mode; or an array (H, W), (H, W, 3) or (H, W, 4) of uint8, uint16, bool or floats from 0 to 1.

    Raises:
        ValueError: the array is of another shape or type.
    """
    if isinstance(picture, np.ndarray):
        picture = _from_array(picture)
    if picture.mode.startswith(("I", "F")):
        values = np.asarray(picture, dtype=np.float32)
        return values if picture.mode == "F" else values / np.float32(257)  # 16 bits, whatever Pillow keeps them in
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        solid = np.asarray(rgba.getchannel("A"), dtype=np.float32) / 255
        brightness = np.asarray(rgba.convert("RGB").convert("L"), dtype=np.float32)
        if solid.min() < 1:
            drawn = float((brightness * solid).sum() / max(float(solid.sum()), 1e-6))
            paper = 255 if drawn < 128 else 0
            brightness = np.add(brightness * solid, paper * (1 - solid), dtype=np.float32)
        return brightness
    return np.asarray(picture.convert("L"), dtype=np.float32)


def _from_array(array: NDArray[np.generic]) -> Image.Image:
    if array.ndim not in (2, 3) or 0 in array.shape or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ValueError(f"a picture has the shape (H, W), (H, W, 3) or (H, W, 4), not {array.shape}")
    if array.dtype == bool or np.issubdtype(array.dtype, np.floating):
        values = array.astype(np.float32)
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise ValueError("a picture of floats holds values from 0 to 1")
        array = np.rint(values * 255).astype(np.uint8)
    elif array.dtype == np.uint16:
        array = (array // 257).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise ValueError(f"a picture is of uint8, uint16, bool or floats from 0 to 1, not {array.dtype}")
    return Image.fromarray(array)


def lines(picture: Image.Image | NDArray[np.generic]) -> list[NDArray[np.uint8]]:
    """The ways in which a picture may be meant as a line, (28, W) uint8 each, the likeliest first.

    A picture in the network's own format, or its negative, is taken as it is and in no other way. Without writing there
    is none.
    """
    ink = grey(picture)
    if 2 * float(np.median(ink)) > float(ink.min()) + float(ink.max()):  # most of a picture is paper
        ink = 255 - ink
    if ink.shape[0] == SIZE and float(np.median(ink)) == 0:
        return [trimmed(np.rint(ink).astype(np.uint8))] if ink.max() >= FAINTEST else []
    ink = _without_paper(_scaled(ink, min(1.0, LARGE / ink.shape[0])))
    box = _box(ink)
    if box is None:
        return []
    found = []
    height, frame = len(ink[box]), SIZE / ink.shape[0]
    if FRAME_INK[0] <= height * frame <= FRAME_INK[1]:
        found.append(trimmed(_framed(_scaled(ink, frame), 0)))
    ink = np.pad(_scaled(ink[box], min(1.0, FINE / height)), FINE // 8)
    ink = _thickened(ink)
    box = _box(ink)
    assert box is not None
    for rows in INK_HEIGHTS:
        line = _scaled(ink[box], rows / len(ink[box]))
        found.append(trimmed(_framed(np.pad(line, ((0, 0), (SIDE, SIDE))), (SIZE - line.shape[0]) // 2)))
    return found


def _scaled(ink: NDArray[np.float32], by: float) -> NDArray[np.float32]:
    if by == 1:
        return ink
    size = (max(1, round(ink.shape[1] * by)), max(1, round(ink.shape[0] * by)))
    return np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BILINEAR))


def _without_paper(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is brighter than the paper around, the shadows of which are found in a coarse copy as its lower quartile."""
    coarse = _scaled(ink, min(1.0, 32 / ink.shape[0]))
    eight_bits = Image.fromarray(np.rint(coarse).clip(0, 255).astype(np.uint8))
    paper = eight_bits.filter(ImageFilter.RankFilter(11, 11 * 11 // 4))
    shade = np.asarray(paper.resize((ink.shape[1], ink.shape[0]), Image.Resampling.BILINEAR), dtype=np.float32)
    return np.maximum(ink - shade, 0)


def _smooth(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of each pixel and its eight neighbours, so that single specks count little."""
    padded = np.pad(ink, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    smooth: NDArray[np.float32] = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9
    return smooth


def _box(ink: NDArray[np.float32]) -> tuple[slice, slice] | None:
    """Rows and columns that hold all writing; None where there is none."""
    smooth = _smooth(ink)
    if smooth.max() < FAINTEST / 3:
        return None
    written = smooth > WRITTEN * smooth.max()
    rows, columns = np.flatnonzero(written.any(axis=1)), np.flatnonzero(written.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _thickened(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """Thin strokes as wide as EMNIST's would be at this size."""
    box = _box(ink)
    assert box is not None
    written = ink > WRITTEN * ink.max()
    edges = np.count_nonzero(written[1:] != written[:-1]) + np.count_nonzero(written[:, 1:] != written[:, :-1])
    pen = 2 * np.count_nonzero(written) / max(int(edges), 1)  # of a long bar: its area over half of its outline
    size = len(ink[box]) / INK_HEIGHTS[0]
    if pen >= THIN * size:
        return ink
    reach = max(1, round((PEN * size - pen) / 2))
    return np.asarray(Image.fromarray(ink).filter(ImageFilter.MaxFilter(2 * reach + 1)))


def _framed(ink: NDArray[np.float32], top: int) -> NDArray[np.uint8]:
    """(28, W), the ink's first row at `top` and its darkest strokes white."""
    strokes = ink[ink > WRITTEN * ink.max()]
    image = np.zeros((SIZE, ink.shape[1]), dtype=np.uint8)
    level = ink * (255 / np.quantile(strokes, 0.75))
    image[top : top + ink.shape[0]] = np.rint(level.clip(0, 255)).astype(np.uint8)
    return image


def trimmed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Without more paper at both ends than a glyph brings along."""
    columns = np.flatnonzero((image >= FAINTEST).any(axis=0))
    first, end = int(columns[0]), int(columns[-1]) + 1
    start = first - SIDE if first > WIDEST_SIDE else 0
    stop = end + SIDE if image.shape[1] - end > WIDEST_SIDE else image.shape[1]
    return image[:, start:stop]
