"""Dropout whose random numbers cost little on a CPU."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 2**16


class Dropout(nn.Dropout):
    """As `nn.Dropout`, but on a CPU one 64-bit random number decides about four elements.

    torch samples a double per element, one after the other. The probability is rounded to a multiple of 2^-16.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(…) → the same shape: some elements 0, the others scaled so that the mean stays."""
        return dropout(x, self.p, self.training)


def dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """`Dropout` as a function, for places that have no module in the network's table."""
    if not training or p == 0 or x.device.type != "cpu":
        return F.dropout(x, p, training)
    samples = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    bits = samples.view(torch.int16)[: x.numel()].view(x.shape)
    kept = bits >= round(p * LEVELS) - LEVELS // 2
    return x * kept.to(x.dtype) * (1 / (1 - p))


def replace_dropout(module: nn.Module) -> None:
    """Put `Dropout` in the place of each `nn.Dropout` below `module`."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Dropout:
                setattr(parent, name, Dropout(child.p))
