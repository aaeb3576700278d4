"""The text to write with."""

from pathlib import Path

from emnist_lines.sources import brown


def test_the_built_in_sentences_are_many_and_all_different() -> None:
    path = Path(brown.__file__).with_name("sentences.txt")
    sentences = [line for line in path.read_text(encoding="utf-8").splitlines() if line]
    assert len(sentences) == len(set(sentences)) >= 400
    assert all(sentence[-1] in ".?!" for sentence in sentences)
