"""Glyphs: single characters in EMNIST's format, and the HDF5 file that holds them."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import FileError, reading
from emnist_lines.common.files import atomic_write

SIZE = 28
"""Rows and columns of a glyph, in pixels."""


@dataclass(frozen=True)
class Glyphs:
    """Characters in canonical order: by label, then by pixels, so that no source's own order matters.

    Attributes:
        images: (N, 28, 28) uint8, white ink on black, upright.
        labels: (N,) uint8, index into `alphabet.CLASSES`.
        source: where they come from: emnist or drawn.
        parts: which parts of that source are in.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    source: str
    parts: tuple[str, ...]

    @classmethod
    def in_order(
        cls, images: NDArray[np.uint8], labels: NDArray[np.uint8], source: str, parts: tuple[str, ...]
    ) -> "Glyphs":
        """Glyphs from arrays in any order; the arguments are the attributes."""
        images = np.ascontiguousarray(images)
        pixels = images.reshape(len(images), SIZE * SIZE).view(f"S{SIZE * SIZE}")[:, 0]
        order = np.lexsort((pixels, labels))
        return cls(images[order], labels[order], source, parts)

    def counts(self) -> NDArray[np.int64]:
        """(62,) how many there are of each class."""
        return np.bincount(self.labels, minlength=len(CLASSES))


def write_glyphs(glyphs: Glyphs, path: Path) -> None:
    """Write `path`, the same bytes for the same glyphs."""
    with atomic_write(path) as part, h5py.File(part, "w") as file:
        file.create_dataset("images", data=glyphs.images)
        file.create_dataset("labels", data=glyphs.labels)
        file.attrs["classes"] = CLASSES
        file.attrs["source"] = glyphs.source
        file.attrs["parts"] = ",".join(glyphs.parts)


def read_glyphs(path: Path) -> Glyphs:
    """The glyphs in `path`.

    Raises:
        FileError: the file is missing, damaged or of another format.
    """
    with reading(path, "glyphs"), h5py.File(path, "r") as file:
        images, labels = file["images"][:], file["labels"][:]
        classes, source, parts = (file.attrs[name] for name in ("classes", "source", "parts"))
        shapes_fit = images.shape == (len(labels), SIZE, SIZE) and images.dtype == labels.dtype == np.uint8
        fits = bool(classes == CLASSES and shapes_fit and (labels < len(CLASSES)).all())
        glyphs = Glyphs(images, labels, str(source), tuple(parts.split(",")))
    if not fits:
        raise FileError(path, "holds glyphs of another format")
    return glyphs
