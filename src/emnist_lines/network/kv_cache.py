"""The decoder one step at a time: keys and values of earlier positions are kept, not computed again.

A line may have several rows, the hypotheses of a beam search. They share the encoder's keys and values, and also those
of the positions where they are still the same: the hypotheses of a line are a tree whose nodes are stored once, and
each row looks at the nodes on its path. No row's keys are ever copied when another one continues it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emnist_lines.network.line_cnn_transformer import LineCNNTransformer
from emnist_lines.network.rows import Rows

LEFT = 3 / 4
"""When fewer of the stored lines have rows, the others are forgotten. Oftener, copying would cost what it saves."""


@dataclass(frozen=True)
class _View:
    """Where the rows of a step are, and what they see.

    Attributes:
        rows: the rows.
        nodes: (R,) long, where each row's own position is stored in its line.
        used: stored nodes of the line that has most.
        seen: (L, 1, width, used) float, -inf at nodes that are not on the row's path; None: each row sees all.
        blocked: (L, 1, 1, S) float, -inf at windows that are not to be seen; None: there are none.
    """

    rows: Rows
    nodes: Tensor
    used: int
    seen: Tensor | None
    blocked: Tensor | None


@dataclass
class _Layer:
    """One decoder layer and its keys and values, split by head: (L, heads, windows or nodes, E / heads)."""

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
        empty = features.new_zeros(len(features), heads, steps, dim // heads)
        return cls(layer, encoder_keys, encoder_values, empty, empty.clone())

    def step(self, x: Tensor, view: _View) -> Tensor:
        """(R, E) → (R, E), post-norm as in `nn.TransformerDecoderLayer`."""
        own, cross, rows = self.layer.self_attn, self.layer.multihead_attn, view.rows
        heads, dim = own.num_heads, own.embed_dim
        query, key, value = F.linear(x, own.in_proj_weight, own.in_proj_bias).chunk(3, dim=-1)
        everywhere = slice(None)  # one row per line writes to one place, which is faster said as such
        place = (everywhere, everywhere, view.used - 1) if view.seen is None else (rows.lines, everywhere, view.nodes)
        self.keys[place], self.values[place] = key.unflatten(-1, (heads, -1)), value.unflatten(-1, (heads, -1))
        stored = slice(0, view.used)
        attended = _attend(
            _split(rows.pad(query), heads), self.keys[:, :, stored], self.values[:, :, stored], view.seen
        )
        x = self.layer.norm1(x + own.out_proj(rows.take(attended)))
        query = F.linear(x, cross.in_proj_weight[:dim], cross.in_proj_bias[:dim])
        attended = _attend(_split(rows.pad(query), heads), self.encoder_keys, self.encoder_values, view.blocked)
        x = self.layer.norm2(x + cross.out_proj(rows.take(attended)))
        out: Tensor = self.layer.norm3(x + self.layer.linear2(torch.relu(self.layer.linear1(x))))
        return out

    def keep(self, lines: Tensor) -> None:
        """Forget all lines but these."""
        self.encoder_keys, self.encoder_values = self.encoder_keys[lines], self.encoder_values[lines]
        self.keys, self.values = self.keys[lines], self.values[lines]

    def grow(self, nodes: int) -> None:
        """Room for so many more nodes."""
        self.keys, self.values = (F.pad(x, (0, 0, 0, nodes)) for x in (self.keys, self.values))


class KeyValueCache:
    """The decoder with the keys and values of the positions it has seen."""

    def __init__(self, network: LineCNNTransformer, features: Tensor, mask: Tensor | None, steps: int) -> None:
        """
        Args:
            network: in evaluation mode.
            features: (L, S, E) and
            mask: (L, S) bool or None, as `LineCNNTransformer.encode` returns them.
            steps: the most positions there will be.
        """
        self.network, self.steps = network, steps
        self.blocked: Tensor | None = None
        if mask is not None:
            self.blocked = torch.zeros_like(mask, dtype=features.dtype).masked_fill(mask, -torch.inf)[:, None, None, :]
        self.layers = [_Layer.start(layer, features, steps) for layer in network.transformer_decoder.layers]
        self.lines = torch.arange(len(features), device=features.device)  # (R,) of each row, as stored here
        self.used = torch.zeros_like(self.lines)  # (L,) nodes of each line
        self.paths: Tensor | None = None  # (R, nodes) bool; None: lines have had one row each, which sees all

    def step(self, tokens: Tensor, position: int, parents: Tensor | None = None) -> Tensor:
        """Each row's next token at `position` → log probabilities of the one after it.

        Args:
            tokens: (R,) long.
            position: from 0.
            parents: (R,) long, which row of the step before each row continues, the rows of a line side by side in the
                order of the lines; lines may have any number of rows, or none for good. None: each continues itself.
                At the first step, where each line has one row, it must be None.

        Returns:
            (R, 83) float.
        """
        if parents is not None:
            self._branch(parents, position)
        view = self._view()
        x = self.network.embed(tokens[:, None], position)[:, 0]
        for layer in self.layers:
            x = layer.step(x, view)
        return self.network.fc(x).float().log_softmax(dim=-1)

    def _branch(self, parents: Tensor, position: int) -> None:
        if self.paths is None:
            capacity = self.layers[0].keys.shape[2]
            self.paths = (torch.arange(capacity, device=parents.device) < position).repeat(len(self.lines), 1)
        self.lines, self.paths = self.lines[parents], self.paths[parents]
        present, lines = self.lines.unique_consecutive(return_inverse=True)
        if len(present) < LEFT * len(self.used):
            self.lines, self.used = lines, self.used[present]
            self.blocked = None if self.blocked is None else self.blocked[present]
            for layer in self.layers:
                layer.keep(present)

    def _view(self) -> _View:
        rows = Rows.of(self.lines, len(self.used))
        nodes = self.used[rows.lines] + rows.slots
        self.used = self.used + rows.counts
        used = int(self.used.max())
        if self.paths is None:
            return _View(rows, nodes, used, None, self.blocked)
        missing = used - self.paths.shape[1]
        if missing > 0:
            more = max(missing, self.steps)  # so that there is not much to copy each time
            self.paths = F.pad(self.paths, (0, more))
            for layer in self.layers:
                layer.grow(more)
        self.paths.scatter_(1, nodes[:, None], True)
        paths = rows.pad(self.paths[:, :used])
        seen = torch.zeros(paths.shape, device=paths.device, dtype=self.network.fc.weight.dtype)
        return _View(rows, nodes, used, seen.masked_fill(~paths, -torch.inf)[:, None], self.blocked)


def _split(x: Tensor, heads: int) -> Tensor:
    """(L, T, E) → (L, heads, T, E / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _attend(query: Tensor, keys: Tensor, values: Tensor, blocked: Tensor | None) -> Tensor:
    """Scaled dot-product attention; `blocked` adds -inf where not to look. Returns (L, T, E)."""
    return F.scaled_dot_product_attention(query, keys, values, blocked).transpose(1, 2).flatten(2)
