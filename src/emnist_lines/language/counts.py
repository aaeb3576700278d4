"""The n-grams of characters in documents, and how often they occur."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import UserError
from emnist_lines.language.config import LanguageConfig

KNOWN = " " + CLASSES
"""The characters that are counted; their places here are the n-grams' symbols."""
SPACE_SYMBOL = 0
KINDS = 64
"""More than there are symbols; as a power of two it makes keys of n-grams."""


@dataclass(frozen=True)
class Level:
    """The n-grams of one length, in the order of their contexts and then of their last symbols.

    An n-gram's context is all but its last symbol; it is named by its place among the n-grams one symbol shorter.

    Attributes:
        contexts: (n,) int64.
        symbols: (n,) uint8, the last symbols.
        counts: (n,) int64, what stands for their frequency.
        totals: (contexts,) int64, sum of each context's counts, those of dropped n-grams included.
        histogram: (5,) int64, how many n-grams, dropped ones included, have each count from 0 to 4.
    """

    contexts: NDArray[np.int64]
    symbols: NDArray[np.uint8]
    counts: NDArray[np.int64]
    totals: NDArray[np.int64]
    histogram: NDArray[np.int64]


def count(documents: list[list[str]], config: LanguageConfig) -> list[Level]:
    """The n-grams of 1 to `config.order` characters in documents, read as one text with a space around each word.

    The longest n-grams, and those that begin with a space, count as often as they occur: nothing need stand before
    them, as a line begins at a word. Others count once for each symbol that stands before them (Kneser & Ney 1995): in
    their place asks only who has not seen the longer n-gram.

    Raises:
        UserError: there are no words.
    """
    words = [word for document in documents for word in document]
    if not words:
        raise UserError("there are no words to count")
    table = np.zeros(128, dtype=np.uint8)
    table[np.frombuffer(KNOWN.encode(), dtype=np.uint8)] = np.arange(len(KNOWN))
    text = table[np.frombuffer(f" {' '.join(words)} ".encode("ascii"), dtype=np.uint8)]
    levels, names, contexts = [], np.zeros(len(text) + 1, dtype=np.int64), 1
    for length in range(1, config.order + 1):
        level, names = _level(text, names, contexts, length, config)
        contexts = len(level.symbols)
        levels.append(level)
    return levels


def _level(
    text: NDArray[np.uint8], names: NDArray[np.int64], contexts: int, length: int, config: LanguageConfig
) -> tuple[Level, NDArray[np.int64]]:
    """The n-grams of one length.

    Args:
        text: (T,) symbols.
        names: (T + 1,) which of the n-grams one symbol shorter ends before each place of the text; -1: none.
        contexts: how many of those there are.
        length: symbols of an n-gram.
        config: what is dropped.

    Returns:
        The level, and `names` for the next one.
    """
    at = np.flatnonzero(names[:-1] >= 0)
    keys, first, which, occurrences = np.unique(
        names[at] * KINDS + text[at], return_index=True, return_inverse=True, return_counts=True
    )
    kept = occurrences > (1 if length > config.once_until else 0)
    new = np.where(kept, np.cumsum(kept) - 1, -1)
    names = np.full_like(names, -1)
    names[at + 1] = new[which]
    counts = occurrences
    if length < config.order:
        at_word = text[at[first] - length + 1] == SPACE_SYMBOL  # so is the only one that nothing precedes
        counts = np.where(at_word, occurrences, _left_neighbours(text, at, which, len(keys), length))
    totals = np.bincount(keys // KINDS, weights=counts, minlength=contexts).astype(np.int64)
    histogram = np.bincount(np.minimum(counts, 5), minlength=6)[:5]
    keys = keys[kept]
    return Level(keys // KINDS, (keys % KINDS).astype(np.uint8), counts[kept], totals, histogram), names


def _left_neighbours(
    text: NDArray[np.uint8], at: NDArray[np.int64], which: NDArray[np.int64], n_grams: int, length: int
) -> NDArray[np.int64]:
    """(n_grams,) how many different symbols stand before each n-gram. `which` names those that end at `at`."""
    before = at - length
    inside = before >= 0
    seen = np.zeros((n_grams, KINDS), dtype=np.bool_)
    seen[which[inside], text[before[inside]]] = True
    return seen.sum(axis=1)
