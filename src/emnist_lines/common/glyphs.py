"""Glyphs: single characters in EMNIST's format, the HDF5 file that keeps them, and their split."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import UserError
from emnist_lines.common.files import UNREADABLE, reason, whole
from emnist_lines.common.params import SplitFractions

SIZE = 28


@dataclass(frozen=True)
class Glyphs:
    """Characters in canonical order: by label, then by pixels, so that no source's own order matters.

    Attributes:
        images: (N, 28, 28) uint8, white ink on black, upright.
        labels: (N,) uint8, index into `alphabet.CLASSES`.
        source: who made them: emnist or drawn.
        parts: which parts of that source are in.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    source: str
    parts: tuple[str, ...]

    @classmethod
    def collect(
        cls, images: NDArray[np.uint8], labels: NDArray[np.uint8], source: str, parts: tuple[str, ...]
    ) -> "Glyphs":
        """Glyphs from arrays in any order."""
        images = np.ascontiguousarray(images)
        pixels = images.reshape(len(images), SIZE * SIZE).view(f"S{SIZE * SIZE}")[:, 0]
        order = np.lexsort((pixels, labels))
        return cls(images[order], labels[order], source, parts)

    def counts(self) -> NDArray[np.int64]:
        """(62,) how many there are of each class."""
        return np.bincount(self.labels, minlength=len(CLASSES))


def write(glyphs: Glyphs, path: Path) -> None:
    """Write `path`, the same bytes for the same glyphs."""
    with whole(path) as part, h5py.File(part, "w") as file:
        file.create_dataset("images", data=glyphs.images)
        file.create_dataset("labels", data=glyphs.labels)
        file.attrs["classes"] = CLASSES
        file.attrs["source"] = glyphs.source
        file.attrs["parts"] = ",".join(glyphs.parts)


def read(path: Path) -> Glyphs:
    """The glyphs in `path`.

    Raises:
        UserError: the file is missing, damaged or of another format.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing; make it with `dvc repro -f download`")
    try:
        with h5py.File(path, "r") as file:
            images, labels = file["images"][:], file["labels"][:]
            classes, source, parts = (file.attrs[name] for name in ("classes", "source", "parts"))
        shapes_fit = images.shape == (len(labels), SIZE, SIZE) and images.dtype == labels.dtype == np.uint8
        fits = bool(classes == CLASSES and shapes_fit and (labels < len(CLASSES)).all())
        kept = Glyphs(images, labels, str(source), tuple(parts.split(",")))
    except UNREADABLE as error:
        raise UserError(f"{path} holds no glyphs ({reason(error)}); remake it with `dvc repro -f download`") from None
    if not fits:
        raise UserError(f"{path} holds glyphs of another format; remake it with `dvc repro -f download`")
    return kept


def split(glyphs: Glyphs, fractions: SplitFractions, rng: np.random.Generator) -> dict[str, Glyphs]:
    """Train, val and test glyphs, disjoint and stratified by class; copies of one picture stay together.

    Raises:
        UserError: a class has too few glyphs for every split to get one.
    """
    pixels = glyphs.images.reshape(len(glyphs.images), -1)
    chosen: dict[str, list[NDArray[np.int64]]] = {"train": [], "val": [], "test": []}
    for label, character in enumerate(CLASSES):
        members = np.flatnonzero(glyphs.labels == label)
        differs = (pixels[members[1:]] != pixels[members[:-1]]).any(axis=1)
        picture = np.concatenate([[0], np.cumsum(differs)]) if len(members) else members
        pictures = int(picture.max()) + 1 if len(members) else 0
        if pictures < len(chosen):
            raise UserError(
                f"there are {pictures} glyphs of {character!r}, too few for {len(chosen)} splits; "
                "raise download.drawn_per_class or take more of download.parts"
            )
        train, val, _ = _sizes(pictures, fractions)
        rank = rng.permutation(pictures)[picture]
        chosen["train"].append(members[rank < train])
        chosen["val"].append(members[(rank >= train) & (rank < train + val)])
        chosen["test"].append(members[rank >= train + val])
    return {
        name: Glyphs(glyphs.images[index], glyphs.labels[index], glyphs.source, glyphs.parts)
        for name, index in ((name, np.concatenate(parts)) for name, parts in chosen.items())
    }


def joined(one: Glyphs, other: Glyphs) -> Glyphs:
    """The glyphs of two splits of the same source."""
    images, labels = np.concatenate([one.images, other.images]), np.concatenate([one.labels, other.labels])
    return Glyphs.collect(images, labels, one.source, one.parts)


def _sizes(total: int, fractions: SplitFractions) -> tuple[int, int, int]:
    """How many of `total` each split gets: at least 1, the rest rounded."""
    val = max(1, round(total * fractions.val))
    test = max(1, round(total * fractions.test))
    val, test = min(val, total - 2), min(test, max(1, total - 1 - val))
    return total - val - test, val, test
