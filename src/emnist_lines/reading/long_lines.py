"""Lines that are longer than those of training: cut into pieces, whose transcriptions are joined."""

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.glyphs import SIZE
from emnist_lines.network.transcription import Transcription
from emnist_lines.reading import preprocessing

WORDS_APART = 0.5
"""Letters that fit on the paper between two words, at least."""


def cut(image: NDArray[np.uint8], most: int, letter: int = SIZE) -> list[tuple[NDArray[np.uint8], bool]]:
    """A line in pieces of at most `most` columns, in their order, cut where the paper between strokes is widest.

    Args:
        image: (28, W) of the line, with ink.
        most: columns.
        letter: columns that a character takes, about.

    Returns:
        Each piece, and whether a space stands before it.
    """
    pieces, rest, spaced = [], image, False
    while preprocessing.inked_columns(rest)[-1] >= most:  # paper alone needs no piece
        start, stop = _gap(rest, most // 3, most)
        middle = (start + stop) // 2
        if preprocessing.inked_columns(rest[:, :middle]).size:
            pieces.append((preprocessing.trimmed(rest[:, :middle]), spaced))
        rest, spaced = preprocessing.trimmed(rest[:, middle:]), bool(pieces) and stop - start >= WORDS_APART * letter
    return [*pieces, (rest[:, :most], spaced)]


def _gap(image: NDArray[np.uint8], first: int, last: int) -> tuple[int, int]:
    """The widest run of columns without ink among those from `first` to `last`; else the column with the least ink."""
    columns = image[:, first:last]
    edges = np.concatenate([[-1], preprocessing.inked_columns(columns), [columns.shape[1]]])
    widest = int(np.diff(edges).argmax())
    start, stop = int(edges[widest]) + 1, int(edges[widest + 1])
    if start == stop:
        start = stop = int(columns.sum(axis=0, dtype=np.int64).argmin())
    return first + start, first + stop


def joined(pieces: list[tuple[Transcription, bool]]) -> Transcription:
    """The pieces' transcriptions one behind the other, with a space before those that need one."""
    text, confidence = "", 1.0
    confidences: list[float] = []
    for piece, spaced in pieces:
        if spaced:
            text, confidences = text + " ", [*confidences, 1.0]
        text, confidences = text + piece.text, confidences + piece.confidences
        confidence *= piece.confidence
    return Transcription(text, confidence, confidences)
