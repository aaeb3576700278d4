"""A person's own words, which a language model is to expect."""

import math
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from emnist_lines.common.alphabet import CLASSES, SPACE
from emnist_lines.common.errors import FileError, reading
from emnist_lines.language.config import LanguageConfig
from emnist_lines.language.model import LanguageModel
from emnist_lines.language.smoothing import build

SHARE = 0.1
"""Of the words of a line, those expected to be a person's own."""
TIMES = 20
"""How often each counts: so often that a word's beginning leaves little to others."""
CONFIG = LanguageConfig(order=12, once_until=12)
FINE = 1024
"""Steps of a state's log odds in one nat."""


def read_words(path: Path) -> list[str]:
    """The words of a text file, without accents and without the characters that have no glyph.

    Raises:
        FileError: the file is missing, no UTF-8 text or holds no words.
    """
    with reading(path, "words"):
        text = unicodedata.normalize("NFKD", path.read_text("utf-8"))
        words = [kept for word in text.split() if (kept := re.sub(f"[^{CLASSES}]", "", word))]
    if not words:
        raise FileError(path, "holds no words")
    return words


@dataclass(frozen=True)
class WithWords:
    """A language model that takes each word from `own` with the probability SHARE, and else from `general`.

    P(word) = SHARE · P(word | own) + (1 - SHARE) · P(word | general). Of a word's next character both tell, each with
    the weight that the characters before it in the word give it. A state is the two models' states and those weights'
    log odds in steps of 1 / FINE. No own word knows what stands before it.
    """

    general: LanguageModel
    own: LanguageModel

    @classmethod
    def of(cls, general: LanguageModel, words: list[str]) -> "WithWords":
        """Own words beside a model of English."""
        return cls(general, LanguageModel.of(build([words * TIMES], CONFIG)).to(general.first.device))

    def to(self, device: torch.device | str) -> "WithWords":
        """The same model on another device."""
        return WithWords(self.general.to(device), self.own.to(device))

    def start(self, rows: int) -> Tensor:
        """(rows, 3) long, the state at the beginning of a line."""
        odds = torch.full((rows, 1), round(math.log(SHARE / (1 - SHARE)) * FINE), device=self.general.first.device)
        return torch.cat([self.general.start(rows), self.own.start(rows), odds], dim=1)

    def extend(self, states: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """As `LanguageModel.extend`, with states (R, 3) and (R, M, 3)."""
        general, general_states = self.general.extend(states[:, :1], tokens)
        own, own_states = self.own.extend(states[:, 1:2], tokens)
        odds = states[:, 2:] / FINE
        log_probs = torch.logaddexp(own + logsigmoid(odds), general + logsigmoid(-odds))
        behind = ((odds + own - general) * FINE).round().long()
        extended = torch.cat([general_states, own_states, behind[:, :, None]], dim=2)
        begun = self.start(1)[0, 1:]  # behind a space another word begins
        extended[:, :, 1:] = torch.where((tokens == SPACE)[:, :, None], begun, extended[:, :, 1:])
        return log_probs, extended

    def ended(self, states: Tensor) -> Tensor:
        """(R,) float32, as `LanguageModel.ended`."""
        return self.extend(states, torch.full_like(states[:, :1], SPACE))[0][:, 0]
