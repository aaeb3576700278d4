"""The probability that the CTC head gives to all texts that begin with a prefix (Graves 2008, section 7.5)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from emnist_lines.common.alphabet import BLANK
from emnist_lines.network.rows import Rows

NEVER = -1e30
"""Log probability of what cannot be; finite, so that sums and differences of it are numbers."""


@dataclass(frozen=True)
class Outputs:
    """What the CTC head says of L lines.

    Attributes:
        log_probs: (L, S, 83) float64; windows behind the text certainly output blanks.
        probs: (L, S, 83) float64, the same as probabilities.
    """

    log_probs: Tensor
    probs: Tensor

    @classmethod
    def of(cls, logits: Tensor, windows: Tensor) -> "Outputs":
        """From logits (L, S, 83) and the number of windows (L,) that see text."""
        log_probs = logits.double().log_softmax(dim=-1)
        behind = torch.arange(logits.shape[1], device=logits.device) >= windows[:, None]
        log_probs = log_probs.masked_fill(behind[:, :, None], NEVER)
        log_probs[:, :, BLANK] = log_probs[:, :, BLANK].masked_fill(behind, 0)
        return cls(log_probs, log_probs.exp())


@dataclass(frozen=True)
class Prefixes:
    """The CTC head's view of a prefix in each of R rows.

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
    def empty(cls, outputs: Outputs) -> "Prefixes":
        """An empty prefix for each line."""
        lines, windows, _ = outputs.log_probs.shape
        blank = outputs.log_probs.new_zeros(lines, windows + 1)
        blank[:, 1:] = outputs.log_probs[:, :, BLANK].cumsum(dim=1)
        last = torch.full((lines,), BLANK, device=blank.device)
        return cls(torch.full_like(blank, NEVER), blank, last)

    def ended(self) -> Tensor:
        """(R,) float64 log probability that the windows output the prefix and no more."""
        return torch.logaddexp(self.label[:, -1], self.blank[:, -1])

    def begun(self, outputs: Outputs, rows: Rows) -> Tensor:
        """(R, 83) float64 log probability that the text begins with the prefix and then each character.

        It is the sum over windows that may output the character first, for all characters one matrix product. The
        probabilities before it are scaled by their largest; where all others of a row lie e^700 below, it is `NEVER`.
        """
        before = torch.logaddexp(self.label, self.blank)[:, :-1]
        largest = before.max(dim=1, keepdim=True).values
        scaled = (before - largest).exp()
        sums = rows.take(rows.pad(scaled) @ outputs.probs)
        own = outputs.probs[rows.lines, :, self.last]  # a repeat needs a blank between
        repeated = ((self.blank[:, :-1] - largest).exp() * own).sum(dim=1, keepdim=True)
        sums = sums.scatter(1, self.last[:, None], repeated)
        return (sums.log() + largest).clamp(min=NEVER)

    def extend(self, parents: Tensor, tokens: Tensor, lines: Tensor, outputs: Outputs) -> "Prefixes":
        """Longer prefixes.

        Args:
            parents: (R',) long, the row that each continues.
            tokens: (R',) long, its next character.
            lines: (R',) long, its line.
            outputs: of the lines.
        """
        label, blank = self.label[parents], self.blank[parents]
        output, blanks = outputs.log_probs[lines, :, tokens], outputs.log_probs[lines, :, BLANK]
        repeated = (tokens == self.last[parents])[:, None]
        enter = torch.where(repeated, blank, torch.logaddexp(label, blank))[:, :-1]
        label = _filtered(enter + output, output)
        return Prefixes(label, _filtered(label[:, :-1] + blanks, blanks), tokens)


def _filtered(enter: Tensor, stay: Tensor) -> Tensor:
    """The recursion x[0] = NEVER, x[s + 1] = log(exp(enter[s]) + exp(x[s] + stay[s])) along the last dimension."""
    total = stay.cumsum(dim=-1)
    out = torch.full((*enter.shape[:-1], enter.shape[-1] + 1), NEVER, dtype=enter.dtype, device=enter.device)
    out[..., 1:] = torch.logcumsumexp(enter - total, dim=-1) + total
    return out
