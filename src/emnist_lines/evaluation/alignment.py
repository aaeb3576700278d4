"""Texts and predictions, aligned character by character with the fewest edits (Levenshtein 1966)."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from rapidfuzz.distance import Levenshtein


class Step(NamedTuple):
    """One step of an alignment.

    Attributes:
        kind: equal, replace, insert (predicted without being there) or delete (there without being predicted).
        place: in the line's text.
        written: the character that is there; empty for an insertion.
        predicted: the character in the prediction; empty for a deletion.
    """

    kind: str
    place: int
    written: str
    predicted: str


def align(text: str, prediction: str) -> list[Step]:
    """The steps from a line's text to its prediction."""
    steps = []
    for op in Levenshtein.opcodes(text, prediction):
        for n in range(max(op.src_end - op.src_start, op.dest_end - op.dest_start)):
            written = "" if op.tag == "insert" else text[op.src_start + n]
            predicted = "" if op.tag == "delete" else prediction[op.dest_start + n]
            steps.append(Step(op.tag, op.src_start + (n if written else 0), written, predicted))
    return steps


def align_all(frame: pd.DataFrame) -> pd.DataFrame:
    """The alignments of a table of predictions.

    Args:
        frame: with the columns text and prediction; if there is a column confidences (of the prediction's characters,
            separated by spaces), they are taken over.

    Returns:
        A row per step: row (the frame's index), kind, place, written, predicted, and confidence (of the predicted
        character; NaN where there is none). No rows for an empty table.
    """
    rows = []
    confidences = frame["confidences"] if "confidences" in frame else [None] * len(frame)
    for index, text, prediction, each in zip(frame.index, frame["text"], frame["prediction"], confidences, strict=True):
        values = iter(str(each).split() if each is not None else [])
        for step in align(text, prediction):
            confidence = float(next(values, "nan")) if step.predicted else np.nan
            rows.append((index, *step, confidence))
    return pd.DataFrame(rows, columns=["row", *Step._fields, "confidence"])
