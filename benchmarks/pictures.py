"""How pictures of lines are read: `python -m benchmarks.pictures`, on validation lines.

Each line is read as evaluation reads it, and as the reader finds it in a picture: dark on light, enlarged, with paper
around. What the second loses, the preprocessing has lost. Lines of glyphs are enlarged; items that people wrote are
drawn anew from their strokes, in the proportions that they were written in.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rapidfuzz.distance import Levenshtein

from benchmarks.material import DATA, LANGUAGE, MODEL, require
from benchmarks.parameters import positive
from benchmarks.tables import markdown
from emnist_lines.common.errors import run
from emnist_lines.common.written import Written
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.lines.line_file import KINDS, WRITTEN
from emnist_lines.reading.reader import Reader

ENLARGED = 4
PAPER, INK = 245, 30
"""Grey levels."""


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


def cer(texts: list[str], found: list[str]) -> float:
    """Edits per character."""
    return sum(map(Levenshtein.distance, found, texts)) / sum(map(len, texts))


def main() -> None:
    parser = argparse.ArgumentParser(description="CER of pictures of validation lines.")
    parser.add_argument("--lines", type=positive, default=200, metavar="N", help="the first N of each kind (200)")
    chosen = parser.parse_args()
    require(MODEL, LANGUAGE)
    lines, readers = LinesDataset(DATA, "val"), [Reader(MODEL, language=how) for how in (False, LANGUAGE)]
    rows = []
    for kind in np.unique(lines.kinds).tolist():
        texts, images, pictures = zip(*examples(lines, kind, chosen.lines), strict=True)
        row = [KINDS[kind], f"{len(texts)}"]
        for reader in readers:
            for some in (images, pictures):
                read = reader.read_each(some)
                found = ["\n".join(line.text for line in one) if isinstance(one, list) else "" for one in read]
                row.append(f"{cer(list(texts), found):.4f}")
        rows.append(row)
        print(row, flush=True)
    print(markdown(["kind", "lines", "images, by ink", "pictures, by ink", "images", "pictures"], rows))


if __name__ == "__main__":
    run(main)
