"""The language model computes what its definition says, for many rows at once."""

import math
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from emnist_lines.common.alphabet import CHARACTERS, CLASSES, PAD, SPACE, SYMBOLS, encode
from emnist_lines.language.config import LanguageConfig
from emnist_lines.language.model import LanguageModel, _count_bits
from emnist_lines.language.smoothing import build
from tests.language.helpers import CONFIG, DOCUMENTS, Definition

MODEL = LanguageModel.of(build(DOCUMENTS, CONFIG))
ALL = torch.arange(len(SYMBOLS))
SEEN = sorted({character for document in DOCUMENTS for word in document for character in word} | {" "})
histories = st.text(st.sampled_from(SEEN), max_size=12) | st.text(st.sampled_from(CHARACTERS), max_size=12)


def after(text: str, model: LanguageModel = MODEL) -> Tensor:
    """(1, 1), the state behind a text that begins a line."""
    state = model.start(1)
    for token in encode(text):
        state = model.extend(state, torch.tensor([[token]]))[1][:, 0]
    return state


def probabilities(text: str, model: LanguageModel = MODEL) -> Tensor:
    """(83,) of all tokens behind a text."""
    return model.extend(after(text, model), ALL[None])[0][0].double().exp()


@pytest.mark.parametrize(
    "config", [CONFIG, LanguageConfig(order=1, once_until=1), LanguageConfig(order=7, once_until=7)]
)
@pytest.mark.parametrize("history", ["", "t", "the", "the ", "on the n", "zebra", "19", "the cat ate the r"])
def test_the_definition(config: LanguageConfig, history: str) -> None:
    found = probabilities(history, LanguageModel.of(build(DOCUMENTS, config)))
    definition = Definition(DOCUMENTS, config)
    wanted = torch.tensor([definition.probability(history, symbol) for symbol in SYMBOLS], dtype=torch.float64)
    assert len(set(wanted.tolist())) > 5
    torch.testing.assert_close(found, wanted, rtol=0.02, atol=0)  # the file's numbers have three digits


@settings(deadline=None, max_examples=30)
@given(history=histories)
def test_probabilities_sum_to_one(history: str) -> None:
    assert probabilities(history).sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("history", ["", "the", "zebra", "QQQ"])
def test_a_share_may_be_alike_for_all_tokens(history: str) -> None:
    tolerant = LanguageModel.of(build(DOCUMENTS, CONFIG), uniform_share=0.1)
    wanted = 0.1 / len(SYMBOLS) + 0.9 * probabilities(history)
    torch.testing.assert_close(probabilities(history, tolerant), wanted, rtol=1e-5, atol=0)
    assert tolerant.to("cpu").uniform_share == 0.1


@settings(deadline=None, max_examples=30)
@given(history=histories)
def test_nothing_is_impossible(history: str) -> None:
    log_probs, states = MODEL.extend(after(history), ALL[None])
    assert log_probs.dtype == torch.float32
    assert torch.isfinite(log_probs).all()
    assert (log_probs < 0).all()
    assert states.dtype == torch.int64


@settings(deadline=None, max_examples=30)
@given(history=histories, start=st.text(st.sampled_from(CHARACTERS), max_size=5))
def test_a_state_is_the_end_of_the_text(history: str, start: str) -> None:
    """Behind the same last characters comes the same."""
    assert after(f"{start} {history}"[-CONFIG.order :]).equal(after(f"x{start} {history}"[-CONFIG.order :]))
    assert after(f"{start} the").equal(after(" the")), "the longest n-grams have four characters"


@pytest.mark.parametrize("text", ["", "the cat sat", "northern line", "zebra", "Q", "axyq axy"])
def test_a_state_holds_nothing_that_makes_no_difference(text: str) -> None:
    """So hypotheses of equal futures have equal states."""
    model = LanguageModel.of(build([*DOCUMENTS, ["axyq", "axyr"]], CONFIG))  # axy and xy are known, but none behind
    assert (model.followers[after(text, model)] != 0).all()


def test_bits_are_counted() -> None:
    numbers = [0, 2**63 - 1, *(1 << bit for bit in range(63)), *(random.Random(0).getrandbits(63) for _ in range(100))]
    assert _count_bits(torch.tensor(numbers)).tolist() == [number.bit_count() for number in numbers]


def test_a_batch_is_the_same_as_one_at_a_time() -> None:
    texts = ["", "the", "on the n", "!", "Zz", "at ten"]
    tokens = torch.randint(4, len(SYMBOLS), (len(texts), 9), generator=torch.Generator().manual_seed(0))
    tokens[:, 0] = torch.tensor(encode("tht et"))
    states = torch.cat([after(text) for text in texts])
    log_probs, behind = MODEL.extend(states, tokens)
    assert log_probs.shape == (6, 9)
    assert behind.shape == (6, 9, 1)
    for row, text in enumerate(texts):
        for column, token in enumerate(tokens[row].tolist()):
            one, state = MODEL.extend(after(text), torch.tensor([[token]]))
            assert one.item() == log_probs[row, column].item()
            assert state[0, 0].equal(behind[row, column])
            assert state[0].equal(after(text + SYMBOLS[token]))


def test_a_line_ends_where_a_word_may() -> None:
    states = torch.cat([after("the"), after("th")])
    log_probs, _ = MODEL.extend(states, torch.full((2, 1), SPACE))
    assert MODEL.ended(states).equal(log_probs[:, 0])
    assert MODEL.ended(states)[0] > MODEL.ended(states)[1] + 1


def test_a_line_begins_where_a_word_does() -> None:
    assert MODEL.start(3).tolist() == [MODEL.start(1)[0].tolist()] * 3
    assert MODEL.start(1).equal(after("at "[-1:]))
    assert probabilities("")[encode("t")[0]] > 0.2


def test_what_was_never_counted_has_little_but_the_same() -> None:
    at = probabilities("the")
    rare = at[[PAD, *encode("!?;")]]
    assert (rare == rare[0]).all()
    assert 0 < rare[0] < 1e-3
    assert after("cat!").equal(after("dog?")), "nothing is known behind it"
    unseen = next(character for character in CLASSES if character not in SEEN)
    assert at[encode(unseen)[0]] == rare[0]


def test_likely_text_is_likely() -> None:
    def bits(text: str) -> float:
        return -sum(math.log2(float(probabilities(text[:i])[t])) for i, t in enumerate(encode(text))) / len(text)

    assert bits("the train met the men") < 2.5 < 4 < bits("Xq7 zzV kJ")


def test_another_device_has_all_tensors() -> None:
    moved = MODEL.to("meta")
    tensors = [value for value in vars(moved).values() if isinstance(value, torch.Tensor)]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert len(tensors) == 7
    assert moved.depth == MODEL.depth


def test_empty_batches() -> None:
    log_probs, states = MODEL.extend(MODEL.start(2)[:0], torch.zeros(0, 4, dtype=torch.long))
    assert log_probs.shape == (0, 4)
    assert states.shape == (0, 4, 1)
