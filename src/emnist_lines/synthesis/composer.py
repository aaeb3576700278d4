"""Composing lines of text from single characters.

The method is the lab's EMNISTLines: glyphs side by side, each covering part of the one before; here with array
operations over many lines at a time. What comes out are recipes, which `lines.render` makes images of.
"""

from dataclasses import dataclass, replace

import h5py
import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CLASSES, END, PAD, SPACE, START, encode
from emnist_lines.common.glyphs import SIZE
from emnist_lines.lines.line_file import LAB, NO_GLYPH, Lines
from emnist_lines.synthesis.config import SynthesizeConfig
from emnist_lines.synthesis.documents import Document
from emnist_lines.synthesis.strings import SPACE_CLASS, StringSampler

_TOKENS = np.array([*encode(CLASSES), SPACE, PAD], dtype=np.uint8)
NOTHING = len(_TOKENS) - 1
"""Behind a line's text, where characters are class indices."""


@dataclass(frozen=True)
class Choices:
    """The random choices of some lines.

    Attributes:
        starts: (N,) where each text begins in the sampler's characters.
        lengths: (N,) how long it is.
        shares: (N, K) in [0, 1): which of its class's glyphs each character gets; K is the place in the line or, with
            one glyph per character and line, the class.
        overlaps: (N, joints) the share of each glyph that its successor covers.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    shares: NDArray[np.float64]
    overlaps: NDArray[np.float64]


@dataclass(frozen=True)
class Characters:
    """The characters of some lines, K at most in each.

    Attributes:
        classes: (N, K) uint8, index into CLASSES, SPACE_CLASS, or NOTHING behind the text.
        inside: (N, K) bool, whether the text has a character there.
        glyphs: (N, K) int64, each one's index into the glyph file; NO_GLYPH for a space and behind the text.
    """

    classes: NDArray[np.uint8]
    inside: NDArray[np.bool_]
    glyphs: NDArray[np.int64]


class Composer:
    """Composes lines from one split's glyphs and documents."""

    def __init__(
        self, labels: NDArray[np.uint8], index: NDArray[np.int64], documents: list[Document], config: SynthesizeConfig
    ) -> None:
        """
        Args:
            labels: (G,) uint8, the class of each glyph of the glyph file, in ascending order.
            index: which of them are the split's, in ascending order.
            documents: the split's.
            config: how lines are composed.
        """
        self.config = config
        self.max_characters = config.max_length - (2 if config.with_start_end_tokens else 0)
        self.sampler = StringSampler.build(documents, self.max_characters)
        counts = np.bincount(labels[index], minlength=len(CLASSES))
        self.index = np.append(index, NO_GLYPH)  # the space is one more class
        self.counts = np.append(counts, 1)
        self.offsets = np.concatenate([[0], np.cumsum(counts)])

    def sample(self, count: int, rng: np.random.Generator) -> Choices:
        """The random choices of `count` lines."""
        starts, lengths = self.sampler.sample(count, rng)
        choices = self.max_characters if self.config.fresh_glyph_per_character else NOTHING + 1
        shares = rng.random((count, choices))
        joints = self.max_characters - 1
        sampled = joints if self.config.overlap_varies_within_line else 1
        overlaps = rng.uniform(self.config.min_overlap, self.config.max_overlap, (count, sampled))
        return Choices(starts, lengths, shares, np.broadcast_to(overlaps, (count, joints)))

    def compose(self, choices: Choices) -> Lines:
        """The lines of these choices. Which texts other splits know is not told here: `known` is False."""
        characters = self.characters(choices)
        count, lengths, inside = len(choices.lengths), choices.lengths, characters.inside
        advance = SIZE - (choices.overlaps * SIZE).astype(np.int64)  # whole columns, as in the lab
        left = np.concatenate([np.zeros((count, 1), dtype=np.int64), np.cumsum(advance, axis=1)], axis=1)
        left = left[:, : self.max_characters]
        joints = inside[:, 1:]
        mean = (choices.overlaps * joints).sum(axis=1) / np.maximum(joints.sum(axis=1), 1)
        boxes = np.full((int(lengths.sum()), 4), (0, 0, SIZE, SIZE), dtype=np.int16)
        boxes[:, 0] = left[inside]
        return replace(
            self.lines(characters, boxes),
            widths=(left[np.arange(count), lengths - 1] + SIZE).astype(np.int32),
            overlaps=mean.astype(np.float32),
        )

    def characters(self, choices: Choices) -> Characters:
        """Which characters these choices are, and which glyphs write them."""
        position = np.arange(self.max_characters)
        inside = position < choices.lengths[:, None]
        reach = np.minimum(choices.starts[:, None] + position, len(self.sampler.classes) - 1)
        classes = np.where(inside, self.sampler.classes[reach], NOTHING)
        return Characters(classes, inside, self._glyphs(classes, choices.shares))

    def lines(self, characters: Characters, boxes: NDArray[np.int16]) -> Lines:
        """Upright lines of the lab's kind, as if they took no columns, whose glyphs go into (C, 4) boxes."""
        count, lengths = len(characters.inside), characters.inside.sum(axis=1)
        return Lines(
            texts=_texts(characters.classes, self.max_characters),
            tokens=self._tokens(characters.classes, lengths),
            widths=np.zeros(count, dtype=np.int32),
            overlaps=np.zeros(count, dtype=np.float32),
            known=np.zeros(count, dtype=bool),
            kinds=np.full(count, LAB, dtype=np.uint8),
            slants=np.zeros(count, dtype=np.int16),
            pens=np.zeros((count, 2), dtype=np.int16),
            starts=np.concatenate([[0], np.cumsum(lengths)]),
            glyphs=characters.glyphs[characters.inside].astype(np.int32),
            boxes=boxes,
        )

    def _glyphs(self, classes: NDArray[np.uint8], shares: NDArray[np.float64]) -> NDArray[np.int64]:
        """A glyph of each character's class."""
        if not self.config.fresh_glyph_per_character:
            shares = np.take_along_axis(shares, classes.astype(np.int64), axis=1)
        known = np.minimum(classes, SPACE_CLASS)
        return self.index[self.offsets[known] + (shares * self.counts[known]).astype(np.int64)]

    def _tokens(self, classes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.uint8]:
        ids = _TOKENS[classes]
        if not self.config.with_start_end_tokens:
            return ids
        tokens = np.full((len(ids), self.config.max_length), PAD, dtype=np.uint8)
        tokens[:, 0] = START
        tokens[:, 1:-1] = ids
        tokens[np.arange(len(ids)), lengths + 1] = END
        return tokens


def _texts(classes: NDArray[np.uint8], max_characters: int) -> NDArray[np.bytes_]:
    letters = np.frombuffer((CLASSES + " \0").encode(), dtype=np.uint8)[classes]
    return np.ascontiguousarray(letters).view(h5py.string_dtype("utf-8", max_characters))[:, 0]
