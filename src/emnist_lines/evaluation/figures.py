"""Pictures of lines with their predictions."""

from collections.abc import Sequence

import pandas as pd
from PIL import Image

from emnist_lines.evaluation.alignment import align
from emnist_lines.figures.line_pictures import GREY, INK, WRONG, Entry, Run, stack
from emnist_lines.lines.dataset import LinesDataset

GAP = "_"  # where a character is missing


def ranked(frame: pd.DataFrame) -> list[int]:
    """Rows from the best predicted line to the worst: by error rate, then by confidence.

    Only lines at least as long as the mean count: short ones are either right or wholly wrong.

    Args:
        frame: with the columns length, edits and confidence. An empty table gives no rows.
    """
    long = frame[frame["length"] >= frame["length"].mean()]
    by = long.assign(rate=long["edits"] / long["length"])
    ordered = by.sort_values(["rate", "confidence"], ascending=[True, False], kind="stable")
    return [int(row) for row in ordered.index]


def examples(frame: pd.DataFrame, count: int) -> dict[str, list[int]]:
    """Rows of the best, typical and worst predictions, `count` in all as far as there are; the frame as in `ranked`."""
    rows = ranked(frame)
    best, typical, worst = ((min(count, len(rows)) + more) // 3 for more in (2, 1, 0))
    middle, end = best + (len(rows) - best - worst - typical) // 2, len(rows) - worst
    return {"Best": rows[:best], "Typical": rows[middle : middle + typical], "Worst": rows[end:]}


def prediction_figure(frame: pd.DataFrame, lines: LinesDataset, count: int) -> Image.Image:
    """The best, typical and worst predictions. Wrong characters are red, unsure ones underlined.

    Args:
        frame: of `predict.predict`.
        lines: the same lines.
        count: of lines in the picture.
    """
    entries = []
    for heading, rows in examples(frame, count).items():
        for number, row in enumerate(rows):
            text, prediction, each = (str(frame[name][row]) for name in ("text", "prediction", "confidences"))
            runs = [*mark(text, prediction, [float(p) for p in each.split()])]
            runs.append(Run(f"   {float(frame['confidence'][row]):.0%}", GREY))
            entries.append(Entry(lines.image(row), [[Run(text, GREY)], runs], heading if number == 0 else ""))
    return stack(entries)


def mark(text: str, prediction: str, confidences: Sequence[float]) -> list[Run]:
    """The prediction, wrong characters in red, with a gap where one is missing, and the doubt about each."""
    runs, at = [], 0
    for step in align(text, prediction):
        if not step.predicted:
            runs.append(Run(GAP, WRONG))
            continue
        runs.append(Run(step.predicted, INK if step.kind == "equal" else WRONG, 1 - confidences[at]))
        at += 1
    return runs
