"""What a recognizer makes of a line: text and confidence."""

from dataclasses import dataclass

from torch import Tensor

from emnist_lines.common.alphabet import SPECIALS, SYMBOLS, decode


@dataclass(frozen=True)
class Transcription:
    """The text of a line, as recognized.

    Attributes:
        text: its characters.
        confidence: probability of the text as a whole, its end included.
        confidences: of each character, its probability after those before it.
    """

    text: str
    confidence: float
    confidences: list[float]


def transcriptions(tokens: Tensor, log_probs: Tensor, label_smoothing: float) -> list[Transcription]:
    """The transcriptions that decoded tokens stand for.

    A network trained with label smoothing s outputs (1 - s) · p + s / 83 where its own belief is p. Confidences are p.

    Args:
        tokens: (B, T) long.
        log_probs: (B, T) float, of each token.
        label_smoothing: s.
    """
    each = (log_probs.exp() - label_smoothing / len(SYMBOLS)) / (1 - label_smoothing)
    each = each.clamp(0, 1)
    rows = zip(tokens.tolist(), each.prod(dim=1).tolist(), each.tolist(), strict=True)
    return [
        Transcription(decode(row), confidence, [p for t, p in zip(row, each, strict=True) if t >= len(SPECIALS)])
        for row, confidence, each in rows
    ]


def texts_of(tokens: Tensor) -> list[str]:
    """The texts of tokens (B, T), each up to its first `<E>`."""
    return [decode(row) for row in tokens.tolist()]
