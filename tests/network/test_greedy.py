"""Cached decoding gives what plain decoding gives; greedy CTC merges and drops."""

import pytest
import torch
from benchmarks.parameters import Params

from benchmarks import plain
from emnist_lines.common.alphabet import BLANK, END, PAD, encode
from emnist_lines.network.greedy import greedy_ctc, greedy_decode
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("masked", [True, False])
def test_cached_decoding_equals_plain_decoding(defaults: Params, seed: int, masked: bool) -> None:
    torch.manual_seed(seed)
    model = LineCNNTransformer(defaults.model.replace(mask_padding=masked)).eval()
    with torch.no_grad():
        model.fc.weight *= 3  # more decided, so that lines differ …
        model.fc.bias[END] += 2  # … and some of them end
        images = torch.randint(0, 256, (6, 28, 256), dtype=torch.uint8)
        features, mask, _ = model.encode(images, torch.tensor([40, 90, 128, 200, 224, 224]))
        expected = plain.decode_lines(model, features, mask, 20)
    tokens, log_probs = greedy_decode(model, features, mask, 20)
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
