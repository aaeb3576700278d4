"""How pictures of lines are read: `python -m benchmarks.pictures`, on validation lines.

Each line is read as evaluation reads it, and as the reader finds it in a picture: dark on light, enlarged, with paper
around. What the second loses, the preprocessing has lost. Lines of glyphs are enlarged; items that people wrote are
drawn anew from their strokes, in the proportions that they were written in. Then the same pictures are disturbed as
cameras and paper do it, and two of them stand side by side.
"""

import argparse
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from rapidfuzz.distance import Levenshtein

from benchmarks.material import DATA, LANGUAGE, MODEL, require
from benchmarks.parameters import positive
from benchmarks.tables import markdown
from emnist_lines.common.errors import run
from emnist_lines.common.written import Written
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.lines.line_file import KINDS, WRITTEN
from emnist_lines.reading.reader import Reader, joined_lines

ENLARGED = 4
PAPER, INK, RULED, MARGIN = 245, 30, 190, 150
"""Grey levels."""
BLUR, SQUARE = 2.4, 40
"""Pixels: its standard deviation; from one rule to the next."""


def on_paper(written: Written, item: int, height: int = 90, pen: int = 7, margin: int = 30) -> Image.Image:
    """An item's strokes, dark on light, in the proportions that they were written in.

    Args:
        written: all items.
        item: which.
        height: pixels that the strokes take.
        pen: pixels that the pen takes.
        margin: pixels of paper around.
    """
    strokes = [stroke.astype(float) for stroke in written.of(item)]
    every = np.concatenate(strokes)
    low, high = every.min(axis=0), every.max(axis=0)
    scale = height / max(high[1] - low[1], 1)
    size = np.ceil((high - low) * scale).astype(int) + 2 * margin
    picture = Image.new("L", (int(size[0]), int(size[1])), PAPER)
    canvas = ImageDraw.Draw(picture)
    for stroke in strokes:
        points = [(float(x), float(y)) for x, y in (stroke - low) * scale + margin]
        canvas.line(points, fill=INK, width=pen, joint="curve")
        for x, y in (points[0], points[-1]):
            canvas.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=INK)
    return picture


def enlarged(image: NDArray[np.uint8], margin: int = 30) -> Image.Image:
    """A line's image (28, W), white on black, as a picture, dark on light."""
    level = PAPER - image.astype(float) / 255 * (PAPER - INK)
    size = (image.shape[1] * ENLARGED, image.shape[0] * ENLARGED)
    large = np.asarray(Image.fromarray(level.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC))
    return Image.fromarray(np.pad(large, margin, constant_values=PAPER))


def examples(lines: LinesDataset, kind: int, count: int) -> Iterator[tuple[str, NDArray[np.uint8], Image.Image]]:
    """The text, the image and a picture of the first lines of a kind; written ones of one item each."""
    found = 0
    for number in np.flatnonzero(lines.kinds == kind).tolist():
        pieces = lines.lines.glyphs[lines.lines.starts[number] : lines.lines.starts[number + 1]]
        if found == count or (kind == WRITTEN and len(pieces) > 1):
            continue
        found += 1
        image = lines.image(number)
        paper = enlarged(image)
        if kind == WRITTEN and lines.written is not None:
            paper = on_paper(lines.written, int(pieces[0]))
        yield lines.texts[number], image, paper


def blurred(picture: Image.Image) -> Image.Image:
    """As a camera sees it that is not in focus."""
    return picture.filter(ImageFilter.GaussianBlur(BLUR))


def squared(picture: Image.Image) -> Image.Image:
    """On squared paper."""
    levels = np.array(picture)
    levels[SQUARE // 2 :: SQUARE] = np.minimum(levels[SQUARE // 2 :: SQUARE], RULED)
    levels[:, SQUARE // 2 :: SQUARE] = np.minimum(levels[:, SQUARE // 2 :: SQUARE], RULED)
    return Image.fromarray(levels)


def photographed(picture: Image.Image) -> Image.Image:
    """By a camera, in light from the side: a shadow, noise, a little blur, JPEG; with a margin drawn at the left."""
    levels = np.pad(np.array(picture), ((0, 0), (20, 0)), constant_values=PAPER)
    levels[:, 8:11] = MARGIN
    shadow = np.linspace(0.6, 1.0, levels.shape[1])
    noise = np.random.default_rng(levels.size).normal(0, 4, levels.shape)
    seen = Image.fromarray((levels * shadow + noise).clip(0, 255).astype(np.uint8))
    file = io.BytesIO()
    seen.filter(ImageFilter.GaussianBlur(1.2)).save(file, "jpeg", quality=80)
    return Image.open(file).convert("L")


def beside(one: Image.Image, other: Image.Image) -> Image.Image:
    """Two pictures side by side."""
    whole = Image.new("L", (one.width + other.width, max(one.height, other.height)), PAPER)
    whole.paste(one, (0, 0))
    whole.paste(other, (one.width, 0))
    return whole


def columns(lines: LinesDataset, kind: int, count: int) -> Iterator[tuple[str, list[str], list[Any]]]:
    """What the table has of a kind: a title, texts, and how they are pictured."""
    texts, images, pictures = zip(*examples(lines, kind, count), strict=True)
    yield "images", list(texts), list(images)
    yield "pictures", list(texts), list(pictures)
    for change in (blurred, squared, photographed):
        yield change.__name__, list(texts), [change(picture) for picture in pictures]
    pairs = list(zip(texts[::2], texts[1::2], strict=False))
    halves = zip(pictures[::2], pictures[1::2], strict=False)
    yield "two side by side", [" ".join(pair) for pair in pairs], [beside(*pair) for pair in halves]


def cer(texts: list[str], found: list[str]) -> float:
    """Edits per character."""
    return sum(map(Levenshtein.distance, found, texts)) / sum(map(len, texts))


def main() -> None:
    parser = argparse.ArgumentParser(description="CER of pictures of validation lines.")
    parser.add_argument("--lines", type=positive, default=200, metavar="N", help="the first N of each kind (200)")
    chosen = parser.parse_args()
    if chosen.lines < 2:
        parser.error("at least 2 lines, which stand side by side")
    require(MODEL, LANGUAGE)
    lines, reader = LinesDataset(DATA, "val"), Reader(MODEL, LANGUAGE)
    rows: list[list[str]] = []
    titles: list[str] = []
    for kind in np.unique(lines.kinds).tolist():
        row, titles = [KINDS[kind]], ["kind"]
        for title, texts, pictures in columns(lines, kind, chosen.lines):
            read = reader.read_each(pictures)
            found = [joined_lines(one).text if isinstance(one, list) else "" for one in read]
            row.append(f"{cer(texts, found):.4f}")
            titles.append(title)
        rows.append(row)
        print(row, flush=True)
    print(markdown(titles, rows))


if __name__ == "__main__":
    run(main)
