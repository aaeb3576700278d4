"""Any picture of writing → for each line the images that the network was trained on: 28 rows, white ink on black.

Contrast, polarity, size and place are found from the ink itself. A line may be meant as natural handwriting, or as
EMNIST's characters in their boxes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from emnist_lines.common.glyphs import SIZE
from emnist_lines.lines import pitch
from emnist_lines.lines.pitch import INK_ROWS, TOP
from emnist_lines.reading import ink as inks
from emnist_lines.reading import layout, turning
from emnist_lines.reading.components import outline
from emnist_lines.reading.ink import Ink, resized
from emnist_lines.reading.sharpening import sharpened

FRAME_INK = (18, 26)
"""Rows of ink, of 28, within which a picture may be no more than the line's own rows, enlarged."""
ASPECT = 0.95
"""Outline along a line over that across it, in EMNIST's letters."""
NARROWEST, WIDEST = 0.3, 3.0
"""Times as wide as EMNIST's that letters may be; what is beyond is no letters."""
NARROW, WIDE = (0.6, 0.85), (1.7, 1.4)
"""Times as wide as EMNIST's that letters of short and of long lines are at least and at most, if they are as wide."""
LONG = 4
"""Times its height that a long line is wide."""
FINE = 96
"""Rows of ink that are enough to work on."""
FAINTEST = 20
"""Grey levels, of 255, between ink and paper, in an image of the network's own format."""
WRITTEN = 0.4
"""Share of the darkest ink's level from which on a pixel is ink."""
PEN, THIN = 2.4, 1.6
"""Rows of a line that a stroke takes in EMNIST, about; one that would take less than the second is widened to the
first."""
NATURAL_PEN, NATURAL_THIN = 1.6, 1.2
"""Likewise in natural handwriting, where wide strokes would fill what they go around."""
SIDE, WIDEST_SIDE = 4, 14
"""Columns of paper beside the ink: as most glyphs have; as any glyph has. More than the second is cut to the first."""

NATURAL_LETTER = 17
"""Columns that a character of natural handwriting takes, about."""

Image28 = NDArray[np.uint8]


@dataclass(frozen=True)
class Way:
    """An image that a line may be meant as.

    Attributes:
        image: (28, W) uint8.
        letter: columns that a character takes, about.
    """

    image: Image28
    letter: int = SIZE


@dataclass(frozen=True)
class Line:
    """A line of writing, as the network may read it.

    Attributes:
        ways: in which it may be meant, the likeliest first.
        letters: pieces of ink as large as letters; a text has as many letters or more.
        doubt: a text with less certainty is none, because this may be several lines that touch each other.
    """

    ways: list[Way]
    letters: int = 0
    doubt: float = 0.0


def lines(brightness: NDArray[np.generic]) -> list[Line]:
    """The lines of writing in a picture, top to bottom.

    A picture in the network's own format, or its negative, is taken as it is and in no other way. Without writing there
    is no line.

    Args:
        brightness: (H, W), 0 to 255.
    """
    grey = np.asarray(brightness, dtype=np.float32)
    if grey.shape[0] == SIZE:
        ink = grey
        if 2 * float(np.median(ink)) > float(ink.min()) + float(ink.max()):  # most of a picture is paper
            ink = 255 - ink
        if float(np.median(ink)) == 0:
            return [Line([Way(trimmed(np.rint(ink).astype(np.uint8)))])] if ink.max() >= FAINTEST else []
    found = inks.find(grey)
    if found is None:
        return []
    return [Line(ways, line.letters, line.doubt) for line in layout.lines(found) if (ways := _ways(found, line))]


