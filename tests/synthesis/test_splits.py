"""Train, val and test share no glyph and no document, and none of them is empty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.lines.line_file import SPLITS
from emnist_lines.synthesis.config import SplitFractions
from emnist_lines.synthesis.documents import Document
from emnist_lines.synthesis.splits import split_documents, split_glyphs, split_sizes

FRACTIONS = SplitFractions(train=0.7, val=0.15, test=0.15)


def fractions_of(train: int, val: int, test: int) -> SplitFractions:
    total = train + val + test
    return SplitFractions(train=train / total, val=val / total, test=test / total)


@pytest.mark.parametrize(
    ("total", "fractions", "sizes"),
    [
        (12, (70, 15, 15), (8, 2, 2)),
        (22, (70, 15, 15), (16, 3, 3)),
        (500, (70, 15, 15), (350, 75, 75)),
        (10, (80, 10, 10), (8, 1, 1)),
        (3, (70, 15, 15), (1, 1, 1)),
        (3, (10, 40, 50), (1, 1, 1)),
        (3, (1, 1, 98), (1, 1, 1)),
        (3, (1, 98, 1), (1, 1, 1)),
        (4, (10, 40, 50), (1, 2, 1)),
        (100, (98, 1, 1), (98, 1, 1)),
        (100, (1, 98, 1), (1, 98, 1)),
        (100, (1, 1, 98), (1, 1, 98)),
        (50, (999, 1, 1), (48, 1, 1)),
    ],
)
def test_known_sizes(total: int, fractions: tuple[int, int, int], sizes: tuple[int, int, int]) -> None:
    assert split_sizes(total, fractions_of(*fractions)) == sizes


@given(st.integers(3, 2000), st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 1000))
def test_any_sizes_add_up_and_leave_no_split_empty(total: int, train: int, val: int, test: int) -> None:
    fractions = fractions_of(train, val, test)
    sizes = split_sizes(total, fractions)
    assert sum(sizes) == total
    assert min(sizes) >= 1
    wanted = [total * share for share in (fractions.train, fractions.val, fractions.test)]
    if min(wanted) >= 1.5:  # nothing has to give way
        assert all(abs(size - share) <= 1 for size, share in zip(sizes, wanted, strict=True))


def test_splits_of_glyphs_are_disjoint_complete_and_stratified(glyphs: Glyphs) -> None:
    split = split_glyphs(glyphs, FRACTIONS, np.random.default_rng(0))
    assert sorted(np.concatenate(list(split.values())).tolist()) == list(range(len(glyphs.labels)))
    for name, count in (("train", 8), ("val", 2), ("test", 2)):
        assert np.array_equal(glyphs.labels[split[name]], np.repeat(np.arange(62), count))
        assert (np.diff(split[name]) > 0).all()


def test_glyphs_of_the_same_pixels_stay_together() -> None:
    labels = np.repeat(np.arange(62, dtype=np.uint8), 30)
    images = np.zeros((len(labels), 28, 28), dtype=np.uint8)
    images[:, 0, 0] = np.arange(len(labels)) % 10  # each image three times
    glyphs = Glyphs.in_order(images, labels, "emnist", ("test",))
    split = split_glyphs(glyphs, FRACTIONS, np.random.default_rng(0))
    for label in range(62):
        own = [index[glyphs.labels[index] == label] for index in split.values()]
        inks = [set(glyphs.images[index, 0, 0].tolist()) for index in own]
        assert sum(map(len, inks)) == 10
        assert all(inks)


@pytest.mark.parametrize("each", [3, 4, 5])
def test_few_glyphs_still_reach_every_split(each: int) -> None:
    labels = np.repeat(np.arange(62, dtype=np.uint8), each)
    images = np.random.default_rng(0).integers(0, 255, (len(labels), 28, 28), dtype=np.uint8)
    split = split_glyphs(Glyphs.in_order(images, labels, "emnist", ("test",)), FRACTIONS, np.random.default_rng(0))
    assert all(set(labels[index]) == set(range(62)) for index in split.values())


def test_too_few_glyphs_are_one_sentence() -> None:
    labels = np.repeat(np.arange(62, dtype=np.uint8), 2)
    images = np.random.default_rng(0).integers(0, 255, (len(labels), 28, 28), dtype=np.uint8)
    with pytest.raises(UserError, match="there are 2 glyphs of '0', too few for 3 splits"):
        split_glyphs(Glyphs.in_order(images, labels, "emnist", ("test",)), FRACTIONS, np.random.default_rng(0))


def test_splits_share_no_document(documents: list[Document]) -> None:
    split = split_documents(documents, FRACTIONS, np.random.default_rng(0))
    as_strings = {name: {" ".join(document) for document in part} for name, part in split.items()}
    assert sum(map(len, as_strings.values())) == len(documents)
    assert set.union(*as_strings.values()) == {" ".join(document) for document in documents}
    assert [len(split[name]) for name in ("train", "val", "test")] == [16, 3, 3]


@pytest.mark.parametrize("fractions", [FRACTIONS, SplitFractions(train=0.1, val=0.4, test=0.5)])
@pytest.mark.parametrize("seed", range(3))
def test_three_documents_reach_every_split(fractions: SplitFractions, seed: int) -> None:
    split = split_documents([["one"], ["two"], ["three"]], fractions, np.random.default_rng(seed))
    assert tuple(split) == SPLITS
    assert sorted(len(part) for part in split.values()) == [1, 1, 1]
    assert {word for part in split.values() for document in part for word in document} == {"one", "two", "three"}


def test_the_random_stream_decides_who_is_where_and_documents_keep_their_order() -> None:
    documents = [[str(number)] for number in range(40)]
    one, again, other = (split_documents(documents, FRACTIONS, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == again != other
    assert [int(document[0]) for document in one["train"]] == sorted(int(document[0]) for document in one["train"])
