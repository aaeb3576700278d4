"""Rows of several hypotheses per line, some lines with more of them than others."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """Which line each row belongs to, and its slot among that line's rows.

    Attributes:
        lines: (R,) long, ascending.
        slots: (R,) long, from 0 on in each line.
        counts: (L,) long, rows of each line.
        width: the most rows of a line.
    """

    lines: Tensor
    slots: Tensor
    counts: Tensor
    width: int

    @classmethod
    def of(cls, lines: Tensor, total: int) -> "Rows":
        """The rows of `total` lines; lines as in the class."""
        counts = torch.bincount(lines, minlength=total)
        slots = torch.arange(len(lines), device=lines.device) - (counts.cumsum(0) - counts)[lines]
        return cls(lines, slots, counts, int(counts.max()))

    def pad(self, x: Tensor) -> Tensor:
        """(R, …) → (L, width, …), 0 in slots without a row."""
        total = len(self.counts)
        if len(x) == total * self.width:  # as many rows in each line
            return x.unflatten(0, (total, self.width))
        out = x.new_zeros(total, self.width, *x.shape[1:])
        out[self.lines, self.slots] = x
        return out

    def take(self, x: Tensor) -> Tensor:
        """(L, width, …) → (R, …), what `pad` undoes."""
        if len(self.lines) == len(self.counts) * self.width:
            return x.flatten(0, 1)
        return x[self.lines, self.slots]
