"""Cached decoding gives what plain decoding gives; greedy CTC merges and drops."""

from dataclasses import replace

import pytest
import torch

from benchmarks import plain
from emnist_lines.common.alphabet import BLANK, END, PAD, SYMBOLS, encode
from emnist_lines.common.params import Params
from emnist_lines.network import greedy as decoding
from emnist_lines.network.greedy import greedy_ctc, greedy_decode
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("masked", [True, False])
def test_cached_decoding_equals_plain_decoding(defaults: Params, seed: int, masked: bool) -> None:
    torch.manual_seed(seed)
    model = LineCNNTransformer(replace(defaults.model, mask_padding=masked)).eval()
    with torch.no_grad():
        model.fc.weight *= 3  # more decided, so that lines differ …
        model.fc.bias[END] += 2  # … and some of them end
        images = torch.randint(0, 256, (6, 28, 256), dtype=torch.uint8)
        memory, mask, _ = model.encode(images, torch.tensor([40, 90, 128, 200, 224, 224]))
        expected = plain.decode_lines(model, memory, mask, 20)
    tokens, log_probs = greedy_decode(model, memory, mask, 20)
    assert torch.equal(tokens, expected)
    assert (log_probs <= 0).all()
    assert ((log_probs == 0) == (tokens == PAD)).all()


def test_decoding_stops_when_every_line_has_ended(defaults: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    model = LineCNNTransformer(defaults.model).eval()
    with torch.no_grad():
        model.fc.bias[END] = 100
    steps = []
    embed = model.embed
    monkeypatch.setattr(model, "embed", lambda tokens, start: steps.append(start) or embed(tokens, start))
    tokens, _ = greedy_decode(model, torch.randn(3, 10, 256), None, 32)
    assert steps == [0]
    assert tokens[:, 0].tolist() == [END] * 3
    assert (tokens[:, 1:] == PAD).all()


def test_greedy_ctc_merges_repeats_and_drops_blanks_and_padding() -> None:
    a, b = encode("ab")
    path = torch.tensor([[a, a, BLANK, a, b, b], [BLANK, b, b, b, a, a]])
    logits = torch.nn.functional.one_hot(path, 83).float()
    tokens = greedy_ctc(logits, torch.tensor([6, 4]))
    assert tokens.tolist() == [[a, a, b, PAD, PAD, PAD], [b, PAD, PAD, PAD, PAD, PAD]]


def test_texts_come_with_the_confidence_of_each_character() -> None:
    line = [*encode("ab"), END, PAD]
    tokens = torch.tensor([line, [END, PAD, PAD, PAD], encode("abcd"), [BLANK, *encode("x"), END, PAD]])
    log_probs = torch.tensor([[0.5, 0.25, 0.5, 1], [0.9, 1, 1, 1], [0.5] * 4, [0.1, 0.5, 1, 1]]).log()
    found = decoding.spoken(tokens, log_probs, label_smoothing=0)
    assert [line.text for line in found] == ["ab", "", "abcd", "x"]
    assert [line.confidence for line in found] == pytest.approx([0.0625, 0.9, 0.0625, 0.05])
    assert [line.confidences for line in found] == [pytest.approx(each) for each in ([0.5, 0.25], [], [0.5] * 4, [0.5])]


def test_label_smoothing_is_taken_out_of_confidences() -> None:
    meant = torch.tensor([[1.0, 0.5, 0.25, 1.0]])
    said = 0.9 * meant + 0.1 / len(SYMBOLS)
    (line,) = decoding.spoken(torch.tensor([[*encode("abc"), END]]), said.log(), label_smoothing=0.1)
    assert line.confidences == pytest.approx([1.0, 0.5, 0.25], abs=1e-5)
    assert line.confidence == pytest.approx(0.125, abs=1e-5)
    (line,) = decoding.spoken(torch.tensor([[*encode("a"), END]]), torch.tensor([[-9.0, 0.0]]), label_smoothing=0.1)
    assert (line.confidences, line.confidence) == ([0], 0)
