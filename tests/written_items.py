"""Written items that tests make by hand."""

import numpy as np

from emnist_lines.common.written import Written

Stroke = list[tuple[int, int]]


def written_of(*items: tuple[str, list[Stroke]], writers: list[int] | None = None) -> Written:
    """Words of one sheet, or of a sheet for each writer, with these strokes."""
    people = writers or [0] * len(items)
    strokes = [np.array(stroke, dtype=np.int32) for _, some in items for stroke in some]
    return Written(
        texts=np.array([text.encode() for text, _ in items]),
        levels=np.array([" " in text for text, _ in items], dtype=np.uint8),
        writers=np.array(people, dtype=np.int32),
        providers=np.full(len(items), b"hand"),
        sheets=np.array(people, dtype=np.int32),
        strokes=np.cumsum([0, *(len(some) for _, some in items)], dtype=np.int64),
        points=np.cumsum([0, *map(len, strokes)], dtype=np.int64),
        xy=np.concatenate(strokes),
        source="drawn",
    )
