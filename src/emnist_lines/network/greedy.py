"""Reading a line: greedy decoding with cached keys and values, and greedy CTC."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emnist_lines.common.alphabet import BLANK, END, PAD, SPECIALS, START, SYMBOLS, decode
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer


@dataclass
class _Layer:
    """One decoder layer with what it has already computed; head-split shapes are (B, heads, positions, E / heads)."""

    layer: nn.TransformerDecoderLayer
    memory_keys: Tensor
    memory_values: Tensor
    keys: Tensor
    values: Tensor

    @classmethod
    def start(cls, layer: nn.TransformerDecoderLayer, memory: Tensor, steps: int) -> "_Layer":
        attention = layer.multihead_attn
        dim, heads = attention.embed_dim, attention.num_heads
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        both = F.linear(memory, weight[dim:], bias[dim:]).chunk(2, dim=-1)
        # Laid out once as each step's matrix product reads them; as views they would be copied at every step.
        memory_keys, memory_values = (_split(x, heads).contiguous() for x in both)
        empty = memory.new_empty(len(memory), heads, steps, dim // heads)
        return cls(layer, memory_keys, memory_values, empty, empty.clone())

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
        attended = _attend(_split(query, heads), self.memory_keys, self.memory_values, blocked)
        x = self.layer.norm2(x + cross.out_proj(attended))
        out: Tensor = self.layer.norm3(x + self.layer.linear2(torch.relu(self.layer.linear1(x))))
        return out


class Cache:
    """The decoder with the keys and values of what it has seen, so that each step computes its own position alone."""

    def __init__(self, model: LineCNNTransformer, memory: Tensor, mask: Tensor | None, steps: int) -> None:
        """
        Args:
            model: the network, in evaluation mode.
            memory: (B, S, E) and
            mask: (B, S) bool or None, as `LineCNNTransformer.encode` returns them.
            steps: the most positions there will be.
        """
        self.model = model
        self.blocked: Tensor | None = None
        if mask is not None:
            self.blocked = torch.zeros_like(mask, dtype=memory.dtype).masked_fill(mask, -torch.inf)[:, None, None, :]
        self.layers = [_Layer.start(layer, memory, steps) for layer in model.transformer_decoder.layers]

    def step(self, tokens: Tensor, position: int) -> Tensor:
        """(B,) tokens at `position` → (B, 83) float log probabilities of the next ones."""
        x = self.model.embed(tokens[:, None], position)
        for layer in self.layers:
            x = layer.step(x, position, self.blocked)
        return self.model.fc(x[:, 0]).float().log_softmax(dim=-1)

    def reorder(self, rows: Tensor) -> None:
        """Let each row go on from what row `rows` (B,) has seen, of the same line."""
        for layer in self.layers:
            layer.keys, layer.values = layer.keys[rows], layer.values[rows]


def _split(x: Tensor, heads: int) -> Tensor:
    """(B, T, E) → (B, heads, T, E / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _attend(query: Tensor, keys: Tensor, values: Tensor, blocked: Tensor | None) -> Tensor:
    """Scaled dot-product attention; `blocked` (B, 1, 1, S) adds -inf where not to look. Returns (B, T, E)."""
    scores = query @ keys.transpose(-1, -2) / math.sqrt(query.shape[-1])
    if blocked is not None:
        scores = scores + blocked
    return (scores.softmax(dim=-1) @ values).transpose(1, 2).flatten(2)


@torch.no_grad()
def greedy_decode(
    model: LineCNNTransformer, memory: Tensor, mask: Tensor | None, max_length: int
) -> tuple[Tensor, Tensor]:
    """The most likely token at each step, until every line of the batch has ended.

    Token for token what decoding the whole prefix again at each step gives; keys and values are kept instead. The
    model must be in evaluation mode.

    Args:
        model: the network.
        memory: (B, S, E) and
        mask: (B, S) bool or None, as `LineCNNTransformer.encode` returns them.
        max_length: tokens of a line, `<S>` and `<E>` among them.

    Returns:
        tokens: (B, max_length - 1) long, what follows `<S>`: text, `<E>`, then `<P>`.
        log_probs: (B, max_length - 1) float, of each chosen token; 0 behind `<E>`.
    """
    batch, steps = len(memory), max_length - 1
    cache = Cache(model, memory, mask, steps)
    tokens = torch.full((batch, steps), PAD, dtype=torch.long, device=memory.device)
    log_probs = torch.zeros(batch, steps, dtype=torch.float32, device=memory.device)
    current = torch.full((batch,), START, dtype=torch.long, device=memory.device)
    ended = torch.zeros(batch, dtype=torch.bool, device=memory.device)
    for position in range(steps):
        best, index = cache.step(current, position).max(dim=-1)
        tokens[:, position] = index.masked_fill(ended, PAD)
        log_probs[:, position] = best.masked_fill(ended, 0)
        ended |= index == END
        if bool(ended.all()):
            break
        current = index
    return tokens, log_probs


@dataclass(frozen=True)
class Text:
    """What was read in a line.

    Attributes:
        text: its characters.
        confidence: the probability of the text as a whole, its end included.
        confidences: of each character, its probability after those before it.
    """

    text: str
    confidence: float
    confidences: list[float]


def spoken(tokens: Tensor, log_probs: Tensor, label_smoothing: float) -> list[Text]:
    """What `greedy_decode` returns, (B, T) each, as text.

    A network trained with label smoothing says (1 - s) · p + s / 83 where it means p: confidences are those p.
    """
    each = (log_probs.exp() - label_smoothing / len(SYMBOLS)) / (1 - label_smoothing)
    each = each.clamp(0, 1)
    rows = zip(tokens.tolist(), each.prod(dim=1).tolist(), each.tolist(), strict=True)
    return [
        Text(decode(row), whole, [p for token, p in zip(row, each, strict=True) if token >= len(SPECIALS)])
        for row, whole, each in rows
    ]


def greedy_ctc(logits: Tensor, lengths: Tensor) -> Tensor:
    """The best path of a CTC head: repeats merged, blanks dropped (Graves et al. 2006, section 3.2).

    Args:
        logits: (B, S, 83).
        lengths: (B,) windows that see text.

    Returns:
        (B, S) long: text, then `<P>`.
    """
    path = logits.argmax(dim=-1)
    previous = F.pad(path, (1, 0), value=BLANK)[:, :-1]
    inside = torch.arange(path.shape[1], device=path.device) < lengths[:, None]
    kept = (path != previous) & (path != BLANK) & inside
    order = (~kept).to(torch.int8).argsort(dim=1, stable=True)
    return path.masked_fill(~kept, PAD).gather(1, order)
