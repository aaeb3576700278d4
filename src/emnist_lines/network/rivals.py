"""How sure a beam search may be of what it finds: what it drops, weighed against what it keeps."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from emnist_lines.network.ctc_prefix import NEVER

MOST = 1e100
"""Where ratios end, so that sums and products of two of them are numbers."""


@dataclass(frozen=True)
class Rivals:
    """What has left the beam, told for each hypothesis by the position where it differs.

    A hypothesis stands for all texts that begin with it, and its score for their probability. When one is dropped, the
    ratio of its probability to that of one kept tells how likely the text goes the other way where the two part. It is
    taken no sooner, as the step that drops a hypothesis knows most about it. From then on the ratio grows as the one
    kept shares its probability with other texts. If r is the sum of the ratios at a position and s that at all later
    ones, the probability of the character there, given those before it, is (1 + s) / (1 + s + r).

    Of scores that are the log probabilities of one model, these are its own probabilities, whatever is dropped when.
    Others need not add up to 1 over the next characters, but count as if they did.

    Attributes:
        ratios: (B, W, T) float64, the sum for each of the W hypotheses of a line at each position.
        parted: (B, W, W) long, the first position where two of them differ.
    """

    ratios: Tensor
    parted: Tensor

    @classmethod
    def none(cls, lines: int, width: int, steps: int, device: torch.device) -> "Rivals":
        """Before the first step."""
        ratios = torch.zeros(lines, width, steps, dtype=torch.float64, device=device)
        return cls(ratios, torch.zeros(lines, width, width, dtype=torch.long, device=device))

    def after(self, parents: Tensor, kept: Tensor, dropped: Tensor, total: Tensor, position: int) -> "Rivals":
        """A step later.

        Args:
            parents: (B, W) long, which hypothesis each new one continues.
            kept: (B, W) float64, log probability of each new one; -inf where there is none.
            dropped: (B, W) float64, log probability of all that each old one could have become and did not.
            total: (B, W) float64, log probability of all that each old one could have become.
            position: of the step.
        """
        shared = _ratio(total.gather(1, parents), kept)[:, :, None]
        ratios = (self.ratios.gather(1, parents[:, :, None].expand_as(self.ratios)) * shared).clamp(max=MOST)
        own = torch.arange(parents.shape[1], device=parents.device) == parents[:, :, None]  # (B, new, old)
        parted = self.parted.gather(1, parents[:, :, None].expand_as(own)).masked_fill(own, position)
        ratios.scatter_add_(2, parted, _ratio(dropped[:, None, :], kept[:, :, None]))
        return Rivals(ratios, parted.gather(2, parents[:, None, :].expand_as(own)))

    def log_probs(self, scores: Tensor) -> Tensor:
        """(B, T) float64 log probability of each token of the first hypothesis, all others dropped at last.

        Args:
            scores: (B, W) float64, log probability of each hypothesis; -inf where there is none.
        """
        others = _ratio(scores[:, 1:], scores[:, :1])
        ratios = self.ratios[:, 0].scatter_add(1, self.parted[:, 0, 1:], others)
        begun = ratios.flip(1).cumsum(1).flip(1).log1p()  # of all texts that are the same before each position
        return F.pad(begun[:, 1:], (0, 1)) - begun


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """exp(part - whole), within `MOST`."""
    return (part - whole.clamp(min=NEVER)).exp().clamp(max=MOST)
