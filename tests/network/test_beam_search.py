"""The beam search finds what an exhaustive one finds, by scores that add up all paths of the CTC head."""

import itertools
import math

import pytest
import torch
from benchmarks.parameters import Params
from torch import Tensor

from emnist_lines.common.alphabet import BLANK, CHARACTERS, END, PAD, START, SYMBOLS, encode
from emnist_lines.network.beam_search import Found, ScoreWeights, beam_search
from emnist_lines.network.ctc_prefix import Outputs
from emnist_lines.network.greedy import greedy_decode
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer
from tests.network.bigrams import Bigrams

LETTERS = encode("aB")
LENGTHS = torch.tensor([5, 3])
DECODER = ScoreWeights(1.0, 0.0, 0.0)
Text = tuple[int, ...]


def logits_of_few_letters(seed: int) -> Tensor:
    """(2, 5, 83): a CTC head that knows the blank, a and B."""
    logits = torch.full((2, 5, len(SYMBOLS)), -1e9)
    torch.manual_seed(seed)
    logits[:, :, [BLANK, *LETTERS]] = torch.randn(2, 5, 3) * 2
    return logits


def by_all_paths(logits: Tensor) -> dict[Text, float]:
    """The probability of each text, path by path."""
    probabilities = logits.double().softmax(dim=-1)
    found: dict[Text, float] = {}
    for path in itertools.product([BLANK, *LETTERS], repeat=len(logits)):
        merged = [token for token, _ in itertools.groupby(path) if token != BLANK]
        chance = math.prod(float(probabilities[window, token]) for window, token in enumerate(path))
        found[tuple(merged)] = found.get(tuple(merged), 0.0) + chance
    return found


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


def all_scores(
    model: LineCNNTransformer, seed: int, line: int, weights: ScoreWeights, language: Bigrams
) -> dict[Text, float]:
    """The score of each text of up to four letters."""
    features, mask = encoded(seed)
    chances = by_all_paths(logits_of_few_letters(seed)[line, : LENGTHS[line]])

    def score(text: Text) -> float:
        tokens = torch.tensor([[START, *text, END]])
        with torch.no_grad():
            output = model.decode(tokens[:, :-1], features[line : line + 1], mask[line : line + 1])
        own = float(output.log_softmax(dim=-1)[0].gather(1, tokens[0, 1:, None]).sum())
        ctc = math.log(chances[text]) if chances.get(text) else -1e30
        capitals = weights.capital * text.count(LETTERS[1])
        return weights.decoder * own + weights.ctc * ctc + weights.language * language.of(text) + capitals

    texts = [text for length in range(5) for text in itertools.product(LETTERS, repeat=length)]
    return {text: score(text) for text in texts}


def search(
    model: LineCNNTransformer,
    seed: int,
    weights: ScoreWeights,
    language: Bigrams,
    width: int,
    margin: float = math.inf,
) -> Found:
    ctc = Outputs.of(logits_of_few_letters(seed), LENGTHS)
    return beam_search(model, *encoded(seed), ctc, language, weights=weights, max_length=6, width=width, margin=margin)


def test_hopeless_hypotheses_are_dropped_and_counted(model: LineCNNTransformer) -> None:
    """By a margin that leaves none but the best, a wide beam is one of width 1, and no less sure of it."""
    weights = ScoreWeights(0.7, 0.3, 0.6)
    one, asked = search(model, 1, weights, Bigrams(), width=1), Bigrams()
    found = search(model, 1, weights, asked, width=8, margin=0.0)
    assert max(asked.asked) == 2
    assert torch.equal(found.tokens, one.tokens)
    torch.testing.assert_close(found.log_probs, one.log_probs)
    wide = Bigrams()
    search(model, 1, weights, wide, width=8)
    assert sum(wide.asked) > sum(asked.asked)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "weights",
    [
        (1, 0, 0),
        (0.7, 0.3, 0),
        (0.1, 0.9, 0),
        (0.7, 0.3, 0.6),
        (0.7, 0.3, 0.6, 0.5),
        (1, 0, 0.5),
        (0, 1, 1),
    ],
)
def test_a_wide_beam_finds_the_best_text_and_its_score(
    model: LineCNNTransformer, seed: int, weights: tuple[float, ...]
) -> None:
    found = search(model, seed, ScoreWeights(*weights), Bigrams(seed), width=32)
    for line in range(2):
        scores = all_scores(model, seed, line, ScoreWeights(*weights), Bigrams(seed))
        best = max(scores, key=lambda text: scores[text])
        assert found.tokens[line].tolist() == [*best, END, *[PAD] * (4 - len(best))]
        assert float(found.scores[line]) == pytest.approx(scores[best], rel=1e-5)


