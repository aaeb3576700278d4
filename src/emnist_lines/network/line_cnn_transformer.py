"""LineCNNTransformer: a CNN scans the line, a Transformer decoder writes it down.

Source: Full Stack Deep Learning's 2021 text-recognizer lab 4; Vaswani et al. 2017 for the decoder and the positions.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emnist_lines.common.alphabet import SYMBOLS
from emnist_lines.network.config import ModelConfig
from emnist_lines.network.dropout import Dropout, replace_dropout
from emnist_lines.network.line_cnn import LineCNN

MAX_POSITIONS = 5000


class PositionalEncoding(nn.Module):
    """Adds sinusoidal positions (Vaswani et al. 2017, section 3.5)."""

    pe: Tensor

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        position = torch.arange(MAX_POSITIONS, dtype=torch.float32)[:, None]
        frequency = torch.exp(torch.arange(0, dim, 2, dtype=torch.float32) * (-math.log(10000.0) / dim))
        pe = torch.zeros(MAX_POSITIONS, dim)
        pe[:, 0::2] = torch.sin(position * frequency)
        pe[:, 1::2] = torch.cos(position * frequency)
        self.register_buffer("pe", pe, persistent=False)

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """(B, T, E) → (B, T, E), the first of the T at position `start`."""
        out: Tensor = self.dropout(x + self.pe[start : start + x.shape[1]])
        return out


class LineCNNTransformer(nn.Module):
    """Images of lines and the tokens so far → logits of the next token at each position.

    With `normalize_features` and `mask_padding` off this is the lab's network exactly; neither adds a parameter.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.dim = config.tf_dim
        self.line_cnn = LineCNN(config)
        self.embedding = nn.Embedding(len(SYMBOLS), config.tf_dim)
        self.fc = nn.Linear(config.tf_dim, len(SYMBOLS))
        self.pos_encoder = PositionalEncoding(config.tf_dim, config.position_dropout)
        self.transformer_decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(
                config.tf_dim, config.tf_heads, config.tf_fc_dim, config.tf_dropout, batch_first=True
            ),
            config.tf_layers,
        )
        replace_dropout(self.transformer_decoder)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.uniform_(self.fc.weight, -0.1, 0.1)
        nn.init.zeros_(self.fc.bias)

    def forward(self, images: Tensor, tokens: Tensor, widths: Tensor) -> Tensor:
        """Logits (B, T, 83) for the token that follows each of `tokens` (B, T); see `encode` for the images."""
        features, mask, _ = self.encode(images, widths)
        return self.decode(tokens, features, mask)

    def encode(self, images: Tensor, widths: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """The encoder output that the decoder attends to.

        Args:
            images: (B, 28, W) uint8, ink white on black; W may be any crop that `crop_width` allows.
            widths: (B,) columns that the text takes.

        Returns:
            features: (B, S, tf_dim).
            mask: (B, S) bool, True at windows behind the text; None when `mask_padding` is off.
            hidden: (B, S, fc_dim), the encoder's hidden features, which a CTC head may read.
        """
        hidden = self.line_cnn.scan(images.to(self.fc.weight.dtype) / 255)
        features = self.line_cnn.project(hidden)
        if self.config.normalize_features:
            features = F.layer_norm(features, (self.dim,))
        else:
            features = features * math.sqrt(self.dim)
        features = self.pos_encoder(features)
        if not self.config.mask_padding:
            return features, None, hidden
        valid = self.line_cnn.valid_windows(widths)
        mask = torch.arange(features.shape[1], device=features.device) >= valid[:, None]
        return features, mask, hidden

    def decode(self, tokens: Tensor, features: Tensor, mask: Tensor | None) -> Tensor:
        """Logits (B, T, 83) of the next tokens, each position seeing only `tokens` (B, T) up to itself."""
        steps = tokens.shape[1]
        causal = torch.ones(steps, steps, dtype=torch.bool, device=tokens.device).triu(1)
        x = self.transformer_decoder(
            self.embed(tokens), features, tgt_mask=causal, memory_key_padding_mask=mask, tgt_is_causal=True
        )
        logits: Tensor = self.fc(x)
        return logits

    def embed(self, tokens: Tensor, start: int = 0) -> Tensor:
        """(B, T) tokens, the first at position `start` → (B, T, tf_dim)."""
        out: Tensor = self.pos_encoder(self.embedding(tokens) * math.sqrt(self.dim), start)
        return out
