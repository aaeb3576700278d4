"""What is known of written lines besides their text: who wrote them, and how they were put together."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emnist_lines.common.written import TEXT
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.lines.line_file import WRITTEN

SORTS = ("text", "neighbours", "joined", "word")
"""A text on one line; words of a sheet in their own places; words of one person set side by side; one word."""


def writers_of(dataset: LinesDataset) -> NDArray[np.int64]:
    """(N,) who wrote each line, a number; -1 for lines that nobody wrote."""
    writers = np.full(len(dataset), -1, dtype=np.int64)
    if dataset.written is not None:
        rows = np.flatnonzero(dataset.kinds == WRITTEN)
        writers[rows] = dataset.written.writers[dataset.lines.glyphs[dataset.lines.starts[rows]]]
    return writers


def sorts_of(dataset: LinesDataset) -> list[str]:
    """For each line one of SORTS; nothing for lines that nobody wrote.

    Neighbours on a sheet are items with successive numbers.
    """
    sorts = [""] * len(dataset)
    if dataset.written is not None:
        starts = dataset.lines.starts.tolist()
        for row in np.flatnonzero(dataset.kinds == WRITTEN).tolist():
            pieces = dataset.lines.glyphs[starts[row] : starts[row + 1]]
            if len(pieces) > 1:
                sorts[row] = "neighbours" if (np.diff(pieces) == 1).all() else "joined"
            else:
                sorts[row] = "text" if dataset.written.levels[pieces[0]] == TEXT else "word"
    return sorts


def by_sort(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """CER of each sort of written lines.

    Args:
        frame: with the columns sort, edits and length.
    """
    groups = frame.groupby("sort")
    found = pd.DataFrame({"lines": groups.size(), "edits": groups["edits"].sum(), "length": groups["length"].sum()})
    return [
        {
            "sort": sort,
            "lines": int(found["lines"][sort]),
            "cer": round(found["edits"][sort] / found["length"][sort], 5),
        }
        for sort in SORTS
        if sort in found.index
    ]
