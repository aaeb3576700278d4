"""How likely each next character of a line is, for many beginnings of lines at once."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from emnist_lines.common.alphabet import SPACE, SYMBOLS
from emnist_lines.language.counts import KNOWN
from emnist_lines.language.tree import Packed, unpack


@dataclass(frozen=True)
class LanguageModel:
    """Interpolated n-grams of characters; a state is the longest known context at the end of what was written.

    P(c | h) = share(h c) + escape(h) · P(c | h without its first character), and 1/83 where no context is left. Over
    the alphabet it sums to 1. What was never counted (punctuation, special tokens) has the little that all contexts
    leave. The end of a line is no character: as a line may end behind any word, it has the probability of a space.

    People also write names, numbers and other languages. So that no text is held against them for long, a share of each
    probability is the same for all tokens: uniform_share / 83 + (1 - uniform_share) · P(c | h).

    Attributes:
        followers, first, shorter, context, log_probs, escapes: as in `Tree`.
        bits: (83,) int64, each token's bit in `followers`; 0: it was never counted.
        depth: characters of the longest n-gram.
        uniform_share: from 0 on, and less than 1.
    """

    followers: Tensor
    first: Tensor
    shorter: Tensor
    context: Tensor
    log_probs: Tensor
    escapes: Tensor
    bits: Tensor
    depth: int
    uniform_share: float = 0.0

    @classmethod
    def of(cls, packed: Packed, uniform_share: float = 0.0) -> "LanguageModel":
        """The model of a tree of n-grams.

        Raises:
            ValueError: these are not the n-grams of a text.
        """
        tree = unpack(packed)
        bits = torch.tensor([1 << KNOWN.index(symbol) if symbol in KNOWN else 0 for symbol in SYMBOLS])
        return cls(
            torch.from_numpy(tree.followers),
            torch.from_numpy(tree.first),
            torch.from_numpy(tree.shorter),
            torch.from_numpy(tree.context),
            torch.from_numpy(tree.log_probs),
            torch.from_numpy(tree.escapes),
            bits,
            tree.depth,
            uniform_share,
        )

    def to(self, device: torch.device | str) -> "LanguageModel":
        """The same model on another device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {name: x.to(device) for name, x in values.items() if isinstance(x, Tensor)}
        return replace(self, **moved)

    def start(self, rows: int) -> Tensor:
        """(rows, 1) long, the state at the beginning of a line, where a word begins."""
        root = torch.zeros(1, 1, dtype=torch.long, device=self.first.device)
        _, state = self.extend(root, torch.full_like(root, SPACE))
        return state[:, 0].repeat(rows, 1)

    def extend(self, states: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Each state with each of M next characters.

        Args:
            states: (R, 1) long.
            tokens: (R, M) long, of the alphabet.

        Returns:
            log_probs: (R, M) float32, natural log of the tokens' probabilities.
            states: (R, M, 1) long, after them.
        """
        contexts = self._contexts(states[:, 0])
        followers, escapes = self.followers[contexts], self.escapes[contexts]
        escaped = escapes.cumsum(dim=1)
        bits = self.bits[tokens]
        follows = (followers[:, :, None] & bits[:, None, :]) != 0  # (R, contexts, M)
        longest = follows.byte().argmax(dim=1)  # the first of equals
        known = follows.any(dim=1)
        rank = _count_bits(followers.gather(1, longest) & (bits - 1))
        node = torch.where(known, self.first[contexts.gather(1, longest)] + rank, 0)
        passed = torch.where(known, (escaped - escapes).gather(1, longest), escaped[:, -1:])
        log_probs = passed + self.log_probs[node]
        if self.uniform_share > 0:
            uniform = torch.full_like(log_probs, math.log(self.uniform_share / len(SYMBOLS)))
            log_probs = torch.logaddexp(log_probs + math.log1p(-self.uniform_share), uniform)
        return log_probs, self.context[node].long()[:, :, None]

    def ended(self, states: Tensor) -> Tensor:
        """(R,) float32, natural log of the probability that the line may end here; states: (R, 1) long."""
        return self.extend(states, torch.full_like(states, SPACE))[0][:, 0]

    def _contexts(self, state: Tensor) -> Tensor:
        """(R, depth) long, the state's context, the next shorter one and so on."""
        contexts = [state]
        for _ in range(1, self.depth):
            contexts.append(self.shorter[contexts[-1]].long())
        return torch.stack(contexts, dim=1)


def _count_bits(numbers: Tensor) -> Tensor:
    """How many bits are set in each of int64 numbers that are not negative.

    Method: sums of neighbouring groups of bits (Warren, "Hacker's Delight", section 5-1).
    """
    numbers = numbers - ((numbers >> 1) & 0x5555555555555555)
    numbers = (numbers & 0x3333333333333333) + ((numbers >> 2) & 0x3333333333333333)
    numbers = (numbers + (numbers >> 4)) & 0x0F0F0F0F0F0F0F0F
    return (numbers * 0x0101010101010101) >> 56
