"""The HDF5 file of lines."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import SYMBOLS
from emnist_lines.common.errors import FileError, reading
from emnist_lines.lines.crop import HEIGHT


@dataclass
class Pixels:
    """Images in an HDF5 file. Each process that reads them maps them into its memory."""

    path: Path
    offset: int
    shape: tuple[int, int, int]
    _map: NDArray[np.uint8] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_map": None}

    @property
    def map(self) -> NDArray[np.uint8]:
        """(N, 28, W) uint8."""
        if self._map is None:
            self._map = np.memmap(self.path, np.uint8, "r", self.offset, self.shape)
        return self._map


@dataclass(frozen=True)
class Lines:
    """The lines of a split.

    Attributes:
        tokens: (N, max_length) uint8, see `alphabet.frame`.
        widths: (N,) int32, columns that each line's text takes.
        texts: what is written.
        pixels: the images.
        source: where the glyphs come from.
    """

    tokens: NDArray[np.uint8]
    widths: NDArray[np.int32]
    texts: list[str]
    pixels: Pixels
    source: str


def read_lines(path: Path, split: str) -> Lines:
    """The lines of one split in the file at `path`; images are mapped, not read.

    Raises:
        FileError: the file is missing, damaged or of another alphabet.
    """
    with reading(path, f"{split} lines"), h5py.File(path, "r") as file:
        alphabet, source = json.loads(file.attrs["alphabet"]), str(file.attrs["source"])
        group = file[split]
        tokens, widths = group["tokens"][:], group["widths"][:]
        texts = [text.decode() for text in group["texts"][:].tolist()]
        images = group["images"]
        offset, shape, kind = images.id.get_offset(), images.shape, images.dtype
        bytes_needed = offset + int(np.prod(shape))
        fits = len(shape) == 3 and shape[:2] == (len(tokens), HEIGHT) and kind == np.uint8
        fits = fits and tuple(alphabet) == SYMBOLS and path.stat().st_size >= bytes_needed
    if not fits:
        raise FileError(path, "holds lines of another format")
    return Lines(tokens, widths, texts, Pixels(path, offset, shape), source)
