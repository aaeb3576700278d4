"""Beam search over hypotheses that the decoder and the CTC head score together.

Method: joint CTC-attention decoding in one pass (Watanabe et al. 2017, "Hybrid CTC/Attention Architecture", section
III.C). The CTC head's probability of a prefix follows Graves 2008, section 7.5.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from emnist_lines.common.alphabet import BLANK, END, PAD, START
from emnist_lines.network.kv_cache import KeyValueCache
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer

NEVER = -1e30
"""Log probability of what cannot be; finite, so that sums and differences of it are numbers."""


@dataclass(frozen=True)
class Prefixes:
    """The CTC head's view of a prefix in each row.

    Attributes:
        label: (R, S + 1) float64; column s is the log probability that the first s windows output the prefix and that
            the last of them outputs its last character.
        blank: (R, S + 1) float64; the same, but the last of them outputs a blank.
        last: (R,) long, the last character; BLANK for an empty prefix.
    """

    label: Tensor
    blank: Tensor
    last: Tensor

    @classmethod
    def empty(cls, log_probs: Tensor) -> "Prefixes":
        """An empty prefix in each row; log_probs as in `extend`."""
        rows, windows, _ = log_probs.shape
        blank = torch.zeros(rows, windows + 1, dtype=log_probs.dtype, device=log_probs.device)
        blank[:, 1:] = log_probs[:, :, BLANK].cumsum(dim=1)
        label = torch.full_like(blank, NEVER)
        return cls(label, blank, torch.full((rows,), BLANK, device=log_probs.device))

    def ended(self) -> Tensor:
        """(R,) log probability that the windows output the prefix and no more."""
        return torch.logaddexp(self.label[:, -1], self.blank[:, -1])

    def extend(self, tokens: Tensor, log_probs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each prefix with each of M next characters.

        Args:
            tokens: (R, M) long, the characters.
            log_probs: (R, S, 83) float64 of the CTC head; windows behind the line certainly output blanks.

        Returns:
            scores: (R, M) float64, log probability that the text begins with the longer prefix.
            label, blank: (R, M, S + 1) float64, as in the class.
        """
        rows, windows, _ = log_probs.shape
        at = tokens[:, None, :].expand(rows, windows, tokens.shape[1])
        output = log_probs.gather(2, at).transpose(1, 2)  # (R, M, S)
        repeated = (tokens == self.last[:, None])[:, :, None]  # a repeat needs a blank between
        before = torch.logaddexp(self.label, self.blank)[:, None, :-1]
        enter = torch.where(repeated, self.blank[:, None, :-1], before)
        scores = (enter + output).logsumexp(dim=2)
        label = _filtered(enter + output, output)
        blank_log_probs = log_probs[:, None, :, BLANK]
        blank = _filtered(label[:, :, :-1] + blank_log_probs, blank_log_probs.expand_as(output))
        return scores, label, blank


def _filtered(enter: Tensor, stay: Tensor) -> Tensor:
    """The recursion x[0] = NEVER, x[s + 1] = log(exp(enter[s]) + exp(x[s] + stay[s])) along the last dimension."""
    total = stay.cumsum(dim=-1)
    out = torch.full((*enter.shape[:-1], enter.shape[-1] + 1), NEVER, dtype=enter.dtype, device=enter.device)
    out[..., 1:] = torch.logcumsumexp(enter - total, dim=-1) + total
    return out


@torch.no_grad()
def beam_search(
    network: LineCNNTransformer,
    features: Tensor,
    mask: Tensor | None,
    ctc_logits: Tensor,
    windows: Tensor,
    max_length: int,
    width: int,
    ctc_weight: float,
) -> Tensor:
    """The hypothesis of the best score that a beam search finds for each line.

    The score of a text is (1 - ctc_weight) times the decoder's log probability plus ctc_weight times the CTC head's.
    For an unfinished hypothesis the CTC head's term is the log probability of all texts that begin with it. There is
    no term for length.

    Args:
        network: in evaluation mode.
        features: (B, S, E) and
        mask: (B, S) bool or None, as `LineCNNTransformer.encode` returns them.
        ctc_logits: (B, S, 83) of the CTC head.
        windows: (B,) windows that see text.
        max_length: tokens of a line, `<S>` and `<E>` included.
        width: hypotheses kept at each step.
        ctc_weight: 0 (the decoder alone) to 1.

    Returns:
        (B, max_length - 1) long, what follows `<S>`: text, `<E>`, then `<P>`.
    """
    lines, steps, device = len(features), max_length - 1, features.device
    log_probs = _blank_behind(ctc_logits.double().log_softmax(dim=-1), windows).repeat_interleave(width, dim=0)
    cache = KeyValueCache(
        network,
        features.repeat_interleave(width, dim=0),
        None if mask is None else mask.repeat_interleave(width, dim=0),
        steps,
    )
    prefixes = Prefixes.empty(log_probs)
    rows = lines * width
    first = (torch.arange(lines, device=device) * width)[:, None]
    scores = torch.full((lines, width), NEVER, dtype=torch.float64, device=device)
    scores[:, 0] = 0  # all rows of a line are still the same
    decoder = torch.zeros(rows, dtype=torch.float64, device=device)  # its part of the score
    tokens = torch.full((rows, steps), PAD, device=device)
    current = torch.full((rows,), START, device=device)
    ended = torch.zeros(rows, dtype=torch.bool, device=device)
    for position in range(steps):
        attention = cache.step(current, position).double()
        ending = decoder + attention[:, END]
        attention[:, [BLANK, START, END, PAD]] = NEVER  # no part of a text
        extended, choices = (decoder[:, None] + attention).topk(2 * width, dim=1)
        begun, label, blank = prefixes.extend(choices, log_probs)
        continuing = (1 - ctc_weight) * extended + ctc_weight * begun
        stopping = (1 - ctc_weight) * ending + ctc_weight * prefixes.ended()
        possible = torch.cat([continuing, stopping[:, None]], dim=1)
        before = scores.flatten()
        possible[ended | (before == NEVER)] = NEVER
        possible[ended, -1] = before[ended]
        if position == steps - 1:
            possible[:, :-1] = NEVER  # the last token ends the text
        options = possible.shape[1]
        scores, best = possible.view(lines, -1).topk(width, dim=1)
        parents = (first + best // options).flatten()
        choice = (best % options).flatten()
        stops = choice == options - 1
        ended_before = ended[parents]
        picked = choice.clamp(max=options - 2)
        letters = choices[parents, picked]
        tokens = tokens[parents]
        tokens[:, position] = torch.where(ended_before, PAD, torch.where(stops, END, letters))
        ended = stops
        if bool(ended.view(lines, width)[:, 0].all()):  # scores only fall, so an ended best stays best
            break
        decoder = extended[parents, picked]
        prefixes = Prefixes(label[parents, picked], blank[parents, picked], letters)
        cache.reorder(parents)
        current = letters
    return tokens.view(lines, width, steps)[:, 0]


def _blank_behind(log_probs: Tensor, windows: Tensor) -> Tensor:
    """Windows behind the text certainly output blanks."""
    behind = torch.arange(log_probs.shape[1], device=log_probs.device) >= windows[:, None]
    log_probs = log_probs.masked_fill(behind[:, :, None], NEVER)
    log_probs[:, :, BLANK] = log_probs[:, :, BLANK].masked_fill(behind, 0)
    return log_probs
