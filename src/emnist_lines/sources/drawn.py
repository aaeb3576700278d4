"""An offline stand-in for EMNIST: Hershey's vector letters, rendered as if by many hands.

The letters are those of A. V. Hershey's 1967 repertory (public domain). Each is slanted, stretched, wobbled and
rendered with a pen of its own width, then blurred and centred in 28×28 as EMNIST's are.
"""

import numpy as np
from HersheyFonts import HersheyFonts
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from tqdm import tqdm

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.glyphs import SIZE, Glyphs

FACES = ("futural", "futuram", "rowmans", "rowmand", "scripts", "scriptc", "cursive", "timesr", "timesi")
FINE = 4  # rendered at this many times the size, then reduced: PIL's lines have hard edges
CAPITAL = 21.0  # height of a capital in Hershey's units
CAPITAL_PIXELS = 19.0
SPACING = 1.0  # units between points of a stroke, close enough for it to wobble smoothly

Points = NDArray[np.float64]


def render_glyphs(per_class: int, seed: int) -> Glyphs:
    """Glyphs of all 62 classes, the same ones for the same arguments.

    Args:
        per_class: how many of each class.
        seed: of their random shapes.
    """
    faces = [_strokes(face) for face in FACES]
    images = np.empty((len(CLASSES) * per_class, SIZE, SIZE), dtype=np.uint8)
    labels = np.repeat(np.arange(len(CLASSES), dtype=np.uint8), per_class)
    streams = np.random.SeedSequence(seed).spawn(len(CLASSES))
    with tqdm(desc="glyphs", total=len(images), unit="glyph", disable=None) as bar:
        for label, stream in enumerate(streams):
            rng = np.random.default_rng(stream)
            for number in range(label * per_class, (label + 1) * per_class):
                images[number] = _render(faces[rng.integers(len(faces))][label], rng)
            bar.update(per_class)
    return Glyphs.in_order(images, labels, "drawn", ("all",))


def _strokes(face: str) -> list[list[Points]]:
    """For each class its strokes, each a run of (x, y) points, y downwards."""
    font = HersheyFonts()
    font.load_default_font(face)
    return [[dense(np.array(s, dtype=float)) for s in font.strokes_for_text(c)] for c in CLASSES]


def dense(stroke: Points) -> Points:
    """The same line with a point about every `SPACING` units."""
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))])
    at = np.linspace(0, along[-1], max(2, int(along[-1] / SPACING) + 1))
    return np.stack([np.interp(at, along, stroke[:, axis]) for axis in (0, 1)], axis=1)


def _render(strokes: list[Points], rng: np.random.Generator) -> NDArray[np.uint8]:
    """(28, 28) uint8: one hand's version of a letter."""
    scale = CAPITAL_PIXELS / CAPITAL * rng.uniform(0.85, 1.12)
    stretch, slant, turn = rng.uniform(0.85, 1.15), rng.normal(0.1, 0.15), rng.normal(0, 0.05)
    shape = np.array([[stretch * scale, 0], [-slant * scale, scale]])
    turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    waves = rng.normal(0, 0.35, (2, 3)), rng.uniform(0, 2 * np.pi, (2, 3)), rng.uniform(0.1, 0.35, (2, 3))
    moved = [wobble(stroke @ shape @ turned, *waves) for stroke in strokes]
    everything = np.concatenate(moved)
    low, high = everything.min(axis=0), everything.max(axis=0)
    pen = rng.uniform(1.6, 3.0)
    fit = min(1.0, (SIZE - 4 - pen) / (high - low).max())  # EMNIST leaves two pixels of paper around
    middle = (low + high) / 2
    picture = Image.new("L", (SIZE * FINE, SIZE * FINE))
    canvas = ImageDraw.Draw(picture)
    radius = pen * FINE / 2
    for stroke in moved:
        points = ((stroke - middle) * fit + SIZE / 2) * FINE
        canvas.line([tuple(point) for point in points], fill=255, width=round(2 * radius), joint="curve")
        for x, y in (points[0], points[-1]):  # round ends
            canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 0.9) * FINE))
    return np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BOX))


def wobble(points: Points, size: Points, phase: Points, frequency: Points) -> Points:
    """Points pushed aside by a few slow waves over the page, so that strokes that meet still meet."""
    across = points[:, ::-1, None] * frequency + phase  # x moves with y, y with x
    return points + (size * np.sin(across)).sum(axis=2)
