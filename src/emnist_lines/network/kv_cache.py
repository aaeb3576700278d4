"""The decoder one step at a time: keys and values of earlier positions are kept, not computed again."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emnist_lines.network.line_cnn_transformer import LineCNNTransformer


@dataclass
class _Layer:
    """One decoder layer and its keys and values, split by head: (B, heads, positions, E / heads)."""

    layer: nn.TransformerDecoderLayer
    encoder_keys: Tensor
    encoder_values: Tensor
    keys: Tensor
    values: Tensor

    @classmethod
    def start(cls, layer: nn.TransformerDecoderLayer, features: Tensor, steps: int) -> "_Layer":
        attention = layer.multihead_attn
        dim, heads = attention.embed_dim, attention.num_heads
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        both = F.linear(features, weight[dim:], bias[dim:]).chunk(2, dim=-1)
        # Laid out once as each step's matrix product reads them; as views they would be copied at every step.
        encoder_keys, encoder_values = (_split(x, heads).contiguous() for x in both)
        empty = features.new_empty(len(features), heads, steps, dim // heads)
        return cls(layer, encoder_keys, encoder_values, empty, empty.clone())

    def step(self, x: Tensor, position: int, blocked: Tensor | None) -> Tensor:
        """(B, 1, E) at `position` → (B, 1, E), post-norm as in `nn.TransformerDecoderLayer`."""
        own, cross = self.layer.self_attn, self.layer.multihead_attn
        heads, dim = own.num_heads, own.embed_dim
        query, key, value = F.linear(x, own.in_proj_weight, own.in_proj_bias).chunk(3, dim=-1)
        self.keys[:, :, position] = _split(key, heads)[:, :, 0]
        self.values[:, :, position] = _split(value, heads)[:, :, 0]
        seen = slice(0, position + 1)
        attended = _attend(_split(query, heads), self.keys[:, :, seen], self.values[:, :, seen], None)
        x = self.layer.norm1(x + own.out_proj(attended))
        query = F.linear(x, cross.in_proj_weight[:dim], cross.in_proj_bias[:dim])
        attended = _attend(_split(query, heads), self.encoder_keys, self.encoder_values, blocked)
        x = self.layer.norm2(x + cross.out_proj(attended))
        out: Tensor = self.layer.norm3(x + self.layer.linear2(torch.relu(self.layer.linear1(x))))
        return out


class KeyValueCache:
    """The decoder with the keys and values of the positions it has seen."""

    def __init__(self, network: LineCNNTransformer, features: Tensor, mask: Tensor | None, steps: int) -> None:
        """
        Args:
            network: in evaluation mode.
            features: (B, S, E) and
            mask: (B, S) bool or None, as `LineCNNTransformer.encode` returns them.
            steps: the most positions there will be.
        """
        self.network = network
        self.blocked: Tensor | None = None
        if mask is not None:
            self.blocked = torch.zeros_like(mask, dtype=features.dtype).masked_fill(mask, -torch.inf)[:, None, None, :]
        self.layers = [_Layer.start(layer, features, steps) for layer in network.transformer_decoder.layers]

    def step(self, tokens: Tensor, position: int) -> Tensor:
        """(B,) tokens at `position` → (B, 83) float log probabilities of the next ones."""
        x = self.network.embed(tokens[:, None], position)
        for layer in self.layers:
            x = layer.step(x, position, self.blocked)
        return self.network.fc(x[:, 0]).float().log_softmax(dim=-1)

    def reorder(self, rows: Tensor) -> None:
        """Let each row continue from what row `rows` (B,) has seen, of the same line."""
        for layer in self.layers:
            layer.keys, layer.values = layer.keys[rows], layer.values[rows]


def _split(x: Tensor, heads: int) -> Tensor:
    """(B, T, E) → (B, heads, T, E / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _attend(query: Tensor, keys: Tensor, values: Tensor, blocked: Tensor | None) -> Tensor:
    """Scaled dot-product attention; `blocked` (B, 1, 1, S) adds -inf where not to look. Returns (B, T, E)."""
    return F.scaled_dot_product_attention(query, keys, values, blocked).transpose(1, 2).flatten(2)
