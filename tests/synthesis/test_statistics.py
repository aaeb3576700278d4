"""Figures about lines are those of lines that can be counted by hand."""

import numpy as np

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.lines.line_file import Lines
from emnist_lines.synthesis.statistics import statistics


def lines_of(texts: list[str], overlaps: list[float], widths: list[int]) -> Lines:
    """Lines of which only these figures count."""
    lengths = [len(text) for text in texts]
    return Lines(
        texts=np.array([text.encode() for text in texts]),
        tokens=np.zeros((len(texts), 6), dtype=np.uint8),
        widths=np.array(widths, dtype=np.int32),
        overlaps=np.array(overlaps, dtype=np.float32),
        known=np.zeros(len(texts), dtype=bool),
        kinds=np.zeros(len(texts), dtype=np.uint8),
        slants=np.zeros(len(texts), dtype=np.int16),
        pens=np.zeros((len(texts), 2), dtype=np.int16),
        starts=np.cumsum([0, *lengths]),
        glyphs=np.zeros(sum(lengths), dtype=np.int32),
        boxes=np.zeros((sum(lengths), 4), dtype=np.int16),
    )


def test_a_few_lines() -> None:
    found = statistics(lines_of(["a", "ab", "a b", "abab", "z"], [0, 0.1, 0.2, 0.3, 0], [28, 53, 73, 87, 28]))
    assert (found["lines"], found["characters"]) == (5, 11)
    lengths, shares, columns = found["distributions"]
    quantiles = {"min": 1, "10%": 1, "median": 2, "90%": 3.6, "max": 4}
    assert lengths == {"of": "characters of a line", **quantiles, "mean": 2.2}
    assert shares["of"] == "share of a glyph that the next one covers"
    assert (shares["min"], shares["median"], shares["max"], shares["mean"]) == (0.1, 0.2, 0.3, 0.2)  # of several glyphs
    assert (columns["of"], columns["min"], columns["max"]) == ("columns of a line", 28, 87)
    assert found["lines_by_length"] == [
        {"length": 1, "lines": 2},
        {"length": 2, "lines": 1},
        {"length": 3, "lines": 1},
        {"length": 4, "lines": 1},
    ]
    counts = {row["character"]: row["count"] for row in found["count_by_character"]}
    assert list(counts) == list(" " + CLASSES)
    assert {character: count for character, count in counts.items() if count} == {" ": 1, "a": 5, "b": 4, "z": 1}


def test_lines_of_one_character_cover_nothing() -> None:
    found = statistics(lines_of(["a", "b"], [0, 0], [28, 28]))
    assert found["distributions"][1] == {"of": "share of a glyph that the next one covers"}
    assert found["lines_by_length"] == [{"length": 1, "lines": 2}]