@pytest.mark.parametrize("margin", [1.0, math.inf])
@pytest.mark.parametrize("width", [1, 2, 5, 32])
def test_confidences_are_the_decoder_s_own_if_it_alone_is_asked(small: Params, width: int, margin: float) -> None:
    """However much is kept, as what is dropped is not forgotten."""
    torch.manual_seed(1)
    model = LineCNNTransformer(small.model).eval()
    with torch.no_grad():
        model.fc.weight *= 6
        model.fc.bias[[BLANK, START, PAD]] = -100  # no part of a text
        model.fc.bias[END] += 3
    features, mask = encoded(0)
    found = beam_search(
        model,
        features,
        mask,
        None,
        None,
        weights=DECODER,
        max_length=9,
        width=width,
        candidates=len(CHARACTERS),
        margin=margin,
    )
    assert (found.tokens[:, -1] == PAD).all()  # ended where it could go on
    inputs = torch.cat([torch.full((2, 1), START), found.tokens[:, :-1]], dim=1)
    with torch.no_grad():
        log_probs = model.decode(inputs, features, mask).log_softmax(dim=-1)
    expected = log_probs.gather(2, found.tokens[:, :, None])[:, :, 0].masked_fill(found.tokens == PAD, 0)
    assert float(expected.min()) < -0.1
    torch.testing.assert_close(found.log_probs, expected.double(), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.log_probs.sum(dim=1), found.scores, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_with_the_decoder_alone_is_greedy_decoding(small: Params, seed: int) -> None:
    """<E> and <P> too; but a text that does not end in time is cut there, where greedy decoding leaves it open."""
    torch.manual_seed(seed)
    model = LineCNNTransformer(small.model).eval()
    with torch.no_grad():
        model.fc.weight *= 6
        model.fc.bias[:4] = torch.tensor([-100.0, -100.0, 1.0, -100.0])
    features, lengths = torch.randn(8, 5, 16), torch.arange(8) % 5 + 1
    mask = torch.arange(5) >= lengths[:, None]
    expected, _ = greedy_decode(model, features, mask, 12)
    found = beam_search(model, features, mask, None, None, weights=DECODER, max_length=12, width=1).tokens
    full = (expected != END).all(dim=1) & (expected != PAD).all(dim=1)
    expected[full, -1] = END
    assert torch.equal(found, expected)
    assert len({tuple(row) for row in found.tolist()}) > 2


@pytest.mark.parametrize("width", [1, 3, 6])
def test_a_batch_is_read_as_line_by_line(small: Params, width: int) -> None:
    """Lines of many lengths, which leave the batch at other steps."""
    torch.manual_seed(5)
    model = LineCNNTransformer(small.model).eval()
    with torch.no_grad():
        model.fc.weight *= 6
        model.fc.bias[END] += 2
    lines = 24
    features, logits, windows = torch.randn(lines, 9, 16), torch.randn(lines, 9, len(SYMBOLS)) * 3, torch.arange(lines)
    windows = windows % 9 + 1
    mask = torch.arange(9) >= windows[:, None]
    language, weights = Bigrams(), ScoreWeights(0.7, 0.3, 0.6)

    def read(rows: slice) -> Found:
        ctc = Outputs.of(logits[rows], windows[rows])
        return beam_search(
            model, features[rows], mask[rows], ctc, language, weights=weights, max_length=12, width=width
        )

    together = read(slice(None))
    assert len(set((together.tokens == END).int().argmax(dim=1).tolist())) > 3
    for line in range(lines):
        alone = read(slice(line, line + 1))
        assert torch.equal(alone.tokens[0], together.tokens[line])
        torch.testing.assert_close(alone.scores[0], together.scores[line], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(alone.log_probs[0], together.log_probs[line], rtol=1e-3, atol=1e-5)


def test_the_language_model_is_asked_once_per_step_for_all_open_texts(model: LineCNNTransformer) -> None:
    language = Bigrams()
    found = search(model, 0, ScoreWeights(0.7, 0.3, 0.6), language, width=4)
    longest = int((found.tokens != PAD).sum(dim=1).max())
    assert longest <= len(language.asked) <= 5
    assert language.asked[0] == 2  # a text for each line at first
    assert max(language.asked) <= 2 * 4
    assert max(language.asked) > 2


def test_the_language_model_decides_where_the_rest_does_not(model: LineCNNTransformer) -> None:
    a, b = LETTERS
    with torch.no_grad():
        model.fc.weight.zero_()
    language = Bigrams()
    language.log_probs.fill_(-9.0)
    language.log_probs[[START, b], [b, a]] = -0.1
    language.log_probs[a, END] = -0.1
    found = search(model, 0, ScoreWeights(1.0, 0.0, 2.0), language, width=4)
    assert found.tokens[:, :3].tolist() == [[b, a, END]] * 2


def test_the_ctc_head_alone_reads_its_own_text(model: LineCNNTransformer) -> None:
    a, b = LETTERS
    logits = torch.full((2, 5, len(SYMBOLS)), -20.0)
    for line, path in enumerate(([a, BLANK, a, b, b], [b, b, BLANK, a, a])):
        logits[line, torch.arange(5), torch.tensor(path)] = 20
    ctc, weights = Outputs.of(logits, LENGTHS), ScoreWeights(0.0, 1.0, 0.0)
    found = beam_search(model, *encoded(0), ctc, None, weights=weights, max_length=8, width=4)
    assert [[t for t in row if t not in (END, PAD)] for row in found.tokens.tolist()] == [[a, a, b], [b]]


@pytest.mark.parametrize("candidates", [1, 2, 79, 500])
def test_any_number_of_candidates(model: LineCNNTransformer, candidates: int) -> None:
    features, mask = encoded(0)
    weights = ScoreWeights(1.0, 0.0, 0.3)
    language = Bigrams()
    found = beam_search(
        model, features, mask, None, language, weights=weights, max_length=6, width=3, candidates=candidates
    )
    assert (found.tokens == END).sum(dim=1).tolist() == [1, 1]


@pytest.mark.parametrize("weights", [(0.7, 0.3, 0.0), (1.0, 0.0, 0.6)])
def test_what_has_a_weight_must_be_there(model: LineCNNTransformer, weights: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="that there is none of"):
        beam_search(model, *encoded(0), None, None, weights=ScoreWeights(*weights), max_length=6, width=2)
