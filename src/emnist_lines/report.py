"""Pictures for people: lines with their transcripts, and lines with what was read in them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein

INK, PAPER, GREY, WRONG = (20, 20, 20), (255, 255, 255), (120, 120, 120), (200, 30, 30)
SCALE = 2  # a line's pixels in the picture
TEXT_SIZE = 24
MARGIN = 16
GAP = "_"  # where a character is missing


def preview(images: NDArray[np.uint8], widths: NDArray[np.int32], texts: Sequence[str]) -> Image.Image:
    """Lines (N, 28, W), each with its transcript below."""
    return _stack([(_line(i, w), [[(t, GREY)]]) for i, w, t in zip(images, widths, texts, strict=True)])


def readings(
    images: NDArray[np.uint8], widths: NDArray[np.int32], texts: Sequence[str], predictions: Sequence[str]
) -> Image.Image:
    """Lines (N, 28, W), below each the truth and below that the prediction, its wrong characters in red."""
    return _stack(
        [
            (_line(image, width), [[(text, GREY)], mark(text, prediction)])
            for image, width, text, prediction in zip(images, widths, texts, predictions, strict=True)
        ]
    )


def mark(text: str, prediction: str) -> list[tuple[str, tuple[int, int, int]]]:
    """The prediction in runs of right and wrong characters; a dot stands where a character was left out."""
    runs = []
    for op in Levenshtein.opcodes(text, prediction):
        piece = prediction[op.dest_start : op.dest_end] or GAP * (op.src_end - op.src_start)
        runs.append((piece, INK if op.tag == "equal" else WRONG))
    return runs


def _line(image: NDArray[np.uint8], width: int) -> Image.Image:
    """One line, dark on light."""
    picture = Image.fromarray(255 - image[:, : max(int(width), 1)])
    return picture.resize((picture.width * SCALE, picture.height * SCALE), Image.Resampling.LANCZOS)


def _stack(entries: Sequence[tuple[Image.Image, list[list[tuple[str, tuple[int, int, int]]]]]]) -> Image.Image:
    """Pictures below each other, each over its rows of coloured text."""
    font = ImageFont.load_default(TEXT_SIZE)
    row = TEXT_SIZE + 6
    widest = max([line.width for line, _ in entries] + [int(_length(font, r)) for _, rows in entries for r in rows])
    height = sum(line.height + row * len(rows) + MARGIN for line, rows in entries)
    page = Image.new("RGB", (widest + 2 * MARGIN, height + MARGIN), PAPER)
    draw = ImageDraw.Draw(page)
    y = MARGIN
    for line, rows in entries:
        page.paste(line, (MARGIN, y))
        y += line.height
        for runs in rows:
            x = float(MARGIN)
            for piece, colour in runs:
                draw.text((x, y), piece, colour, font)
                x += font.getlength(piece)
            y += row
        y += MARGIN
    return page


def _length(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, runs: list[tuple[str, tuple[int, int, int]]]) -> float:
    return sum(font.getlength(piece) for piece, _ in runs)
