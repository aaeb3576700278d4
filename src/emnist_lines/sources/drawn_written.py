"""An offline stand-in for what people wrote: the package's own sentences in Hershey's letters, by twelve hands."""

import numpy as np
from HersheyFonts import HersheyFonts

from emnist_lines.common.written import TEXT, WORD, Written
from emnist_lines.sources.brown import sentences
from emnist_lines.sources.drawn import Points, dense, wobble

FACES = ("futural", "futuram", "rowmans", "scripts", "cursive", "timesi")
PEOPLE = 12
UNITS = 20
"""Units of a tablet in one of Hershey's."""
LINE = 60.0
"""Hershey's units from one line of a sheet to the next."""
LONGEST = 30
"""Characters of a text."""


def render_written(per_person: int, seed: int) -> Written:
    """Words and, one in six, texts of two to four words.

    Args:
        per_person: items of each of twelve people, on a sheet of their own.
        seed: of their hands.
    """
    words = sentences().split()
    texts: list[str] = []
    levels: list[int] = []
    strokes: list[list[Points]] = []
    for person, stream in enumerate(np.random.SeedSequence(seed).spawn(PEOPLE)):
        rng = np.random.default_rng(stream)
        font = HersheyFonts()
        font.load_default_font(FACES[person % len(FACES)])
        slant, wide = rng.normal(0.1, 0.15), rng.uniform(0.8, 1.1)
        shape = np.array([[wide, 0], [-slant, 1]]) * UNITS
        waves = rng.normal(0, 0.35, (2, 3)), rng.uniform(0, 2 * np.pi, (2, 3)), rng.uniform(0.1, 0.35, (2, 3))
        for number in range(per_person):
            count = int(rng.integers(2, 5)) if number % 6 == 5 else 1
            start = int(rng.integers(len(words) - count))
            text = " ".join(words[start : start + count])
            if len(text) > LONGEST:
                text, count = words[start], 1
            drawn = [np.array(stroke, dtype=float) for stroke in font.strokes_for_text(text)]
            moved = [wobble(dense(stroke), *waves) for stroke in drawn if len(stroke)]
            texts.append(text)
            levels.append(TEXT if count > 1 else WORD)
            row = np.array([0.0, LINE * number])
            strokes.append([np.rint((stroke + row) @ shape) for stroke in moved])
    sizes = np.array([len(stroke) for item in strokes for stroke in item])
    return Written(
        texts=np.array([text.encode() for text in texts]),
        levels=np.array(levels, dtype=np.uint8),
        writers=np.repeat(np.arange(PEOPLE, dtype=np.int32), per_person),
        providers=np.full(len(texts), b"drawn"),
        sheets=np.repeat(np.arange(PEOPLE, dtype=np.int32), per_person),
        strokes=np.cumsum([0, *map(len, strokes)], dtype=np.int64),
        points=np.cumsum([0, *sizes], dtype=np.int64),
        xy=np.concatenate([stroke for item in strokes for stroke in item]).astype(np.int32),
        source="drawn",
    )
