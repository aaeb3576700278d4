"""Which texts other documents and lines hold."""

from pathlib import Path

import numpy as np
from benchmarks.parameters import Params

from emnist_lines.common.glyphs import Glyphs
from emnist_lines.lines.line_file import path_of, read_lines
from emnist_lines.synthesis.documents import Document
from emnist_lines.synthesis.shared_text import shares, stand_in
from emnist_lines.synthesis.strings import StringSampler
from tests.conftest import made

DOCUMENTS = [["It", "was", "the", "best", "of", "times"], ["it", "was", "a", "day"]]


def test_a_text_stands_in_documents_word_for_word() -> None:
    sampler = StringSampler.build(DOCUMENTS, 12)
    told = {
        "It": True,
        "was the best": True,
        "the best of": True,
        "times": True,
        "it was a day": True,
        "as the": False,  # part of a word
        "the bes": False,
        "times it": False,  # from one document into the next
        "day It": False,
        "was best": False,
        "the best of times": False,  # longer than a line
        "IT": False,
    }
    assert dict(zip(told, stand_in(np.array(list(told), dtype="S20"), sampler).tolist(), strict=True)) == told


def test_against_a_search_through_the_text(lines: Path, documents: list[Document], small: Params) -> None:
    sampler = StringSampler.build(documents[:6], 8)
    text = " \n ".join(" ".join(document) for document in documents[:6])
    for split in ("train", "test"):
        texts = read_lines(path_of(lines, split))[0].texts
        expected = [f" {one.decode()} " in f" {text} " for one in texts.tolist()]
        assert stand_in(texts, sampler).tolist() == expected
        assert 0 < sum(expected) < len(expected)


def test_shares_of_lines_and_of_characters(lines: Path) -> None:
    test, _ = read_lines(path_of(lines, "test"))
    texts = test.texts.tolist()
    lengths = np.array([len(text) for text in texts])
    among = {texts[0], texts[5], b"another"}
    inside = np.array([text in among for text in texts])
    found = shares(test, among)
    assert found["lines_in_a_train_line"] == round(inside.mean(), 4)
    assert found["characters_in_a_train_line"] == round(lengths[inside].sum() / lengths.sum(), 4)
    assert found["lines_in_the_train_documents"] == round(test.known.mean(), 4)
    assert found["characters_in_the_train_documents"] == round(lengths[test.known].sum() / lengths.sum(), 4)


def test_train_lines_and_lines_of_a_shared_text_are_known(
    glyphs: Glyphs, documents: list[Document], lines: Path, small: Params, tmp_path: Path
) -> None:
    assert read_lines(path_of(lines, "train"))[0].known.all()
    assert not read_lines(path_of(lines, "test"))[0].known.all()
    shared = made(glyphs, documents, small.synthesize.replace(shared_as_in_lab=True), tmp_path)
    assert read_lines(path_of(shared, "test"))[0].known.all()
