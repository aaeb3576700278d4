"""The beam search finds what an exhaustive one finds, by scores that add up all paths of the CTC head."""

import itertools
import math

import pytest
import torch
from benchmarks.parameters import Params
from torch import Tensor

from emnist_lines.common.alphabet import BLANK, END, PAD, START, SYMBOLS, encode
from emnist_lines.network.beam_search import Prefixes, beam_search
from emnist_lines.network.greedy import greedy_decode
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer

LETTERS = encode("ab")
LENGTHS = torch.tensor([5, 3])


def logits_of_few_letters(seed: int) -> Tensor:
    """(2, 5, 83): a CTC head that knows the blank, a and b."""
    logits = torch.full((2, 5, len(SYMBOLS)), -1e9)
    torch.manual_seed(seed)
    logits[:, :, [BLANK, *LETTERS]] = torch.randn(2, 5, 3) * 2
    return logits


def by_all_paths(logits: Tensor) -> dict[tuple[int, ...], float]:
    """The probability of each text, path by path."""
    probabilities = logits.double().softmax(dim=-1)
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product([BLANK, *LETTERS], repeat=len(logits)):
        merged = [token for token, _ in itertools.groupby(path) if token != BLANK]
        chance = math.prod(float(probabilities[window, token]) for window, token in enumerate(path))
        found[tuple(merged)] = found.get(tuple(merged), 0.0) + chance
    return found


@pytest.mark.parametrize("line", [0, 1])
def test_prefix_scores_add_up_all_paths(line: int) -> None:
    logits = logits_of_few_letters(0)
    chances = by_all_paths(logits[line, : LENGTHS[line]])
    log_probs = logits.double().log_softmax(dim=-1)
    log_probs[1, LENGTHS[1] :] = -1e30
    log_probs[1, LENGTHS[1] :, BLANK] = 0
    log_probs = log_probs[line : line + 1]
    for text in itertools.product(LETTERS, repeat=3):
        prefixes = Prefixes.empty(log_probs)
        for length in range(4):
            assert float(prefixes.ended().exp()) == pytest.approx(chances.get(text[:length], 0.0), abs=1e-12)
            if length == 3:
                break
            token = torch.tensor([[text[length]]])
            score, label, blank = prefixes.extend(token, log_probs)
            expected = sum(chance for other, chance in chances.items() if other[: length + 1] == text[: length + 1])
            assert float(score.exp()) == pytest.approx(expected, abs=1e-12)
            prefixes = Prefixes(label[:, 0], blank[:, 0], token[:, 0])


@pytest.fixture
def model(small: Params) -> LineCNNTransformer:
    torch.manual_seed(3)
    model = LineCNNTransformer(small.model).eval()
    with torch.no_grad():
        model.fc.weight *= 3
        model.fc.bias[[*LETTERS, END]] += 20  # so that the rest hardly matters
    return model


def encoded(seed: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    return torch.randn(2, 5, 16), torch.arange(5) >= LENGTHS[:, None]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("weight", [0.0, 0.3, 0.9])
def test_a_wide_beam_finds_the_best_text(model: LineCNNTransformer, seed: int, weight: float) -> None:
    features, mask = encoded(seed)
    logits = logits_of_few_letters(seed)
    texts = [text for length in range(5) for text in itertools.product(LETTERS, repeat=length)]
    found = beam_search(model, features, mask, logits, LENGTHS, 6, width=32, ctc_weight=weight)
    for line in range(2):
        chances = by_all_paths(logits[line, : LENGTHS[line]])

        def score(text: tuple[int, ...], line: int = line, chances: dict[tuple[int, ...], float] = chances) -> float:
            tokens = torch.tensor([[START, *text, END]])
            with torch.no_grad():
                output = model.decode(tokens[:, :-1], features[line : line + 1], mask[line : line + 1])
            own = output.log_softmax(dim=-1)[0].gather(1, tokens[0, 1:, None]).sum()
            ctc = math.log(chances[text]) if chances.get(text) else -1e30
            return (1 - weight) * float(own) + weight * ctc

        best = max(texts, key=score)
        assert found[line].tolist() == [*best, END, *[PAD] * (4 - len(best))]


def test_a_beam_of_one_without_ctc_is_greedy_decoding(model: LineCNNTransformer) -> None:
    features, mask = encoded(9)
    expected, _ = greedy_decode(model, features, mask, 12)
    found = beam_search(model, features, mask, logits_of_few_letters(9), LENGTHS, 12, width=1, ctc_weight=0.0)
    assert torch.equal(found[:, :-1], expected[:, :-1])  # the last token: <E>, where greedy decoding may write on


def test_the_ctc_head_alone_reads_its_own_text(model: LineCNNTransformer) -> None:
    a, b = LETTERS
    logits = torch.full((2, 5, len(SYMBOLS)), -20.0)
    for line, path in enumerate(([a, BLANK, a, b, b], [b, b, BLANK, a, a])):
        logits[line, torch.arange(5), torch.tensor(path)] = 20
    features, mask = encoded(0)
    found = beam_search(model, features, mask, logits, LENGTHS, 8, width=4, ctc_weight=0.999)
    assert [[t for t in row if t not in (END, PAD)] for row in found.tolist()] == [[a, a, b], [b]]
