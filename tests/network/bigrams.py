"""A language model for tests."""

import torch
from torch import Tensor

from emnist_lines.common.alphabet import END, SPECIALS, START, SYMBOLS


class Bigrams:
    """A language model that remembers one token, with random probabilities; it counts how often it is asked."""

    def __init__(self, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.log_probs = (torch.randn(len(SYMBOLS), len(SYMBOLS), generator=generator) * 2).log_softmax(dim=1)
        self.asked: list[int] = []

    def start(self, rows: int) -> Tensor:
        return torch.full((rows, 1), START)

    def extend(self, states: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        assert len(states) == len(tokens)
        assert int(tokens.min()) >= len(SPECIALS)
        self.asked.append(len(states))
        return self.log_probs[states, tokens], tokens[:, :, None]

    def ended(self, states: Tensor) -> Tensor:
        return self.log_probs[states[:, 0], END]

    def of(self, text: tuple[int, ...]) -> float:
        tokens = [START, *text, END]
        return float(self.log_probs[tokens[:-1], tokens[1:]].sum())
