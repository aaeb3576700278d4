"""Strings are runs of whole words of one document."""

import numpy as np
import pytest

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import UserError
from emnist_lines.synthesis.documents import Document
from emnist_lines.synthesis.strings import SPACE_CLASS, StringSampler


def sampled(sampler: StringSampler, count: int) -> list[str]:
    starts, lengths = sampler.sample(count, np.random.default_rng(0))
    letters = CLASSES + " "
    assert letters[SPACE_CLASS] == " "
    return ["".join(letters[c] for c in sampler.classes[s : s + n]) for s, n in zip(starts, lengths, strict=True)]


def test_strings_are_all_runs_of_whole_words_that_fit_and_stay_in_their_document() -> None:
    documents: list[Document] = [["aa", "b", "cccc", "dd"], ["eeeeeee", "f"], ["g"]]
    strings = sampled(StringSampler.build(documents, 6), 2000)
    expected = {"aa", "aa b", "b", "b cccc", "cccc", "dd", "f", "g"}
    assert set(strings) == expected


def test_first_words_and_lengths_are_uniform() -> None:
    documents = [["a", "b", "c"], ["d"]]
    strings = sampled(StringSampler.build(documents, 10), 12_000)
    counts = {string: strings.count(string) / 12_000 for string in set(strings)}
    assert counts.keys() == {"a", "a b", "a b c", "b", "b c", "c", "d"}
    for string, share in {"a": 1 / 12, "a b": 1 / 12, "a b c": 1 / 12, "b": 1 / 8, "b c": 1 / 8, "d": 1 / 4}.items():
        assert abs(counts[string] - share) < 0.02


def test_no_short_word_is_one_sentence() -> None:
    with pytest.raises(UserError, match=r"no word of at most 2 characters; raise synthesize.max_length"):
        StringSampler.build([["abc", "defg"]], 2)
