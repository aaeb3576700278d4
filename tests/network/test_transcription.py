"""A transcription is the text of its tokens, with the network's own belief in each character."""

import pytest
import torch

from emnist_lines.common.alphabet import BLANK, END, PAD, START, SYMBOLS, encode
from emnist_lines.network.transcription import Transcription, texts_of, transcriptions


def test_texts_come_with_the_confidence_of_each_character() -> None:
    line = [*encode("ab"), END, PAD]
    tokens = torch.tensor([line, [END, PAD, PAD, PAD], encode("abcd"), [BLANK, *encode("x"), END, PAD]])
    log_probs = torch.tensor([[0.5, 0.25, 0.5, 1], [0.9, 1, 1, 1], [0.5] * 4, [0.1, 0.5, 1, 1]]).log()
    found = transcriptions(tokens, log_probs, label_smoothing=0)
    assert [line.text for line in found] == ["ab", "", "abcd", "x"]
    assert [line.confidence for line in found] == pytest.approx([0.0625, 0.9, 0.0625, 0.05])
    assert [line.confidences for line in found] == [pytest.approx(each) for each in ([0.5, 0.25], [], [0.5] * 4, [0.5])]


def test_label_smoothing_is_taken_out_of_confidences() -> None:
    meant = torch.tensor([[1.0, 0.5, 0.25, 1.0]])
    said = 0.9 * meant + 0.1 / len(SYMBOLS)
    (line,) = transcriptions(torch.tensor([[*encode("abc"), END]]), said.log(), label_smoothing=0.1)
    assert line.confidences == pytest.approx([1.0, 0.5, 0.25], abs=1e-5)
    assert line.confidence == pytest.approx(0.125, abs=1e-5)
    (line,) = transcriptions(torch.tensor([[*encode("a"), END]]), torch.tensor([[-9.0, 0.0]]), label_smoothing=0.1)
    assert (line.confidences, line.confidence) == ([0], 0)


def test_nothing_is_transcribed_as_nothing() -> None:
    found = transcriptions(torch.zeros(0, 3, dtype=torch.long), torch.zeros(0, 3), label_smoothing=0.1)
    assert found == []
    (line,) = transcriptions(torch.tensor([[END]]), torch.zeros(1, 1), label_smoothing=0.1)
    assert line == Transcription("", pytest.approx(1.0), [])


def test_texts_end_at_the_first_end() -> None:
    a, b = encode("ab")
    rows = [[START, a, b, END, a], [b, END, PAD, PAD, PAD], [a, b, a, b, a], [BLANK, a, PAD, b, PAD], [END] * 5]
    assert texts_of(torch.tensor(rows)) == ["ab", "b", "ababa", "ab", ""]
