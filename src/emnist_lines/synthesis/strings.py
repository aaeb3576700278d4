"""Strings of whole words, sampled from documents."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import UserError
from emnist_lines.synthesis.documents import Document

SPACE_CLASS = len(CLASSES)
"""What stands for a space where characters are class indices."""


@dataclass(frozen=True)
class StringSampler:
    """Samples a first word uniformly, then a number of words uniformly among those that fit (as the lab).

    Attributes:
        classes: (C,) uint8, all text as class indices, one space between words.
        starts: (W,) int64, where each word that can begin a string starts in `classes`.
        ends: (all words,) int64, where each word ends.
        first: (W,) int64, index into `ends` of those words.
        choices: (W,) int64, how many strings of whole words from there fit.
    """

    classes: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    first: NDArray[np.int64]
    choices: NDArray[np.int64]

    @classmethod
    def build(cls, documents: list[Document], max_characters: int) -> "StringSampler":
        """A sampler of strings of at most `max_characters` that never cross from one document into another.

        Raises:
            UserError: no word is that short.
        """
        words = [word for document in documents for word in document]
        lengths = np.array([len(word) for word in words])
        ends = np.cumsum(lengths + 1) - 1
        starts = ends - lengths
        document_end = np.repeat(np.cumsum([len(d) for d in documents]), [len(d) for d in documents])
        fitting_end = np.minimum(np.searchsorted(ends, starts + max_characters, side="right"), document_end)
        choices = fitting_end - np.arange(len(words))
        first = np.flatnonzero(choices > 0)
        if len(first) == 0:
            raise UserError(f"the text has no word of at most {max_characters} characters; raise synthesize.max_length")
        table = np.full(128, SPACE_CLASS, dtype=np.uint8)
        table[np.frombuffer(CLASSES.encode(), dtype=np.uint8)] = np.arange(len(CLASSES))
        classes = table[np.frombuffer(" ".join(words).encode("ascii"), dtype=np.uint8)]
        return cls(classes, starts[first], ends, first, choices[first])

    def sample(self, count: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(count,) where strings begin in `classes`, and (count,) their lengths in characters."""
        pick = rng.integers(len(self.first), size=count)
        words = np.floor(rng.random(count) * self.choices[pick]).astype(np.int64)
        return self.starts[pick], self.ends[self.first[pick] + words] - self.starts[pick]

    def starts_of(self, length: int) -> NDArray[np.int64]:
        """Where in `classes` strings of whole words of this length begin, in ascending order."""
        last = np.searchsorted(self.ends, self.starts + length)  # the word that would end there
        there = self.ends[np.minimum(last, len(self.ends) - 1)] == self.starts + length
        return self.starts[there & (last < self.first + self.choices)]
