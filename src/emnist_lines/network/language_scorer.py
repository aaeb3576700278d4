"""What a beam search asks of a language model, which it knows no more of."""

from typing import Protocol

from torch import Tensor


class LanguageScorer(Protocol):
    """A language model of characters, asked for many texts at once.

    A text is a row, and its state is what the model remembers of it: K numbers.
    """

    def start(self, rows: int) -> Tensor:
        """(rows, K) int64, states at the beginning of a line."""
        ...

    def extend(self, states: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Each text with each of M next characters.

        Args:
            states: (R, K) int64.
            tokens: (R, M) int64, of the alphabet.

        Returns:
            log_probs: (R, M) float32, of each character after the text.
            states: (R, M, K) int64, behind it.
        """
        ...

    def ended(self, states: Tensor) -> Tensor:
        """(R,) float32 log probability that the line ends behind the text."""
        ...
