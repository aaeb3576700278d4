"""n-grams are counted and discounted as Kneser and Ney, and Chen and Goodman, say."""

from itertools import pairwise

import numpy as np
import pytest

from emnist_lines.common.errors import UserError
from emnist_lines.language.config import LanguageConfig
from emnist_lines.language.counts import KNOWN, Level, count
from emnist_lines.language.smoothing import LEAST, discounts
from tests.language.helpers import DOCUMENTS


def named(levels: list[Level]) -> list[dict[str, int]]:
    """Each length's n-grams as text, with their counts."""
    out, above = [], [""]
    for level in levels:
        above = [above[c] + KNOWN[s] for c, s in zip(level.contexts, level.symbols, strict=True)]
        out.append(dict(zip(above, level.counts.tolist(), strict=True)))
    return out


def test_counts() -> None:
    one, two, three = named(count([["aba", "ab"], ["ab"]], LanguageConfig(order=3, once_until=3)))
    assert one == {" ": 4, "a": 2, "b": 1}  # of a: behind a space and a b
    assert two == {" a": 3, "a ": 1, "ab": 1, "b ": 1, "ba": 1}
    assert three == {" ab": 3, "a a": 1, "aba": 1, "ab ": 2, "b a": 1, "ba ": 1}


def test_long_n_grams_that_occur_once_are_dropped_and_still_counted_in_totals() -> None:
    levels = count([["aba", "ab"], ["ab"]], LanguageConfig(order=3, once_until=2))
    assert named(levels)[2] == {" ab": 3, "ab ": 2}
    assert named(levels)[1] == {" a": 3, "a ": 1, "ab": 1, "b ": 1, "ba": 1}
    names = list(named(levels)[1])
    assert levels[2].totals[names.index("ab")] == 3
    assert levels[2].totals[names.index("ba")] == 1
    assert levels[2].histogram.tolist() == [0, 4, 1, 1, 0]


def test_parts_of_kept_n_grams_are_kept() -> None:
    levels = named(count(DOCUMENTS, LanguageConfig(order=6, once_until=2)))
    assert len(levels[5]) > 5
    for shorter, longer in pairwise(levels):
        assert {gram[1:] for gram in longer} | {gram[:-1] for gram in longer} <= set(shorter)


def test_no_words() -> None:
    with pytest.raises(UserError, match="no words"):
        count([[], []], LanguageConfig(order=3, once_until=2))


def test_discounts() -> None:
    np.testing.assert_allclose(
        discounts(np.array([0, 100, 40, 20, 10])),
        [0, 100 / 180, 2 - 3 * 20 / 40 * 100 / 180, 3 - 4 * 10 / 20 * 100 / 180],
    )


def test_discounts_leave_a_part_of_every_count() -> None:
    assert discounts(np.array([0, 5, 1, 1, 1])).tolist() == pytest.approx([0, 5 / 7, LEAST, 1 / 7])
    assert discounts(np.array([9, 5, 0, 1, 1])).tolist() == [0, 0.5, 1, 1.5]