def _ways(ink: Ink, line: layout.Line) -> list[Way]:
    """The ways in which a line may be meant."""
    cropped = np.pad(_cropped(ink, line).clip(0), FINE // 8)
    box = _box(cropped)
    if box is None:
        return []
    strokes = _thickened(cropped, box, THIN, PEN)
    sharp = sharpened(cropped, WRITTEN)
    sharp_box = box if sharp is cropped else _box(sharp) or box
    natural = _thickened(sharp, sharp_box, NATURAL_THIN, NATURAL_PEN)
    whole = None
    frame = SIZE / ink.paper.shape[0]
    if line.alone and FRAME_INK[0] <= (line.box[0].stop - line.box[0].start) * frame <= FRAME_INK[1]:
        whole = (ink.picture - resized(ink.paper, ink.picture.shape[::-1])).clip(0)
        belongs = np.zeros(line.shape, dtype=np.float32)
        belongs[layout.around(line.box, line.margin, line.shape)] = line.mask
        whole = whole * resized(belongs, whole.shape[::-1])
    found = [Way(_drawn(natural, _natural_stretch(natural)), NATURAL_LETTER)]
    stretch = _stretch(strokes)
    if whole is not None:
        size = (max(1, round(whole.shape[1] * frame * ink.scale * stretch)), SIZE)
        found.append(Way(trimmed(_framed(resized(whole, size), 0))))
    found.append(Way(_drawn(strokes, stretch)))
    return found


def _drawn(strokes: NDArray[np.float32], stretch: float) -> Image28:
    """A line's ink in the rows that it takes, so many times wider than it was written."""
    return trimmed(_framed(np.pad(_in_rows(strokes, stretch), ((0, 0), (SIDE, SIDE))), TOP))


def _in_rows(strokes: NDArray[np.float32], stretch: float) -> NDArray[np.float32]:
    """(INK_ROWS, W) float32: ink that many rows high, so many times wider than it was written."""
    return resized(strokes, (max(1, round(strokes.shape[1] * INK_ROWS / len(strokes) * stretch)), INK_ROWS))


def _natural_stretch(strokes: NDArray[np.float32]) -> float:
    """How many times wider than it was written a line of natural handwriting is drawn; see `lines.pitch`."""
    counted = _in_rows(strokes, pitch.FINE)
    return pitch.stretch(counted > WRITTEN * counted.max())


def _stretch(strokes: NDArray[np.float32]) -> float:
    """How many times wider a line of EMNIST's characters is drawn than it was written.

    Letters as tall as EMNIST's have about as much outline across the line as along it; narrower ones have less across.
    """
    written = strokes > WRITTEN * strokes.max()
    upright = np.count_nonzero(written[:, 1:] != written[:, :-1])
    level = np.count_nonzero(written[1:] != written[:-1])
    aspect = int(level) / max(int(upright), 1) / ASPECT
    if not NARROWEST < aspect < WIDEST:
        return 1.0
    long = strokes.shape[1] > LONG * aspect * strokes.shape[0]
    narrow, wide = NARROW[int(long)], WIDE[int(long)]
    return 1.0 if narrow <= aspect <= wide else 1 / aspect


def _cropped(ink: Ink, line: layout.Line) -> NDArray[np.float32]:
    """A line's ink above the paper, upright, from the picture's own pixels, at most some `FINE` rows high."""
    rows, columns = line.shape
    top, left = max(0, line.box[0].start - line.margin), max(0, line.box[1].start - line.margin)
    bottom, right = min(rows, line.box[0].stop + line.margin), min(columns, line.box[1].stop + line.margin)
    fine = min(1 / ink.scale, FINE / (line.box[0].stop - line.box[0].start))
    size = (max(1, round((right - left) * fine)), max(1, round((bottom - top) * fine)))
    cut = _cut(ink.picture, ink.scale, line, (left, top, right, bottom), size)
    cut = cut - _cut(ink.paper, 1.0, line, (left, top, right, bottom), size)
    return cut * resized(line.mask, size)


def _cut(
    image: NDArray[np.float32],
    scale: float,
    line: layout.Line,
    box: tuple[int, int, int, int],
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """A part of an image at another size, turned level.

    Args:
        image: the picture, or what was measured in it.
        scale: of the working picture to it.
        line: how it is turned.
        box: left, top, right, bottom in the upright working picture.
        size: columns and rows of the result.
    """
    left, top, right, bottom = box
    if not line.turn:
        exact = tuple(value / scale for value in box)
        exact = (*exact[:2], min(exact[2], image.shape[1]), min(exact[3], image.shape[0]))
        if exact == (round(exact[0]), round(exact[1]), round(exact[0]) + size[0], round(exact[1]) + size[1]):
            return image[round(exact[1]) : round(exact[3]), round(exact[0]) : round(exact[2])]
        return np.asarray(
            Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, box=exact, reducing_gap=3.0)  # type: ignore[arg-type]
        )
    rows, columns = round(image.shape[0] * scale), round(image.shape[1] * scale)
    _, (a, b, c, d, e, f) = turning.turning(rows, columns, line.turn)
    c, f = a * left + b * top + c, d * left + e * top + f
    step = (right - left) / size[0] / scale  # the image's pixels under one of the result's
    corners = np.array([(0, 0), (right - left, 0), (0, bottom - top), (right - left, bottom - top)])
    xs, ys = (corners @ (a, b) + c) / scale, (corners @ (d, e) + f) / scale
    x0, y0 = max(0, int(xs.min()) - 2), max(0, int(ys.min()) - 2)
    x1, y1 = min(image.shape[1], int(xs.max()) + 3), min(image.shape[0], int(ys.max()) + 3)
    part = Image.fromarray(np.ascontiguousarray(image[y0:y1, x0:x1]))
    factor = max(1, int(step))
    if factor > 1:
        part = part.reduce(factor)
    # from the result's places to the part's
    per = step / factor
    matrix = (a * per, b * per, (c / scale - x0) / factor, d * per, e * per, (f / scale - y0) / factor)
    return np.asarray(part.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))


