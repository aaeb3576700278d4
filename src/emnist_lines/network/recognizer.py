"""A recognizer: the network with its CTC head, from images of lines to transcriptions."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from emnist_lines.common.alphabet import PAD, SYMBOLS
from emnist_lines.network.beam_search import ScoreWeights, beam_search
from emnist_lines.network.config import ModelConfig
from emnist_lines.network.ctc_prefix import Outputs
from emnist_lines.network.greedy import greedy_ctc, greedy_decode
from emnist_lines.network.language_scorer import LanguageScorer
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer
from emnist_lines.network.transcription import Transcription, texts_of, transcriptions


@dataclass(frozen=True)
class Encoded:
    """What the encoder makes of a batch of lines.

    Attributes:
        features: (B, S, E) float, what the decoder attends to.
        mask: (B, S) bool, True at windows behind the text; None: the decoder attends to all.
        ctc_logits: (B, S, 83) float; None without a CTC head.
        windows: (B,) long, windows that see text.
    """

    features: Tensor
    mask: Tensor | None
    ctc_logits: Tensor | None
    windows: Tensor


@dataclass(frozen=True)
class Recognizer:
    """Encodes lines and decodes them. It keeps nothing between calls.

    Attributes:
        network: the network, in evaluation mode where lines are decoded.
        ctc_head: a linear layer on the encoder's hidden features; None: there is none.
        max_length: tokens of a line, `<S>` and `<E>` included.
        label_smoothing: that the network was trained with; confidences are corrected for it.
    """

    network: LineCNNTransformer
    ctc_head: nn.Linear | None
    max_length: int
    label_smoothing: float

    @classmethod
    def build(cls, config: ModelConfig, max_length: int, label_smoothing: float, with_ctc: bool) -> "Recognizer":
        """A recognizer with random weights."""
        network = LineCNNTransformer(config)
        return cls(network, ctc_head(config) if with_ctc else None, max_length, label_smoothing)

    def encode(self, images: Tensor, widths: Tensor) -> Encoded:
        """Encode lines.

        Args:
            images: (B, 28, W) uint8, white ink on black.
            widths: (B,) columns that the text takes.
        """
        features, mask, hidden = self.network.encode(images, widths)
        logits = None if self.ctc_head is None else self.ctc_head(hidden)
        return Encoded(features, mask, logits, self.network.line_cnn.valid_windows(widths))

    def token_losses(self, encoded: Encoded, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy of each target token, given those before it (teacher forcing, no label smoothing).

        Args:
            encoded: the lines.
            tokens: (B, T) long, what is written, from `<S>` on.

        Returns:
            losses: (B, T - 1) float, nats; 0 at `<P>`.
            logits: (B, T - 1, 83) float.
        """
        logits = self.network.decode(tokens[:, :-1], encoded.features, encoded.mask)
        losses = F.cross_entropy(logits.transpose(1, 2), tokens[:, 1:], ignore_index=PAD, reduction="none")
        return losses, logits

    def greedy(self, encoded: Encoded) -> list[Transcription]:
        """The decoder's most likely token at each step."""
        tokens, log_probs = greedy_decode(self.network, encoded.features, encoded.mask, self.max_length)
        return transcriptions(tokens, log_probs, self.label_smoothing)

    def ctc(self, encoded: Encoded) -> list[str]:
        """The texts of the CTC head's best path.

        Raises:
            ValueError: there is no CTC head.
        """
        return texts_of(greedy_ctc(self._ctc_logits(encoded), encoded.windows))

    def beam(
        self, encoded: Encoded, width: int, weights: ScoreWeights, language: LanguageScorer | None = None
    ) -> list[Transcription]:
        """What a beam search on the scores of decoder, CTC head and language model finds; see `beam_search`.

        Label smoothing is not taken out of the confidences: the search weighs whole texts against each other, and what
        smoothing gives to a wrong character is no large part of the other scores' product.

        Raises:
            ValueError: the CTC head or the language model has a weight, and there is none.
        """
        ctc = Outputs.of(self._ctc_logits(encoded), encoded.windows) if weights.ctc else None
        found = beam_search(
            self.network,
            encoded.features,
            encoded.mask,
            ctc,
            language,
            weights=weights,
            max_length=self.max_length,
            width=width,
        )
        return transcriptions(found.tokens, found.log_probs, label_smoothing=0.0)

    @staticmethod
    def _ctc_logits(encoded: Encoded) -> Tensor:
        if encoded.ctc_logits is None:
            raise ValueError("this recognizer has no CTC head")
        return encoded.ctc_logits

    def modules(self) -> nn.ModuleDict:
        """Its modules by the names that a model file uses: model, and ctc_head where there is one."""
        return nn.ModuleDict({"model": self.network, **({"ctc_head": self.ctc_head} if self.ctc_head else {})})


def ctc_head(config: ModelConfig) -> nn.Linear:
    """A linear layer from the encoder's hidden features (fc_dim) to the logits of the 83 symbols."""
    return nn.Linear(config.fc_dim, len(SYMBOLS))
