"""Figures about the lines of a split."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.lines.line_file import KINDS, LAB, Lines


def statistics(lines: Lines) -> dict[str, Any]:
    """Counts and distributions. What is no headline is a list, which `dvc metrics` leaves out."""
    lengths = np.char.str_len(lines.texts)
    characters = np.frombuffer(b"".join(lines.texts.tolist()), dtype=np.uint8)
    counts = np.bincount(characters, minlength=128)
    return {
        "lines": len(lengths),
        "characters": int(lengths.sum()),
        "lines_by_kind": [{"kind": name, "lines": int((lines.kinds == kind).sum())} for kind, name in enumerate(KINDS)],
        "distributions": [
            _distribution("characters of a line", lengths),
            _distribution(
                "share of a glyph that the next one covers", lines.overlaps[(lengths > 1) & (lines.kinds == LAB)]
            ),
            _distribution("columns of a line", lines.widths),
        ],
        "lines_by_length": [
            {"length": length, "lines": count} for length, count in enumerate(np.bincount(lengths).tolist()) if length
        ],
        "count_by_character": [{"character": c, "count": int(counts[ord(c)])} for c in " " + CLASSES],
        "other_characters": int(counts.sum() - counts[[ord(c) for c in " " + CLASSES]].sum()),
    }


def _distribution(of: str, values: NDArray[Any]) -> dict[str, str | float]:
    if len(values) == 0:
        return {"of": of}
    quantiles = np.quantile(values.astype(np.float64), [0, 0.1, 0.5, 0.9, 1])
    figures = dict(zip(("min", "10%", "median", "90%", "max"), quantiles, strict=True))
    figures["mean"] = values.mean(dtype=np.float64)
    return {"of": of, **{name: round(float(value), 4) for name, value in figures.items()}}
