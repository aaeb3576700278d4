"""Documents become words with glyphs only; strings are runs of whole words."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import UserError
from emnist_lines.common.params import SplitFractions
from emnist_lines.sources import brown as corpus
from emnist_lines.synthesis import documents as text

FRACTIONS = SplitFractions(train=0.7, val=0.15, test=0.15)
BROWN = {
    "brown/README": "read/me this/too",
    "brown/ca01": "\n\n\tThe/at Fulton/np-tl jury's/nn ``/`` over-all/jj 1/2/cd charge/nn ''/'' ./.\n",
    "brown/cb02": "Second/od document/nn",
    "brown/cr09": "--/-- Third/od ,/, one/cd",
    "brown/cd01": "./. ,/,",
}


def archive(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_brown_s_tags_and_punctuation_go(tmp_path: Path) -> None:
    documents = text.read_documents(archive(tmp_path / "brown.zip", BROWN))
    assert documents == [
        ["The", "Fulton", "jurys", "overall", "12", "charge"],
        ["Second", "document"],
        ["Third", "one"],
    ]


def test_the_built_in_sentences(documents: list[text.Document]) -> None:
    words = [word for document in documents for word in document]
    assert set("".join(words)) == set(CLASSES)
    assert len(documents) >= 20
    assert len({word.lower() for word in words}) > 1400


def test_the_built_in_corpus_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    corpus.write_builtin(tmp_path / "one.zip")
    corpus.write_builtin(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_splits_share_no_document(documents: list[text.Document]) -> None:
    split = text.split(documents, FRACTIONS, np.random.default_rng(0))
    as_strings = {name: {" ".join(document) for document in part} for name, part in split.items()}
    assert sum(map(len, as_strings.values())) == len(documents)
    assert set.union(*as_strings.values()) == {" ".join(document) for document in documents}
    assert [len(split[name]) for name in ("train", "val", "test")] == [16, 3, 3]


def test_three_documents_are_enough_and_two_are_not(tmp_path: Path) -> None:
    documents = text.read_documents(archive(tmp_path / "three.zip", BROWN))
    split = text.split(documents, FRACTIONS, np.random.default_rng(0))
    assert all(len(part) == 1 for part in split.values())
    with pytest.raises(UserError, match="holds 2 documents, too few"):
        text.read_documents(archive(tmp_path / "two.zip", {n: BROWN[n] for n in ("brown/ca01", "brown/cb02")}))


@pytest.mark.parametrize("content", [b"", b"PK no zip"])
def test_a_damaged_corpus_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "brown.zip"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is no readable corpus"):
        text.read_documents(path)


def sampled(sampler: text.Sampler, count: int) -> list[str]:
    starts, lengths = sampler.sample(count, np.random.default_rng(0))
    letters = CLASSES + " "
    return ["".join(letters[c] for c in sampler.classes[s : s + n]) for s, n in zip(starts, lengths, strict=True)]


def test_strings_are_all_runs_of_whole_words_that_fit_and_stay_in_their_document() -> None:
    documents = [["aa", "b", "cccc", "dd"], ["eeeeeee", "f"], ["g"]]
    strings = sampled(text.Sampler.build(documents, 6), 2000)
    expected = {"aa", "aa b", "b", "b cccc", "cccc", "dd", "f", "g"}
    assert set(strings) == expected


def test_first_words_and_lengths_are_uniform() -> None:
    documents = [["a", "b", "c"], ["d"]]
    strings = sampled(text.Sampler.build(documents, 10), 12_000)
    counts = {string: strings.count(string) / 12_000 for string in set(strings)}
    assert counts.keys() == {"a", "a b", "a b c", "b", "b c", "c", "d"}
    for string, share in {"a": 1 / 12, "a b": 1 / 12, "a b c": 1 / 12, "b": 1 / 8, "b c": 1 / 8, "d": 1 / 4}.items():
        assert abs(counts[string] - share) < 0.02


def test_no_short_word_is_one_sentence() -> None:
    with pytest.raises(UserError, match=r"no word of at most 2 characters; raise synthesize.max_length"):
        text.Sampler.build([["abc", "defg"]], 2)
