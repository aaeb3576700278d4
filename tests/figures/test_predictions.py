"""A picture of predictions marks what is wrong and says how sure the recognizer was."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from emnist_lines.evaluation.figures import examples, mark, prediction_figure
from emnist_lines.figures.line_pictures import DOUBT, INK, WRONG, Colour
from emnist_lines.lines.dataset import LinesDataset


@pytest.mark.parametrize(
    ("text", "prediction", "expected"),
    [
        ("abc", "abc", [("a", False), ("b", False), ("c", False)]),
        ("abc", "axc", [("a", False), ("x", True), ("c", False)]),
        ("abc", "ac", [("a", False), ("_", True), ("c", False)]),
        ("ac", "abc", [("a", False), ("b", True), ("c", False)]),
        ("ab", "", [("_", True), ("_", True)]),
        ("", "ab", [("a", True), ("b", True)]),
        ("", "", []),
    ],
)
def test_wrong_characters_are_marked(text: str, prediction: str, expected: list[tuple[str, bool]]) -> None:
    found = mark(text, prediction, [0.9] * len(prediction))
    assert [(run.text, run.colour == WRONG) for run in found] == expected


def test_each_character_carries_its_doubt() -> None:
    found = mark("abc", "xb", [0.25, 1.0])
    assert [(run.text, run.doubt) for run in found] == [("x", 0.75), ("b", 0), ("_", 0)]


def count(page: Image.Image, colour: Colour) -> int:
    """Pixels of a colour, or nearly so."""
    return int((np.abs(np.asarray(page).astype(int) - colour).sum(axis=2) < 60).sum())


@pytest.fixture
def dataset(lines: Path) -> LinesDataset:
    return LinesDataset(lines, "test", step=8)


def table(dataset: LinesDataset, prediction: str | None = None, confidence: float = 1.0) -> pd.DataFrame:
    """Predictions of all lines: their texts, or the same one for each."""
    predictions = [prediction or text for text in dataset.texts]
    return pd.DataFrame(
        {
            "text": dataset.texts,
            "prediction": predictions,
            "length": dataset.lengths,
            "edits": [0 if prediction is None else 1] * len(dataset),
            "confidence": confidence,
            "confidences": [" ".join([str(confidence)] * len(p)) for p in predictions],
        }
    )


def test_errors_are_red_and_doubt_is_orange(dataset: LinesDataset) -> None:
    right = prediction_figure(table(dataset), dataset, 3)
    wrong = prediction_figure(table(dataset, "############"), dataset, 3)
    unsure = prediction_figure(table(dataset, confidence=0.3), dataset, 3)
    assert count(right, WRONG) == count(right, DOUBT) == 0
    assert count(wrong, WRONG) > 20
    assert count(wrong, DOUBT) == 0
    assert count(unsure, WRONG) == 0
    assert count(unsure, DOUBT) > 20
    assert count(right, INK) > 20


def test_each_group_stands_under_its_heading(dataset: LinesDataset) -> None:
    frame = table(dataset)
    assert {name: len(rows) for name, rows in examples(frame, 3).items()} == {"Best": 1, "Typical": 1, "Worst": 1}
    one, two = (prediction_figure(frame, dataset, lines) for lines in (3, 6))
    headings = one.height - (two.height - one.height)  # what three more lines do not add
    assert headings > 3 * 30
