"""Train, val and test: disjoint glyphs and disjoint documents."""

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.synthesis.config import SplitFractions
from emnist_lines.synthesis.documents import Document

SPLITS = ("train", "val", "test")


def split_sizes(total: int, fractions: SplitFractions) -> tuple[int, int, int]:
    """How many of `total` (at least 3) train, val and test get: at least 1 each, otherwise rounded."""
    val = max(1, round(total * fractions.val))
    test = max(1, round(total * fractions.test))
    val, test = min(val, total - 2), min(test, max(1, total - 1 - val))
    return total - val - test, val, test


def split_glyphs(glyphs: Glyphs, fractions: SplitFractions, rng: np.random.Generator) -> dict[str, Glyphs]:
    """Disjoint glyphs for each split, stratified by class. Glyphs of the same pixels stay together.

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
    return {name: _some(glyphs, np.concatenate(parts)) for name, parts in chosen.items()}


def split_documents(
    documents: list[Document], fractions: SplitFractions, rng: np.random.Generator
) -> dict[str, list[Document]]:
    """Disjoint documents for each split, of at least three in all."""
    order = rng.permutation(len(documents))
    _, val, test = split_sizes(len(documents), fractions)
    parts = {"val": order[:val], "test": order[val : val + test], "train": order[val + test :]}
    return {name: [documents[index] for index in sorted(parts[name])] for name in SPLITS}


def joined(one: Glyphs, other: Glyphs) -> Glyphs:
    """The glyphs of two splits of the same source."""
    images, labels = np.concatenate([one.images, other.images]), np.concatenate([one.labels, other.labels])
    return Glyphs.in_order(images, labels, one.source, one.parts)


def _some(glyphs: Glyphs, index: NDArray[np.int64]) -> Glyphs:
    return Glyphs(glyphs.images[index], glyphs.labels[index], glyphs.source, glyphs.parts)
