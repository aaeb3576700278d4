"""A recognizer gives what the functions behind it give, and keeps nothing between calls."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from benchmarks.parameters import Params
from torch import Tensor, nn

from emnist_lines.common.alphabet import END, PAD, encode, frame
from emnist_lines.network.beam_search import ScoreWeights, beam_search
from emnist_lines.network.ctc_prefix import Outputs
from emnist_lines.network.greedy import greedy_ctc, greedy_decode
from emnist_lines.network.recognizer import Encoded, Recognizer, ctc_head
from emnist_lines.network.transcription import texts_of, transcriptions
from tests.network.bigrams import Bigrams

MAX_LENGTH = 12
DECODER, BOTH, ALL = ScoreWeights(1.0, 0.0, 0.0), ScoreWeights(0.7, 0.3, 0.0), ScoreWeights(0.7, 0.3, 0.6)
TEXTS = ["hello", "a b c", "Zz"]


def build(config: Params, with_ctc: bool = True, **changes: bool) -> Recognizer:
    """A recognizer whose random weights write a text of its own for each line, some shorter than others."""
    torch.manual_seed(6)
    recognizer = Recognizer.build(config.model.replace(**changes), MAX_LENGTH, 0.1, with_ctc)
    recognizer.modules().eval()
    with torch.no_grad():
        recognizer.network.fc.weight *= 8
        recognizer.network.fc.bias[END] += 3
        if recognizer.ctc_head is not None:
            recognizer.ctc_head.weight *= 20
    return recognizer


@pytest.fixture
def recognizer(small: Params) -> Recognizer:
    return build(small)


def some_lines(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images (3, 28, 256) with paper behind the text, and the text's widths."""
    widths = torch.tensor([200, 120, 64])
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (3, 28, 256), dtype=torch.uint8, generator=generator)
    for image, width in zip(images, widths.tolist(), strict=True):
        image[:, width:] = 0
    return images, widths


@torch.no_grad()
def encoded_by(recognizer: Recognizer, seed: int = 0) -> Encoded:
    return recognizer.encode(*some_lines(seed))


@torch.no_grad()
@pytest.mark.parametrize("masked", [True, False])
def test_encoding_is_the_network_s_and_the_ctc_head_reads_its_hidden_features(small: Params, masked: bool) -> None:
    recognizer = build(small, mask_padding=masked)
    images, widths = some_lines()
    encoded = recognizer.encode(images, widths)
    features, mask, hidden = recognizer.network.encode(images, widths)
    assert torch.equal(encoded.features, features)
    assert (encoded.mask is None) == (mask is None) == (not masked)
    if encoded.mask is not None and mask is not None:
        assert torch.equal(encoded.mask, mask)
        assert encoded.windows.tolist() == (~mask).sum(dim=1).tolist()
    assert recognizer.ctc_head is not None
    assert encoded.ctc_logits is not None
    assert torch.equal(encoded.ctc_logits, recognizer.ctc_head(hidden))
    assert torch.equal(encoded.windows, recognizer.network.line_cnn.valid_windows(widths))


def test_greedy_is_greedy_decoding(recognizer: Recognizer) -> None:
    encoded = encoded_by(recognizer)
    tokens, log_probs = greedy_decode(recognizer.network, encoded.features, encoded.mask, MAX_LENGTH)
    found = recognizer.greedy(encoded)
    assert found == transcriptions(tokens, log_probs, 0.1)
    assert found != transcriptions(tokens, log_probs, 0.0)  # label smoothing is taken out
    assert len({line.text for line in found}) == 3
    assert max(len(line.text) for line in found) <= MAX_LENGTH - 1


def test_ctc_is_the_ctc_head_s_best_path(recognizer: Recognizer) -> None:
    encoded = encoded_by(recognizer)
    assert encoded.ctc_logits is not None
    found = recognizer.ctc(encoded)
    assert found == texts_of(greedy_ctc(encoded.ctc_logits, encoded.windows))
    assert found != texts_of(greedy_ctc(encoded.ctc_logits, torch.full((3,), encoded.ctc_logits.shape[1])))
    assert len(set(found)) == 3


@pytest.mark.parametrize(("width", "weights"), [(1, DECODER), (3, BOTH), (4, ALL)])
def test_beam_is_the_beam_search(recognizer: Recognizer, width: int, weights: ScoreWeights) -> None:
    encoded, language = encoded_by(recognizer), Bigrams()
    assert encoded.ctc_logits is not None
    ctc = Outputs.of(encoded.ctc_logits, encoded.windows)
    found = beam_search(
        recognizer.network,
        encoded.features,
        encoded.mask,
        ctc,
        language,
        weights=weights,
        max_length=MAX_LENGTH,
        width=width,
    )
    lines = recognizer.beam(encoded, width, weights, language)
    assert lines == transcriptions(found.tokens, found.log_probs, 0.0)
    assert [line.text for line in lines] == texts_of(found.tokens)
    assert [len(line.confidences) for line in lines] == [len(line.text) for line in lines]
    assert all(0 <= p <= 1 for line in lines for p in [line.confidence, *line.confidences])
    assert all(line.confidence <= min(line.confidences, default=1) for line in lines)


