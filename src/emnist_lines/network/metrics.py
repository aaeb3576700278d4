"""Character error rate: edits over reference characters."""

from collections.abc import Sequence

import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor
from torchmetrics import Metric

edit_distance = Levenshtein.distance
"""Fewest insertions, deletions and substitutions that turn one sequence into another (Levenshtein 1966)."""


class CharacterErrorRate(Metric):
    """Edits over reference characters, of all lines seen together, on all devices."""

    full_state_update = False
    edits: Tensor
    characters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("edits", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("characters", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predictions: Sequence[str], references: Sequence[str]) -> None:
        """Add lines."""
        self.edits += sum(edit_distance(p, r) for p, r in zip(predictions, references, strict=True))
        self.characters += sum(map(len, references))

    def compute(self) -> Tensor:
        """The rate so far; above 1 where a reader invents more than there is."""
        return self.edits / self.characters
