"""Train, val and test: disjoint glyphs and disjoint documents."""

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.lines.line_file import SPLITS
from emnist_lines.synthesis.config import SplitFractions
from emnist_lines.synthesis.documents import Document


def split_sizes(total: int, fractions: SplitFractions) -> tuple[int, int, int]:
    """How many of `total` (at least 3) train, val and test get: at least 1 each, otherwise rounded."""
    val = max(1, round(total * fractions.val))
    test = max(1, round(total * fractions.test))
    val, test = min(val, total - 2), min(test, max(1, total - 1 - val))
    return total - val - test, val, test


def split_glyphs(glyphs: Glyphs, fractions: SplitFractions, rng: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """Disjoint glyphs for each split, as ascending indices, stratified by class. Equal ones stay together.

    Raises:
        UserError: a class has too few glyphs for every split to get one.
    """
    pixels = glyphs.images.reshape(len(glyphs.images), -1)
    chosen: dict[str, list[NDArray[np.int64]]] = {name: [] for name in SPLITS}
    for label, character in enumerate(CLASSES):
        members = np.flatnonzero(glyphs.labels == label)
        differs = (pixels[members[1:]] != pixels[members[:-1]]).any(axis=1)
        kind = np.concatenate([[0], np.cumsum(differs)]) if len(members) else members  # same pixels, same number
        kinds = int(kind.max()) + 1 if len(members) else 0
        if kinds < len(SPLITS):
            raise UserError(
                f"there are {kinds} glyphs of {character!r}, too few for {len(SPLITS)} splits; "
                "raise download.drawn_per_class or take more of download.parts"
            )
        train, val, _ = split_sizes(kinds, fractions)
        rank = rng.permutation(kinds)[kind]
        chosen["train"].append(members[rank < train])
        chosen["val"].append(members[(rank >= train) & (rank < train + val)])
        chosen["test"].append(members[rank >= train + val])
    return {name: np.concatenate(parts) for name, parts in chosen.items()}


def split_documents(
    documents: list[Document], fractions: SplitFractions, rng: np.random.Generator
) -> dict[str, list[Document]]:
    """Disjoint documents for each split, of at least three in all."""
    order = rng.permutation(len(documents))
    _, val, test = split_sizes(len(documents), fractions)
    parts = {"val": order[:val], "test": order[val : val + test], "train": order[val + test :]}
    return {name: [documents[index] for index in sorted(parts[name])] for name in SPLITS}
