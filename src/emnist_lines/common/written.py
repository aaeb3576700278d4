"""Words and texts that people wrote, as pen strokes, and the HDF5 file that holds them."""

from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CHARACTERS
from emnist_lines.common.errors import FileError, reading
from emnist_lines.common.files import atomic_write

WORD, TEXT = 0, 1
"""Levels of an item: one word, or several on one line."""


@dataclass(frozen=True)
class Written:
    """Items (words and texts on one line) as strokes of points: I items, S strokes, P points, one after the other.

    Attributes:
        texts: (I,) UTF-8 bytes, what was written.
        levels: (I,) uint8, WORD or TEXT.
        writers: (I,) int32, who wrote it: numbers from 0 on, one per person.
        providers: (I,) bytes, who collected it.
        sheets: (I,) int32, ascending: items of one sheet stand one behind the other, in the order of their writing, in
            the same coordinates.
        strokes: (I + 1,) int64, where each item's strokes begin, and where the last one's end.
        points: (S + 1,) int64, where each stroke's points begin, and where the last one's end.
        xy: (P, 2) int32, x to the right and y down, in units of the sheet's tablet, which are as wide as high.
        source: where they come from: unipen or drawn.
    """

    texts: NDArray[np.bytes_]
    levels: NDArray[np.uint8]
    writers: NDArray[np.int32]
    providers: NDArray[np.bytes_]
    sheets: NDArray[np.int32]
    strokes: NDArray[np.int64]
    points: NDArray[np.int64]
    xy: NDArray[np.int32]
    source: str

    def of(self, item: int) -> list[NDArray[np.int32]]:
        """The strokes of an item, (points, 2) each."""
        bounds = self.points[self.strokes[item] : self.strokes[item + 1] + 1].tolist()
        return [self.xy[start:stop] for start, stop in pairwise(bounds)]


def write_written(written: Written, path: Path) -> None:
    """Write `path`, the same bytes for the same items."""
    with atomic_write(path) as part, h5py.File(part, "w") as file:
        for field in fields(written):
            if field.name != "source":
                file.create_dataset(field.name, data=getattr(written, field.name), compression="gzip", shuffle=True)
        file.attrs["source"] = written.source


def read_written(path: Path) -> Written:
    """The items in `path`.

    Raises:
        FileError: the file is missing, damaged or of another format.
    """
    with reading(path, "written words"), h5py.File(path, "r") as file:
        arrays = {field.name: file[field.name][:] for field in fields(Written) if field.name != "source"}
        written = Written(**arrays, source=str(file.attrs["source"]))
        fits = _fits(written)
    if not fits:
        raise FileError(path, "holds written words of another format")
    return written


def _fits(written: Written) -> bool:
    """Whether shapes, types and places belong together."""
    items, strokes, points = len(written.texts), len(written.points) - 1, len(written.xy)
    shapes = {
        "texts": ((items,), "S"),
        "levels": ((items,), "u1"),
        "writers": ((items,), "<i4"),
        "providers": ((items,), "S"),
        "sheets": ((items,), "<i4"),
        "strokes": ((items + 1,), "<i8"),
        "points": ((strokes + 1,), "<i8"),
        "xy": ((points, 2), "<i4"),
    }
    for name, (shape, kind) in shapes.items():
        values = getattr(written, name)
        if values.shape != shape or (values.dtype.kind != "S" if kind == "S" else values.dtype != np.dtype(kind)):
            return False
    places_fit = all(
        starts[0] == 0 and starts[-1] == end and bool((np.diff(starts) > 0).all())
        for starts, end in ((written.strokes, strokes), (written.points, points))
    )
    known = set(CHARACTERS.encode())
    return bool(places_fit and all(known.issuperset(text) for text in written.texts.tolist()))
