"""Reading a line with both heads: a beam search over texts, scored by the decoder and by the CTC head.

Method: joint CTC-attention decoding in one pass (Watanabe et al. 2017, "Hybrid CTC/Attention Architecture", section
III.C), with the CTC head's probability of a prefix by Graves 2008 (his section 7.5).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from emnist_lines.common.alphabet import BLANK, END, PAD, START
from emnist_lines.network.greedy import Cache
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer

NEVER = -1e30
"""Log probability of what cannot be; finite, so that sums and differences of it are numbers."""


@dataclass(frozen=True)
class Prefixes:
    """For each row a text that a CTC head may have begun with, and how likely each window is the one it ends in.

    Attributes:
        label: (R, S + 1) float64, log probability that the first s windows say the text, the last of them its last
            character; column s.
        blank: likewise, the last of them a blank.
        last: (R,) long, the last character; BLANK where there is none yet.
    """

    label: Tensor
    blank: Tensor
    last: Tensor

    @classmethod
    def empty(cls, log_probs: Tensor) -> "Prefixes":
        """The empty text of each row; log_probs as in `extend`."""
        rows, windows, _ = log_probs.shape
        blank = torch.zeros(rows, windows + 1, dtype=log_probs.dtype, device=log_probs.device)
        blank[:, 1:] = log_probs[:, :, BLANK].cumsum(dim=1)
        label = torch.full_like(blank, NEVER)
        return cls(label, blank, torch.full((rows,), BLANK, device=log_probs.device))

    def ended(self) -> Tensor:
        """(R,) log probability that the windows say the text and no more."""
        return torch.logaddexp(self.label[:, -1], self.blank[:, -1])

    def extend(self, tokens: Tensor, log_probs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each text with each of M next characters.

        Args:
            tokens: (R, M) long, the characters.
            log_probs: (R, S, 83) float64 of the CTC head; windows behind the line are blank for certain.

        Returns:
            scores: (R, M), log probability that the text begins so.
            label, blank: (R, M, S + 1), as the class has them.
        """
        rows, windows, _ = log_probs.shape
        at = tokens[:, None, :].expand(rows, windows, tokens.shape[1])
        say = log_probs.gather(2, at).transpose(1, 2)  # (R, M, S)
        repeated = (tokens == self.last[:, None])[:, :, None]  # a repeat needs a blank between
        before = torch.logaddexp(self.label, self.blank)[:, None, :-1]
        enter = torch.where(repeated, self.blank[:, None, :-1], before)
        scores = (enter + say).logsumexp(dim=2)
        label = _filtered(enter + say, say)
        silence = log_probs[:, None, :, BLANK]
        blank = _filtered(label[:, :, :-1] + silence, silence.expand_as(say))
        return scores, label, blank


def _filtered(enter: Tensor, stay: Tensor) -> Tensor:
    """The recursion x[0] = NEVER, x[s + 1] = log(exp(enter[s]) + exp(x[s] + stay[s])) along the last dimension."""
    total = stay.cumsum(dim=-1)
    out = torch.full((*enter.shape[:-1], enter.shape[-1] + 1), NEVER, dtype=enter.dtype, device=enter.device)
    out[..., 1:] = torch.logcumsumexp(enter - total, dim=-1) + total
    return out


@torch.no_grad()
def joint_decode(
    model: LineCNNTransformer,
    memory: Tensor,
    mask: Tensor | None,
    ctc_logits: Tensor,
    lengths: Tensor,
    max_length: int,
    beam: int,
    ctc_weight: float,
) -> Tensor:
    """The text of the best joint score that a beam search finds.

    A text's score is (1 - ctc_weight) times the decoder's log probability of it plus ctc_weight times the CTC head's;
    while it is being written, the CTC head's of all texts that begin so. No length is favoured beyond that.

    Args:
        model: the network, in evaluation mode.
        memory: (B, S, E) and
        mask: (B, S) bool or None, as `LineCNNTransformer.encode` returns them.
        ctc_logits: (B, S, 83) of the CTC head.
        lengths: (B,) windows that see text.
        max_length: tokens of a line, `<S>` and `<E>` among them.
        beam: texts kept at each step.
        ctc_weight: 0 (the decoder alone) to 1.

    Returns:
        (B, max_length - 1) long, what follows `<S>`: text, `<E>`, then `<P>`.
    """
    lines, steps, device = len(memory), max_length - 1, memory.device
    log_probs = _certain_behind(ctc_logits.double().log_softmax(dim=-1), lengths).repeat_interleave(beam, dim=0)
    cache = Cache(
        model,
        memory.repeat_interleave(beam, dim=0),
        None if mask is None else mask.repeat_interleave(beam, dim=0),
        steps,
    )
    prefixes = Prefixes.empty(log_probs)
    rows = lines * beam
    first = (torch.arange(lines, device=device) * beam)[:, None]
    scores = torch.full((lines, beam), NEVER, dtype=torch.float64, device=device)
    scores[:, 0] = 0  # all rows of a line are still the same
    spoken = torch.zeros(rows, dtype=torch.float64, device=device)  # the decoder's part of the score
    tokens = torch.full((rows, steps), PAD, device=device)
    current = torch.full((rows,), START, device=device)
    ended = torch.zeros(rows, dtype=torch.bool, device=device)
    for position in range(steps):
        attention = cache.step(current, position).double()
        ending = spoken + attention[:, END]
        attention[:, [BLANK, START, END, PAD]] = NEVER  # what a text is not made of
        said, choices = (spoken[:, None] + attention).topk(2 * beam, dim=1)
        begun, label, blank = prefixes.extend(choices, log_probs)
        going_on = (1 - ctc_weight) * said + ctc_weight * begun
        stopping = (1 - ctc_weight) * ending + ctc_weight * prefixes.ended()
        possible = torch.cat([going_on, stopping[:, None]], dim=1)
        before = scores.flatten()
        possible[ended | (before == NEVER)] = NEVER
        possible[ended, -1] = before[ended]
        if position == steps - 1:
            possible[:, :-1] = NEVER  # the last token ends the text
        width = possible.shape[1]
        scores, best = possible.view(lines, -1).topk(beam, dim=1)
        parents = (first + best // width).flatten()
        choice = (best % width).flatten()
        stops = choice == width - 1
        ended_before = ended[parents]
        picked = choice.clamp(max=width - 2)
        letters = choices[parents, picked]
        tokens = tokens[parents]
        tokens[:, position] = torch.where(ended_before, PAD, torch.where(stops, END, letters))
        ended = stops
        if bool(ended.view(lines, beam)[:, 0].all()):  # scores only fall: what is best and has ended stays best
            break
        spoken = said[parents, picked]
        prefixes = Prefixes(label[parents, picked], blank[parents, picked], letters)
        cache.reorder(parents)
        current = letters
    return tokens.view(lines, beam, steps)[:, 0]


def _certain_behind(log_probs: Tensor, lengths: Tensor) -> Tensor:
    """Blank for certain at windows behind the text."""
    behind = torch.arange(log_probs.shape[1], device=log_probs.device) >= lengths[:, None]
    log_probs = log_probs.masked_fill(behind[:, :, None], NEVER)
    log_probs[:, :, BLANK] = log_probs[:, :, BLANK].masked_fill(behind, 0)
    return log_probs
