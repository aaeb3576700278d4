"""Greedy decoding of a line, with the decoder and with the CTC head."""

import torch
import torch.nn.functional as F
from torch import Tensor

from emnist_lines.common.alphabet import BLANK, END, PAD, START
from emnist_lines.network.kv_cache import KeyValueCache
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer


@torch.no_grad()
def greedy_decode(
    network: LineCNNTransformer, features: Tensor, mask: Tensor | None, max_length: int
) -> tuple[Tensor, Tensor]:
    """The most likely token at each step, until every line of the batch has ended.

    The tokens are those that decoding the whole prefix at each step would give. The network must be in evaluation mode.

    Args:
        network: the network.
        features: (B, S, E) and
        mask: (B, S) bool or None, as `LineCNNTransformer.encode` returns them.
        max_length: tokens of a line, `<S>` and `<E>` included.

    Returns:
        tokens: (B, max_length - 1) long, what follows `<S>`: text, `<E>`, then `<P>`.
        log_probs: (B, max_length - 1) float, of each chosen token; 0 behind `<E>`.
    """
    batch, steps = len(features), max_length - 1
    cache = KeyValueCache(network, features, mask, steps)
    tokens = torch.full((batch, steps), PAD, dtype=torch.long, device=features.device)
    log_probs = torch.zeros(batch, steps, dtype=torch.float32, device=features.device)
    current = torch.full((batch,), START, dtype=torch.long, device=features.device)
    ended = torch.zeros(batch, dtype=torch.bool, device=features.device)
    for position in range(steps):
        best, index = cache.step(current, position).max(dim=-1)
        tokens[:, position] = index.masked_fill(ended, PAD)
        log_probs[:, position] = best.masked_fill(ended, 0)
        ended |= index == END
        if bool(ended.all()):
            break
        current = index
    return tokens, log_probs


def greedy_ctc(logits: Tensor, windows: Tensor) -> Tensor:
    """The best path of a CTC head: repeats merged, blanks dropped (Graves et al. 2006, section 3.2).

    Args:
        logits: (B, S, 83).
        windows: (B,) windows that see text.

    Returns:
        (B, S) long: text, then `<P>`.
    """
    path = logits.argmax(dim=-1)
    previous = F.pad(path, (1, 0), value=BLANK)[:, :-1]
    inside = torch.arange(path.shape[1], device=path.device) < windows[:, None]
    kept = (path != previous) & (path != BLANK) & inside
    order = (~kept).to(torch.int8).argsort(dim=1, stable=True)
    return path.masked_fill(~kept, PAD).gather(1, order)