def _box(ink: NDArray[np.float32]) -> tuple[slice, slice] | None:
    """Rows and columns that hold all writing; None where there is none."""
    smooth = _smooth(ink)
    if smooth.max() <= 0:
        return None
    written = smooth > WRITTEN * smooth.max()
    rows, columns = np.flatnonzero(written.any(axis=1)), np.flatnonzero(written.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _smooth(ink: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of each pixel and its eight neighbours, so that single specks count little."""
    padded = np.pad(ink, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    smooth: NDArray[np.float32] = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9
    return smooth


def _pen(ink: NDArray[np.float32]) -> float:
    """Pixels that a stroke takes: of a long bar, its area over half of its outline."""
    written = ink > WRITTEN * ink.max()
    return 2 * np.count_nonzero(written) / max(outline(written), 1)


def _thickened(ink: NDArray[np.float32], box: tuple[slice, slice], thin: float, wanted: float) -> NDArray[np.float32]:
    """The rows and columns that hold all writing, thin strokes widened.

    Args:
        ink: above the paper.
        box: of its writing.
        thin: rows of a line below which a stroke is thin.
        wanted: rows that it takes then.
    """
    size, pen = (box[0].stop - box[0].start) / INK_ROWS, _pen(ink)
    if pen >= thin * size:
        return ink[box]
    reach = max(1, round((wanted * size - pen) / 2))
    widened = np.asarray(Image.fromarray(ink).filter(ImageFilter.MaxFilter(2 * reach + 1)))
    return widened[_box(widened) or box]


def _framed(ink: NDArray[np.float32], top: int) -> Image28:
    """(28, W), the ink's first row at `top` and its darkest strokes white."""
    strokes = ink[ink > WRITTEN * ink.max()]
    image = np.zeros((SIZE, ink.shape[1]), dtype=np.uint8)
    level = ink * (255 / np.quantile(strokes, 0.75))
    image[top : top + ink.shape[0]] = np.rint(level.clip(0, 255)).astype(np.uint8)
    return image


def inked_columns(image: Image28) -> NDArray[np.int64]:
    """The numbers of the columns that hold ink."""
    return np.flatnonzero((image >= FAINTEST).any(axis=0))


def trimmed(image: Image28) -> Image28:
    """Without more paper at both ends than a glyph brings along. The image must have ink."""
    columns = inked_columns(image)
    first, end = int(columns[0]), int(columns[-1]) + 1
    start = first - SIDE if first > WIDEST_SIDE else 0
    stop = end + SIDE if image.shape[1] - end > WIDEST_SIDE else image.shape[1]
    return image[:, start:stop]
