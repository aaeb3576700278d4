"""Composing lines of text from single characters.

The method is the lab's EMNISTLines: glyphs side by side, each covering part of the one before; here with array
operations over many lines at a time.
"""

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CLASSES, END, PAD, SPACE, START, encode
from emnist_lines.common.glyphs import SIZE, Glyphs
from emnist_lines.synthesis import variation
from emnist_lines.synthesis.config import SynthesizeConfig, VariationConfig
from emnist_lines.synthesis.documents import Document
from emnist_lines.synthesis.strings import SPACE_CLASS, StringSampler
from emnist_lines.synthesis.variation import AREA

CANVAS = 32
"""Lines rendered together: some 400 kB."""
_TOKENS = np.array([*encode(CLASSES), SPACE, PAD], dtype=np.uint8)
NOTHING = len(_TOKENS) - 1
"""Behind a line's text, where characters are class indices."""


@dataclass(frozen=True)
class Block:
    """Some lines.

    Attributes:
        images: (N, 28, 28 · max_length) uint8, white ink on black.
        tokens: (N, max_length) uint8, see `alphabet.frame`.
        widths: (N,) int32, columns that hold ink or spaces.
        texts: (N,) UTF-8 bytes.
        overlaps: (N,) float32, mean share of a glyph that its successor covers; 0 for a single character.
    """

    images: NDArray[np.uint8]
    tokens: NDArray[np.uint8]
    widths: NDArray[np.int32]
    texts: NDArray[np.bytes_]
    overlaps: NDArray[np.float32]


@dataclass(frozen=True)
class Choices:
    """The random choices of some lines.

    Attributes:
        starts: (N,) where each text begins in the sampler's characters.
        lengths: (N,) how long it is.
        shares: (N, K) in [0, 1): which of its class's glyphs each character gets; K is the place in the line or, with
            one glyph per character and line, the class.
        overlaps: (N, joints) the share of each glyph that its successor covers.
        variation: (N, max_characters, variation.COUNT) how each character's glyph is varied; None: not at all.
    """

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    shares: NDArray[np.float64]
    overlaps: NDArray[np.float64]
    variation: NDArray[np.float32] | None = None


