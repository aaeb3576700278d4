"""What was misread: tables of predictions (see `evaluation.table`) → figures by length, character and confidence."""

from collections import Counter
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from rapidfuzz.distance import Levenshtein

LENGTHS = (1, 3, 6, 11, 16, 21, 26)
"""Where groups of lines by their number of characters begin."""
BINS = np.linspace(0, 1, 11)
"""Edges of the groups of characters by their confidence."""


class Error(NamedTuple):
    """One edit between what stands in a line and what was read.

    Attributes:
        row: of the table.
        kind: replace, insert (read without being there) or delete (there without being read).
        place: in the line's text.
        there: the character that stands there; empty for an insertion.
        read: the character that was read; empty for a deletion.
    """

    row: int
    kind: str
    place: int
    there: str
    read: str


def errors(frame: pd.DataFrame) -> list[Error]:
    """All edits, each text aligned with its prediction by the fewest (Levenshtein 1966)."""
    found = []
    for row, (written, read) in enumerate(zip(frame["text"], frame["prediction"], strict=True)):
        for op in Levenshtein.editops(written, read).as_list():
            kind, at, to = str(op[0]), int(op[1]), int(op[2])
            there = "" if kind == "insert" else written[at]
            found.append(Error(row, kind, at, there, "" if kind == "delete" else read[to]))
    return found


def shown(character: str) -> str:
    """A character as tables and plots write it: a space is ␣, none is nothing but a ·."""
    return character.replace(" ", "␣") or "·"


def by_length(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns characters (of a line, from–to), lines, cer: edits over reference characters."""
    longest = int(frame["length"].max())
    edges = [*[edge for edge in LENGTHS if edge <= longest], longest + 1]
    rows = []
    for low, high in pairwise(edges):
        chosen = frame[(frame["length"] >= low) & (frame["length"] < high)]
        if len(chosen):
            name = f"{low:2d}" if high == low + 1 else f"{low:2d} to {high - 1}"
            cer = chosen["edits"].sum() / chosen["length"].sum()
            rows.append({"characters": name, "lines": len(chosen), "cer": round(float(cer), 5)})
    return pd.DataFrame(rows, columns=["characters", "lines", "cer"])


def by_character(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns character, count, wrong, rate: how often each stands in the texts, and how often it was not read."""
    counts = Counter("".join(frame["text"]))
    wrong = Counter(error.there for error in errors(frame) if error.there)
    rows = [
        {"character": shown(c), "count": n, "wrong": wrong[c], "rate": round(wrong[c] / n, 5)}
        for c, n in sorted(counts.items())
    ]
    return pd.DataFrame(rows, columns=["character", "count", "wrong", "rate"])


def confusions(frame: pd.DataFrame, most: int) -> pd.DataFrame:
    """Columns confusion (there → read), count, of (how often the first stands in the texts); the most frequent ones."""
    counts = Counter("".join(frame["text"]))
    swaps = Counter((error.there, error.read) for error in errors(frame))
    ranked = sorted(swaps.items(), key=lambda item: (-item[1], item[0]))[:most]
    rows = [
        {"confusion": f"{shown(there)} → {shown(read)}", "count": count, "of": counts[there]}
        for (there, read), count in ranked
    ]
    return pd.DataFrame(rows, columns=["confusion", "count", "of"])


def characters_read(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns confidence and right, one row for each character of the predictions.

    A character is right where the fewest edits leave it as it is.
    """
    confidence: list[float] = []
    right: list[bool] = []
    for written, read, each in zip(frame["text"], frame["prediction"], frame["confidences"], strict=True):
        confidence += [float(p) for p in str(each).split()]
        kept = np.zeros(len(read), dtype=bool)
        for op in Levenshtein.opcodes(written, read):
            kept[op.dest_start : op.dest_end] = op.tag == "equal"
        right += kept.tolist()
    return pd.DataFrame({"confidence": confidence, "right": right})


def calibration(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns confidence (mean), right (share), characters: the predictions' characters by tenths of confidence."""
    each = characters_read(frame)
    groups = each.groupby(np.clip(np.digitize(each["confidence"], BINS) - 1, 0, len(BINS) - 2))
    found = groups.agg(confidence=("confidence", "mean"), right=("right", "mean"), characters=("right", "size"))
    return found.round({"confidence": 5, "right": 5}).reset_index(drop=True)


def calibration_error(frame: pd.DataFrame) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over characters, by tenths of confidence.

    Naeini et al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning".
    """
    found = calibration(frame)
    if found.empty:
        return 0.0
    distance = (found["confidence"] - found["right"]).abs()
    return float((distance * found["characters"]).sum() / found["characters"].sum())
