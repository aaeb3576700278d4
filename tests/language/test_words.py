"""A person's own words become likely, and others stay nearly as likely as they were."""

import math
from pathlib import Path

import pytest
import torch

from emnist_lines.common.alphabet import SYMBOLS, encode
from emnist_lines.common.errors import FileError
from emnist_lines.language.model import LanguageModel
from emnist_lines.language.smoothing import build
from emnist_lines.language.words import SHARE, WithWords, read_words
from tests.language.helpers import CONFIG, DOCUMENTS

GENERAL = LanguageModel.of(build(DOCUMENTS, CONFIG))
MODEL = WithWords.of(GENERAL, ["Griston", "Grover", "zebra"])


def of_text(model: LanguageModel | WithWords, text: str) -> float:
    """Natural log of the probability of a text that begins a line, and then may end."""
    state, total = model.start(1), 0.0
    for token in encode(text):
        log_probs, states = model.extend(state, torch.tensor([[token]]))
        total, state = total + log_probs.item(), states[:, 0]
    return total + model.ended(state).item()


@pytest.mark.parametrize("word", ["Griston", "the", "Grant", "zeb", "a"])
def test_a_word_is_from_either(word: str) -> None:
    own, general = math.exp(of_text(MODEL.own, word)), math.exp(of_text(GENERAL, word))
    assert of_text(MODEL, word) == pytest.approx(math.log(SHARE * own + (1 - SHARE) * general), abs=0.02)


def test_own_words_become_likely_wherever_they_stand() -> None:
    assert of_text(GENERAL, "Griston") < -15
    alone = of_text(MODEL, "Griston")
    assert alone > -5
    assert of_text(MODEL, "the Griston") > of_text(MODEL, "the") + alone - 1
    assert of_text(MODEL, "Grover Griston") == pytest.approx(of_text(MODEL, "Grover") + alone, abs=0.1)


def test_other_words_lose_little() -> None:
    text = "the men met"
    assert of_text(GENERAL, text) + 4 * math.log(1 - SHARE) <= of_text(MODEL, text) + 0.05


@pytest.mark.parametrize("text", ["", "Gr", "the", "the ", "Griston ", "x!", "zebraz"])
def test_probabilities_sum_to_one(text: str) -> None:
    state = MODEL.start(1)
    for token in encode(text):
        state = MODEL.extend(state, torch.tensor([[token]]))[1][:, 0]
    log_probs, states = MODEL.extend(state, torch.arange(len(SYMBOLS))[None])
    assert log_probs.double().exp().sum().item() == pytest.approx(1, abs=1e-5)
    assert torch.isfinite(log_probs).all()
    assert log_probs.dtype == torch.float32
    assert states.shape == (1, 83, 3)
    assert states.dtype == torch.int64


def test_a_batch_is_the_same_as_one_at_a_time() -> None:
    tokens = torch.tensor([encode("Gt z"), encode(" !et")])
    states = MODEL.extend(MODEL.start(1), torch.tensor([encode("Gt")]))[1][0]
    log_probs, behind = MODEL.extend(states, tokens)
    ended = MODEL.ended(states)
    for row in range(2):
        assert MODEL.ended(states[row : row + 1]).item() == ended[row].item()
        for column in range(4):
            one, state = MODEL.extend(states[row : row + 1], tokens[row : row + 1, column : column + 1])
            assert one.item() == pytest.approx(log_probs[row, column].item(), abs=1e-6)
            assert state[0, 0].equal(behind[row, column])


def test_another_device() -> None:
    moved = MODEL.to("meta")
    assert moved.general.first.device.type == moved.own.first.device.type == "meta"


def test_words_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("O'Brien\n\nSão Paulo\n— Griston\n", "utf-8")
    assert read_words(path) == ["OBrien", "Sao", "Paulo", "Griston"]


@pytest.mark.parametrize(("content", "problem"), [(b" \n!\n", "holds no words"), (b"\xff\xfe\0", "holds no words")])
def test_files_without_words(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(FileError, match=problem):
        read_words(path)
    with pytest.raises(FileError, match="is missing"):
        read_words(tmp_path / "none.txt")
