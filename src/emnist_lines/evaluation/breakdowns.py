"""Which errors are made: tables by length, by character, by confusion and by confidence."""

from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from torchmetrics.functional.classification import binary_calibration_error

LENGTHS = (1, 3, 6, 11, 16, 21, 26)
"""Where groups of lines by their number of characters begin."""
BINS = 10
"""Groups of characters by their confidence."""


def visible(character: str) -> str:
    """A character as tables and plots write it: a space is ␣, none is ·."""
    return character.replace(" ", "␣") or "·"


def by_length(frame: pd.DataFrame) -> pd.DataFrame:
    """CER of lines of similar length.

    Args:
        frame: with the columns length (characters of the text) and edits.

    Returns:
        Columns characters (from–to), lines, cer (edits over reference characters). No rows for an empty table.
    """
    longest = int(frame["length"].max()) if len(frame) else 0
    edges = [*[edge for edge in LENGTHS if edge <= longest], longest + 1]
    rows = []
    for low, high in pairwise(edges):
        chosen = frame[(frame["length"] >= low) & (frame["length"] < high)]
        if len(chosen):
            name = f"{low:2d}" if high == low + 1 else f"{low:2d} to {high - 1}"
            cer = chosen["edits"].sum() / chosen["length"].sum()
            rows.append({"characters": name, "lines": len(chosen), "cer": round(float(cer), 5)})
    return pd.DataFrame(rows, columns=["characters", "lines", "cer"])


def by_character(steps: pd.DataFrame) -> pd.DataFrame:
    """How often each character is written, and how often it was not recognized.

    Args:
        steps: of `align_all`.

    Returns:
        Columns character, count, wrong, rate (wrong / count), in the order of code points. No rows for no steps.
    """
    written = steps[steps["written"] != ""]
    groups = (written["kind"] != "equal").groupby(written["written"])
    found = pd.DataFrame({"count": groups.size(), "wrong": groups.sum().astype(int)}).rename_axis("character")
    found["rate"] = (found["wrong"] / found["count"]).round(5)
    found = found.reset_index()
    found["character"] = found["character"].map(visible)
    return found


def confusions(steps: pd.DataFrame, most: int) -> pd.DataFrame:
    """The most frequent errors.

    Args:
        steps: of `align_all`.
        most: rows of the result.

    Returns:
        Columns confusion (written → predicted), count, of (how often the first is written). No rows for no errors.
    """
    written = steps.loc[steps["written"] != "", "written"].value_counts()
    errors = steps[steps["kind"] != "equal"]
    counts = errors.groupby(["written", "predicted"]).size().rename("count").reset_index()
    ranked = counts.sort_values(["count", "written", "predicted"], ascending=[False, True, True])[:most]
    return pd.DataFrame(
        {
            "confusion": [
                f"{visible(w)} → {visible(p)}" for w, p in zip(ranked["written"], ranked["predicted"], strict=True)
            ],
            "count": ranked["count"].to_numpy(),
            "of": [int(written.get(w, 0)) for w in ranked["written"]],
        }
    )


def calibration(steps: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of predicted characters by tenths of their confidence.

    Args:
        steps: of `align_all`, with confidences.

    Returns:
        Columns confidence (mean), right (share that stands in the text), characters. No rows for no characters.
    """
    each = steps[steps["predicted"] != ""].assign(right=lambda s: s["kind"] == "equal")
    tenth = np.clip((each["confidence"] * BINS).astype(int), 0, BINS - 1)
    groups = each.groupby(tenth)
    found = groups.agg(confidence=("confidence", "mean"), right=("right", "mean"), characters=("right", "size"))
    return found.round({"confidence": 5, "right": 5}).reset_index(drop=True)


def calibration_error(steps: pd.DataFrame) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over characters, by tenths of confidence.

    Naeini et al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning".

    Args:
        steps: of `align_all`, with confidences. 0 for no characters.
    """
    each = steps[steps["predicted"] != ""]
    if each.empty:
        return 0.0
    confidence = torch.tensor(each["confidence"].to_numpy(), dtype=torch.float32)
    right = torch.tensor((each["kind"] == "equal").to_numpy(), dtype=torch.long)
    return float(binary_calibration_error(confidence, right, n_bins=BINS, norm="l1"))
