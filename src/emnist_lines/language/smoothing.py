"""From counts to the shares that the language model interpolates.

Method: interpolated Kneser-Ney smoothing with three discounts per length (Chen & Goodman 1999, "An empirical study of
smoothing techniques for language modeling", section 3).
"""

import numpy as np
from numpy.typing import NDArray

from emnist_lines.language.config import LanguageConfig
from emnist_lines.language.counts import count
from emnist_lines.language.tree import Packed

LEAST = 0.02
"""The part of a count that no discount takes, so that what was seen keeps a share of its own."""


def build(documents: list[list[str]], config: LanguageConfig) -> Packed:
    """The language model of documents, each a list of words; the same on every run.

    Raises:
        UserError: there are no words.
    """
    levels = count(documents, config)
    symbols, children, shares, escapes = [np.zeros(1, np.uint8)], [], [], []
    for level in levels:
        taken = discounts(level.histogram)
        left = level.counts - taken[np.minimum(level.counts, 3)]
        kept = np.bincount(level.contexts, weights=left, minlength=len(level.totals))
        followers = np.bincount(level.contexts, minlength=len(level.totals))
        inner = followers > 0
        symbols.append(level.symbols)
        children.append(followers)
        shares.append(np.log(left / level.totals[level.contexts]))
        escapes.append(np.log(1 - kept[inner] / level.totals[inner]))
    children.append(np.zeros(len(levels[-1].symbols), np.int64))
    return Packed(
        np.concatenate(symbols),
        np.concatenate(children).astype(np.uint8),
        np.concatenate(shares).astype(np.float16),
        np.concatenate(escapes).astype(np.float16),
    )


def discounts(histogram: NDArray[np.int64]) -> NDArray[np.float64]:
    """(4,) what is taken from counts of 0, 1, 2, and 3 or more (equation 26 of Chen & Goodman).

    Args:
        histogram: (5,) how many n-grams have each count from 0 to 4.
    """
    if min(histogram[1:]) == 0:  # nothing to estimate from
        taken = np.array([0, 0.5, 1.0, 1.5])
    else:
        once, twice = histogram[1:3]
        share = once / (once + 2 * twice)
        taken = np.array([0, *(j - (j + 1) * share * histogram[j + 1] / histogram[j] for j in (1, 2, 3))])
    return np.clip(taken, [0, LEAST, LEAST, LEAST], [0, 1 - LEAST, 2 - LEAST, 3 - LEAST])