class Composer:
    """Composes blocks of lines from one split's glyphs and documents."""

    def __init__(
        self,
        glyphs: Glyphs,
        documents: list[Document],
        config: SynthesizeConfig,
        varied: VariationConfig | None = None,
    ) -> None:
        """
        Args:
            glyphs: the split's.
            documents: the split's.
            config: how lines are composed.
            varied: how much each glyph varies; None: not at all.
        """
        self.config = config
        self.varied = varied if varied is not None and varied.any else None
        self.columns = SIZE * config.max_length
        self.max_characters = config.max_length - (2 if config.with_start_end_tokens else 0)
        self.sampler = StringSampler.build(documents, self.max_characters)
        # Transposed, a glyph is one run of bytes in a (columns, 28) canvas. The last one is the space: no ink.
        blank = np.zeros((1, SIZE, SIZE), dtype=np.uint8)
        self.ink = np.concatenate([glyphs.images, blank]).swapaxes(1, 2).reshape(-1, AREA)
        counts = glyphs.counts()
        self.counts = np.array([*counts, 1])
        self.offsets = np.concatenate([[0], np.cumsum(counts)])

    def layout(self) -> list[tuple[str, tuple[int, ...], np.dtype[Any]]]:
        """For each field of a block, in the file's order: its name, the shape of one line's, its type."""
        return [
            ("images", (SIZE, self.columns), np.dtype("u1")),
            ("tokens", (self.config.max_length,), np.dtype("u1")),
            ("widths", (), np.dtype("<i4")),
            ("texts", (), h5py.string_dtype("utf-8", self.max_characters)),
            ("overlaps", (), np.dtype("<f4")),
        ]

    def sample(self, count: int, rng: np.random.Generator) -> Choices:
        """The random choices of `count` lines."""
        starts, lengths = self.sampler.sample(count, rng)
        choices = self.max_characters if self.config.fresh_glyph_per_character else NOTHING + 1
        shares = rng.random((count, choices))
        joints = self.max_characters - 1
        sampled = joints if self.config.overlap_varies_within_line else 1
        overlaps = rng.uniform(self.config.min_overlap, self.config.max_overlap, (count, sampled))
        varied = (
            None if self.varied is None else variation.sample_amounts((count, self.max_characters), self.varied, rng)
        )
        return Choices(starts, lengths, shares, np.broadcast_to(overlaps, (count, joints)), varied)

    def compose(self, choices: Choices) -> Block:
        """The lines of these choices."""
        count, lengths = len(choices.lengths), choices.lengths
        position = np.arange(self.max_characters)
        inside = position < lengths[:, None]
        reach = np.minimum(choices.starts[:, None] + position, len(self.sampler.classes) - 1)
        classes = np.where(inside, self.sampler.classes[reach], NOTHING)
        advance = SIZE - (choices.overlaps * SIZE).astype(np.int64)  # whole columns, as in the lab
        left = np.concatenate([np.zeros((count, 1), dtype=np.int64), np.cumsum(advance, axis=1)], axis=1)
        left = left[:, : self.max_characters]
        widths = left[np.arange(count), lengths - 1] + SIZE
        joints = inside[:, 1:]
        mean = (choices.overlaps * joints).sum(axis=1) / np.maximum(joints.sum(axis=1), 1)
        glyph, ink = self._glyphs(classes, choices.shares), self.ink
        if choices.variation is not None:
            written = inside & (classes != SPACE_CLASS)
            ink = np.concatenate([variation.vary(ink[glyph[written]], choices.variation[written]), ink[-1:]])
            glyph = np.full_like(glyph, len(ink) - 1)  # the space, unless …
            glyph[written] = np.arange(len(ink) - 1)
        return Block(
            self._render(ink, glyph, left, lengths, widths),
            self._tokens(classes, lengths),
            widths.astype(np.int32),
            _texts(classes, self.max_characters),
            mean.astype(np.float32),
        )

    def _glyphs(self, classes: NDArray[np.uint8], shares: NDArray[np.float64]) -> NDArray[np.int64]:
        """A glyph of each character's class."""
        if not self.config.fresh_glyph_per_character:
            shares = np.take_along_axis(shares, classes.astype(np.int64), axis=1)
        known = np.minimum(classes, SPACE_CLASS)
        return self.offsets[known] + (shares * self.counts[known]).astype(np.int64)

    def _render(
        self,
        pool: NDArray[np.uint8],
        glyph: NDArray[np.int64],
        left: NDArray[np.int64],
        lengths: NDArray[np.int64],
        widths: NDArray[np.int64],
    ) -> NDArray[np.uint8]:
        """(N, 28, columns): each glyph's ink, by its index in `pool`, added where it stands; sums saturate at 255.

        Lines of similar length are rendered together, on a canvas that fits the processor's cache.
        """
        images = np.zeros((len(glyph), SIZE, self.columns), dtype=np.uint8)
        by_length = np.argsort(lengths, kind="stable")
        for start in range(0, len(glyph), CANVAS):
            lines = by_length[start : start + CANVAS]
            ends = lengths[lines]
            columns = int(widths[lines].max())
            canvas = np.zeros((len(lines), columns, SIZE), dtype=np.uint8)
            windows = np.lib.stride_tricks.sliding_window_view(canvas.reshape(-1), AREA, writeable=True)
            corner = (np.arange(len(lines))[:, None] * columns + left[lines]) * SIZE
            for position in range(int(ends[-1])):
                first = np.searchsorted(ends, position, side="right")  # shorter lines have ended
                at = corner[first:, position]
                ink = pool[glyph[lines[first:], position]]
                under = windows[at]
                np.minimum(ink, ~under, out=ink)  # ~ is 255 - x: what still fits
                windows[at] = under + ink
            images[lines, :, :columns] = canvas.swapaxes(1, 2)
        return images

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
