"""How sure an error rate is when not only the lines are chance, but also the glyphs that they are composed of."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from emnist_lines.evaluation.alignment import align_all
from emnist_lines.lines.line_file import NO_GLYPH, Lines

QUANTILE = 1.96
"""Standard errors on each side of a 95% interval."""


def glyph_interval(frame: pd.DataFrame, column: str, lines: Lines) -> list[float]:
    """The 95% interval of a CER over other lines of other glyphs.

    A glyph stands in several lines and is misread in each of them, so lines alone look too sure. To the variance
    between lines comes what glyphs have in common beyond chance: two-way clustering (Cameron, Gelbach and Miller 2011,
    "Robust Inference With Multiway Clustering"). Resampling lines and glyphs one after the other would count pure
    chance three times (Owen 2007, "The pigeonhole bootstrap").

    Args:
        frame: at least one row, with the columns text and `column`, strings; its index tells the line. No line is
            written by people.
        column: the predictions.
        lines: all of the split, one piece per character.

    Returns:
        Lower end, not below 0, and upper end.
    """
    rows = frame.index.to_numpy()
    lengths = frame["text"].str.len().to_numpy()
    starts = np.cumsum(lengths) - lengths
    wrong = np.zeros(lengths.sum())
    steps = align_all(frame[["text"]].assign(prediction=frame[column]))
    steps = steps[steps["kind"] != "equal"]
    line = pd.Series(np.arange(len(frame)), index=rows)[steps["row"]].to_numpy(dtype=np.int64)
    # what is inserted behind the last character counts as that one's error
    np.add.at(wrong, starts[line] + np.minimum(steps["place"].to_numpy(dtype=np.int64), lengths[line] - 1), 1)
    error_rate = wrong.mean()
    glyphs = np.concatenate([lines.glyphs[lines.starts[row] : lines.starts[row + 1]] for row in rows])
    surplus = wrong - error_rate
    inked = glyphs != NO_GLYPH
    between_lines = _variance(surplus, np.repeat(np.arange(len(frame)), lengths))
    between_glyphs = _variance(surplus[inked], glyphs[inked]) - float((surplus[inked] ** 2).sum())
    reach = QUANTILE * np.sqrt(between_lines + max(between_glyphs, 0)) / len(wrong)
    return [round(max(float(error_rate - reach), 0.0), 5), round(float(error_rate + reach), 5)]


def _variance(surplus: NDArray[np.float64], cluster: NDArray[np.int64]) -> float:
    """Of the sum, whose parts are independent between clusters alone."""
    _, number = np.unique(cluster, return_inverse=True)
    return float((np.bincount(number, surplus) ** 2).sum())