def test_width_and_weights_of_the_beam_are_taken(recognizer: Recognizer) -> None:
    encoded = encoded_by(recognizer)
    greedy = [line.text[: MAX_LENGTH - 2] for line in recognizer.greedy(encoded)]  # <E> is its last token
    assert greedy == [line.text for line in recognizer.beam(encoded, 1, DECODER)]
    assert recognizer.beam(encoded, 4, ScoreWeights(0.1, 0.9, 0.0)) != recognizer.beam(encoded, 4, DECODER)
    assert recognizer.beam(encoded, 4, ALL, Bigrams()) != recognizer.beam(encoded, 4, ALL, Bigrams(seed=1))


def test_without_a_ctc_head_a_beam_search_may_do_without(small: Params) -> None:
    recognizer = build(small, with_ctc=False)
    encoded = encoded_by(recognizer)
    for weights, language in ((DECODER, None), (ScoreWeights(1.0, 0.0, 0.5), Bigrams())):
        assert len(recognizer.beam(encoded, 3, weights, language)) == 3


@torch.no_grad()
def test_token_losses_are_the_cross_entropy_of_each_target(recognizer: Recognizer) -> None:
    encoded = encoded_by(recognizer)
    tokens = torch.tensor([frame(encode(text), MAX_LENGTH) for text in TEXTS])
    losses, logits = recognizer.token_losses(encoded, tokens)
    assert losses.shape == (3, MAX_LENGTH - 1)
    assert torch.equal(logits, recognizer.network.decode(tokens[:, :-1], encoded.features, encoded.mask))
    targets = tokens[:, 1:]
    assert torch.equal(losses == 0, targets == PAD)
    mean = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD, reduction="mean")
    torch.testing.assert_close(losses.sum() / (targets != PAD).sum(), mean)
    for line, text in enumerate(TEXTS):
        for place, target in enumerate([*encode(text), END]):
            expected = -logits[line, place].log_softmax(dim=-1)[target]
            torch.testing.assert_close(losses[line, place], expected)


CALLS: dict[str, Callable[[Recognizer, Encoded], object]] = {
    "ctc": lambda recognizer, encoded: recognizer.ctc(encoded),
    "beam": lambda recognizer, encoded: recognizer.beam(encoded, 2, BOTH),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_without_a_ctc_head_there_is_no_ctc(small: Params, call: Callable[[Recognizer, Encoded], object]) -> None:
    recognizer = build(small, with_ctc=False)
    encoded = encoded_by(recognizer)
    assert recognizer.ctc_head is encoded.ctc_logits is None
    with pytest.raises(ValueError, match="this recognizer has no CTC head"):
        call(recognizer, encoded)
    assert len(recognizer.greedy(encoded)) == 3


def everything(recognizer: Recognizer, encoded: Encoded) -> tuple[object, ...]:
    tokens = torch.tensor([frame(encode(text), MAX_LENGTH) for text in TEXTS])
    with torch.no_grad():
        losses = recognizer.token_losses(encoded, tokens)[0].tolist()
    return recognizer.greedy(encoded), recognizer.ctc(encoded), recognizer.beam(encoded, 3, ALL, Bigrams()), losses


def test_it_keeps_nothing_between_calls(recognizer: Recognizer) -> None:
    """Not in itself, its modules or what it was given; one batch between two others changes neither."""
    fields = dict(vars(recognizer))
    inside = {name: set(vars(module)) for name, module in recognizer.modules().named_modules()}
    weights = copy.deepcopy(recognizer.modules().state_dict())
    first, second = encoded_by(recognizer, 0), encoded_by(recognizer, 1)
    kept = [t.clone() for t in vars(first).values()]
    once = everything(recognizer, first)
    assert everything(recognizer, second) != once
    assert everything(recognizer, first) == once
    assert all(torch.equal(before, after) for before, after in zip(kept, vars(first).values(), strict=True))
    assert vars(recognizer) == fields
    assert {name: set(vars(module)) for name, module in recognizer.modules().named_modules()} == inside
    after = recognizer.modules().state_dict()
    assert weights.keys() == after.keys()
    assert all(torch.equal(weights[name], after[name]) for name in weights)
    with pytest.raises(AttributeError):
        recognizer.max_length = 5  # type: ignore[misc]


def test_modules_have_the_names_of_a_model_file(recognizer: Recognizer, small: Params) -> None:
    modules = recognizer.modules()
    assert dict(modules.items()) == {"model": recognizer.network, "ctc_head": recognizer.ctc_head}
    assert {name.partition(".")[0] for name in modules.state_dict()} == {"model", "ctc_head"}
    assert "model.line_cnn.fc1.weight" in modules.state_dict()
    assert list(build(small, with_ctc=False).modules()) == ["model"]


def test_a_ctc_head_leads_from_hidden_features_to_symbols(small: Params) -> None:
    head = ctc_head(small.model)
    assert isinstance(head, nn.Linear)
    assert (head.in_features, head.out_features) == (small.model.fc_dim, 83)
