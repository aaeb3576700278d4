"""Pictures of lines of text, each above rows of printed text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
INK, PAPER, GREY, WRONG, DOUBT = (20, 20, 20), (255, 255, 255), (120, 120, 120), (200, 30, 30), (235, 140, 0)
SCALE = 2  # a line's pixels in the picture
TEXT_SIZE = 24
HEADING_SIZE = 30
MARGIN = 16
UNDERLINE = 4


@dataclass(frozen=True)
class Run:
    """Characters in one colour; with `doubt`, 0 to 1, an underline that is the longer the less sure they are."""

    text: str
    colour: Colour
    doubt: float = 0.0


@dataclass(frozen=True)
class Entry:
    """One line's place in a picture: its image (28, W) uint8, and rows of text below; a heading may stand above."""

    image: NDArray[np.uint8]
    rows: list[list[Run]] = field(default_factory=list)
    heading: str = ""


def preview(images: Iterable[NDArray[np.uint8]], texts: Iterable[str]) -> Image.Image:
    """Lines (28, width) uint8, with the text of each below."""
    return stack([Entry(image, [[Run(text, GREY)]]) for image, text in zip(images, texts, strict=True)])


def line(image: NDArray[np.uint8]) -> Image.Image:
    """One line (28, width) uint8 as written on paper, dark on light."""
    return Image.fromarray(255 - image)


def stack(entries: Sequence[Entry]) -> Image.Image:
    """Lines below each other, dark on light, each above its rows of text."""
    font, large = ImageFont.load_default(TEXT_SIZE), ImageFont.load_default(HEADING_SIZE)
    row, head = TEXT_SIZE + 8, HEADING_SIZE + 12
    widest = max(
        [0, *(e.image.shape[1] * SCALE for e in entries), *(_length(font, r) for e in entries for r in e.rows)]
    )
    height = sum(e.image.shape[0] * SCALE + row * len(e.rows) + MARGIN + (head if e.heading else 0) for e in entries)
    page = Image.new("RGB", (widest + 2 * MARGIN, height + MARGIN), PAPER)
    canvas = ImageDraw.Draw(page)
    y = MARGIN
    for entry in entries:
        if entry.heading:
            canvas.text((MARGIN, y), entry.heading, INK, large)
            y += head
        picture = Image.fromarray(255 - entry.image)
        size = (picture.width * SCALE, picture.height * SCALE)
        page.paste(picture.resize(size, Image.Resampling.LANCZOS), (MARGIN, y))
        y += size[1]
        for runs in entry.rows:
            x = float(MARGIN)
            for run in runs:
                width = font.getlength(run.text)
                canvas.text((x, y), run.text, run.colour, font)
                if run.doubt > 0:
                    end = x + width * run.doubt
                    canvas.rectangle((x, y + TEXT_SIZE + 4, end, y + TEXT_SIZE + 4 + UNDERLINE - 1), DOUBT)
                x += width
            y += row
        y += MARGIN
    return page


def _length(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, runs: list[Run]) -> int:
    return int(sum(font.getlength(run.text) for run in runs)) + 1
