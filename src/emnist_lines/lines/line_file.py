"""Lines as recipes (which glyph stands where), and the HDF5 file that holds those of a split."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import SYMBOLS
from emnist_lines.common.errors import FileError, reading
from emnist_lines.common.files import atomic_write
from emnist_lines.lines.crop import HEIGHT

SPLITS = ("train", "val", "test")
LAB, NATURAL, WRITTEN = 0, 1, 2
KINDS = ("lab", "natural", "written")
"""Kinds of lines: glyphs side by side in their boxes, as the lab composes them; glyphs in the proportions and places
of handwriting; words as people wrote them, from pen strokes."""
UNIT = 64
"""Steps of a slant and of a pen's width in one pixel."""
NO_GLYPH = -1
"""In place of a glyph's index: a space, which leaves no ink."""


@dataclass(frozen=True)
class Lines:
    """Lines, not yet rendered. Characters of all lines stand one after the other, C in all.

    Attributes:
        texts: (N,) UTF-8 bytes, what is written.
        tokens: (N, max_length) uint8, see `alphabet.frame`.
        widths: (N,) int32, columns that each line's text takes.
        overlaps: (N,) float32, mean share of a glyph that its successor covers; 0 for a single character.
        known: (N,) bool, whether the text stands, word for word, in the documents of the train lines.
        kinds: (N,) uint8, index into KINDS.
        slants: (N,) int16, columns that ink moves to the right from one row to the row above, times UNIT.
        pens: (N, 2) int16, columns and rows that a stroke takes, times UNIT; 0: as the glyphs have it.
        starts: (N + 1,) int64, where each line's characters begin, and where the last one's end.
        glyphs: (C,) int32, each character's index into the glyph file; NO_GLYPH for a space. A written line has written
            items in place of characters, and these are their numbers.
        boxes: (C, 4) int16, where a glyph's 28 × 28 pixels or an item's strokes go: left, top, width, height, in
            columns and rows of the line.
    """

    texts: NDArray[np.bytes_]
    tokens: NDArray[np.uint8]
    widths: NDArray[np.int32]
    overlaps: NDArray[np.float32]
    known: NDArray[np.bool_]
    kinds: NDArray[np.uint8]
    slants: NDArray[np.int16]
    pens: NDArray[np.int16]
    starts: NDArray[np.int64]
    glyphs: NDArray[np.int32]
    boxes: NDArray[np.int16]

    @property
    def columns(self) -> int:
        """Of a whole image: as many as the longest line without overlaps takes."""
        return HEIGHT * self.tokens.shape[1]


def path_of(data: Path, split: str) -> Path:
    """The file of a split's lines in the folder of all data."""
    return data / "lines" / f"{split}.h5"


def write_lines(lines: Lines, source: str, path: Path) -> None:
    """Write `path`, the same bytes for the same lines.

    Args:
        lines: of one split.
        source: where their glyphs come from.
        path: the file.
    """
    with atomic_write(path) as part, h5py.File(part, "w") as file:
        file.attrs["alphabet"] = json.dumps(SYMBOLS)
        file.attrs["source"] = source
        for field in fields(lines):
            file.create_dataset(field.name, data=getattr(lines, field.name), compression="gzip", shuffle=True)


def read_lines(path: Path) -> tuple[Lines, str]:
    """The lines in the file at `path`, and where their glyphs come from.

    Raises:
        FileError: the file is missing, damaged or of another format or alphabet.
    """
    with reading(path, "lines"), h5py.File(path, "r") as file:
        alphabet, source = json.loads(file.attrs["alphabet"]), str(file.attrs["source"])
        lines = Lines(**{field.name: file[field.name][:] for field in fields(Lines)})
        b"".join(lines.texts.tolist()).decode()  # so that nobody stumbles later
        fits = tuple(alphabet) == SYMBOLS and _fits(lines)
    if not fits:
        raise FileError(path, "holds lines of another format")
    return lines, source


def _fits(lines: Lines) -> bool:
    """Whether shapes, types and places belong together."""
    count, characters = len(lines.tokens), len(lines.glyphs)
    shapes = {
        "texts": ((count,), "S"),
        "tokens": ((count, lines.tokens.shape[-1]), "u1"),
        "widths": ((count,), "<i4"),
        "overlaps": ((count,), "<f4"),
        "known": ((count,), "?"),
        "kinds": ((count,), "u1"),
        "slants": ((count,), "<i2"),
        "pens": ((count, 2), "<i2"),
        "starts": ((count + 1,), "<i8"),
        "glyphs": ((characters,), "<i4"),
        "boxes": ((characters, 4), "<i2"),
    }
    for name, (shape, kind) in shapes.items():
        values = getattr(lines, name)
        if values.shape != shape or (values.dtype.kind != "S" if kind == "S" else values.dtype != np.dtype(kind)):
            return False
    places_fit = lines.starts[0] == 0 and lines.starts[-1] == characters and bool((np.diff(lines.starts) >= 0).all())
    return bool(
        places_fit
        and (lines.tokens < len(SYMBOLS)).all()
        and ((lines.widths > 0) & (lines.widths <= lines.columns)).all()
        and (lines.glyphs >= NO_GLYPH).all()
        and (lines.boxes[:, 2:] > 0).all()
        and (lines.kinds < len(KINDS)).all()
    )
