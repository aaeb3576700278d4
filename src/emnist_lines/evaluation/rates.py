"""Error rates of predictions, with bootstrap intervals.

Lines of one person resemble each other, so an interval over lines would be too narrow for what people write: where
lines have writers, these are resampled, each with all of their lines (the cluster bootstrap, Davison and Hinkley 1997).
Of lines with and without writers, each sort is resampled by itself, as their numbers are no chance (strata, there too).
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from scipy.stats import bootstrap

from emnist_lines.evaluation.config import EvaluateConfig

CONFIDENCE = 0.95
RESAMPLED = 10_000_000
"""Values that the bootstrap holds in memory at a time."""


def edits(predictions: pd.Series, texts: pd.Series) -> NDArray[np.int64]:
    """(N,) the fewest insertions, deletions and substitutions from each text to its prediction."""
    pairs = zip(predictions, texts, strict=True)
    return np.array([Levenshtein.distance(p, t) for p, t in pairs], dtype=np.int64)


def rates(
    frame: pd.DataFrame, column: str, config: EvaluateConfig, cer_interval: list[float] | None = None
) -> dict[str, Any]:
    """Error rates of one column of predictions.

    Args:
        frame: at least one row, with the columns text and `column`, strings, and writer: whole numbers, below 0 for
            lines of nobody in particular. Without this column, all are.
        column: the predictions.
        config: of the bootstrap.
        cer_interval: the interval of the CER, if it is known otherwise.

    Returns:
        cer: edits over reference characters.
        cer_case_ignored: the same of texts and predictions in lower case.
        cer_per_line: mean over lines of edits over the longer of prediction and text (the lab's definition).
        wer: word edits over reference words.
        exact_match: share of lines without an edit.
        interval: for each of them the lower and upper end of the 95% percentile bootstrap interval over lines and, of
            lines that have one, writers.
        lines, characters: how many there are.
    """
    text, prediction = frame["text"], frame[column]
    caseless = edits(prediction.str.lower(), text.str.lower())
    wrong, length = edits(prediction, text), text.str.len().to_numpy()
    longer = np.maximum(np.maximum(length, prediction.str.len().to_numpy()), 1)
    word_edits = edits(prediction.str.split(), text.str.split())
    words = np.array([len(line.split()) for line in text])
    each = np.ones(len(frame))
    data: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
        "cer": (wrong, length),
        "cer_case_ignored": (caseless, length),
        "cer_per_line": (wrong / longer, each),
        "wer": (word_edits, words),
        "exact_match": ((wrong == 0).astype(float), each),
    }
    figures = {name: round(float(_ratio(*values, axis=0)), 5) for name, values in data.items()}
    known = {} if cer_interval is None else {"cer": cer_interval}
    intervals = {name: known.get(name) or interval(*values, frame, config) for name, values in data.items()}
    return {**figures, "interval": intervals, "lines": len(frame), "characters": int(length.sum())}


def difference(frame: pd.DataFrame, column: str, other: str, config: EvaluateConfig) -> dict[str, Any]:
    """By how much more the CER of one column of predictions is than that of another, on the same lines.

    Args:
        frame: at least one row, with the columns text, `column` and `other`, strings, and writer as in `rates`.
        column: predictions.
        other: predictions.
        config: of the bootstrap.

    Returns:
        cer: the difference; interval: the ends of its 95% percentile bootstrap interval. The same lines, or writers,
        are resampled for both.
    """
    more = edits(frame[column], frame["text"]) - edits(frame[other], frame["text"])
    values = (more, frame["text"].str.len().to_numpy())
    return {"cer": round(float(_ratio(*values, axis=0)), 5), "interval": interval(*values, frame, config)}


def _ratio(part: NDArray[Any], whole: NDArray[Any], axis: int) -> Any:
    return part.sum(axis) / whole.sum(axis)


def interval(part: NDArray[Any], whole: NDArray[Any], frame: pd.DataFrame, config: EvaluateConfig) -> list[float]:
    """The ends of the 95% percentile bootstrap interval of a ratio of sums, over lines, or over their writers.

    Args:
        part: (N,) what is summed above, of each line.
        whole: (N,) what is summed below.
        frame: the lines, with the column writer as in `rates`.
        config: of the bootstrap.
    """
    writers = frame["writer"].to_numpy() if "writer" in frame else np.full(len(part), -1)
    signed = writers >= 0
    _, person = np.unique(writers[signed], return_inverse=True)
    people = np.bincount(person, part[signed]), np.bincount(person, whole[signed])
    strata = [(part[~signed], whole[~signed]), people]
    drawn = [stratum for stratum in strata if len(stratum[0]) > 1]  # one alone is always the same
    fixed = [sum(stratum[i].sum() for stratum in strata if len(stratum[0]) == 1) for i in (0, 1)]
    if not drawn:
        return [round(float(fixed[0] / fixed[1]), 5)] * 2

    def ratio(*rows: NDArray[np.int64], axis: int) -> Any:
        above, below = (
            sum((stratum[i][chosen].sum(axis) for stratum, chosen in zip(drawn, rows, strict=True)), start=fixed[i])
            for i in (0, 1)
        )
        return above / below

    found = bootstrap(
        [np.arange(len(above)) for above, _ in drawn],
        ratio,
        n_resamples=config.bootstrap_samples,
        batch=max(1, RESAMPLED // len(part)),
        vectorized=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(config.bootstrap_seed),
    ).confidence_interval
    return [round(float(found.low), 5), round(float(found.high), 5)]
