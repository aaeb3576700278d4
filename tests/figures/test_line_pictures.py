"""Pictures show every line, mark what was read wrongly and say how sure the reader was."""

import numpy as np
import pytest
from PIL import Image

from emnist_lines.figures import line_pictures as report
from emnist_lines.figures.line_pictures import Shown

INK = np.zeros((28, 140), dtype=np.uint8)
INK[5:20, 10:30] = 255


@pytest.mark.parametrize(
    ("text", "prediction", "expected"),
    [
        ("abc", "abc", [("a", False), ("b", False), ("c", False)]),
        ("abc", "axc", [("a", False), ("x", True), ("c", False)]),
        ("abc", "ac", [("a", False), ("_", True), ("c", False)]),
        ("ac", "abc", [("a", False), ("b", True), ("c", False)]),
        ("ab", "", [("__", True)]),
        ("", "ab", [("a", True), ("b", True)]),
        ("", "", []),
    ],
)
def test_wrong_characters_are_marked(text: str, prediction: str, expected: list[tuple[str, bool]]) -> None:
    found = report.mark(text, prediction, [0.9] * len(prediction))
    assert [(run.text, run.colour == report.WRONG) for run in found] == expected


def test_each_character_carries_its_doubt() -> None:
    found = report.mark("abc", "xb", [0.25, 1.0])
    assert [(run.text, run.doubt) for run in found] == [("x", 0.75), ("b", 0), ("_", 0)]


def count(page: Image.Image, colour: report.Colour) -> int:
    """Pixels of a colour, or nearly so."""
    return int((np.abs(np.asarray(page).astype(int) - colour).sum(axis=2) < 60).sum())


def shown(text: str, prediction: str, confidence: float) -> Shown:
    return Shown(INK, text, prediction, confidence**2, [confidence] * len(prediction))


def test_a_picture_has_room_for_every_line() -> None:
    texts = ["a", "hello", "a much longer transcript than its line is wide"]
    page = report.preview(np.stack([INK] * 3), np.array([28, 140, 84], dtype=np.int32), texts)
    assert page.height > 3 * 28 * report.SCALE
    assert page.width > 140 * report.SCALE
    assert count(page, report.INK) + count(page, (0, 0, 0)) > 2 * 15 * 20 * report.SCALE**2  # dark on light


def test_readings_show_red_for_errors_and_orange_for_doubt() -> None:
    right = report.readings({"Best": [shown("hello", "hello", 1.0)]})
    wrong = report.readings({"Best": [shown("hello", "hallo", 1.0)]})
    unsure = report.readings({"Best": [shown("hello", "hello", 0.3)]})
    assert count(right, report.WRONG) == count(right, report.DOUBT) == 0
    assert count(wrong, report.WRONG) > 20
    assert count(wrong, report.DOUBT) == 0
    assert count(unsure, report.WRONG) == 0
    assert count(unsure, report.DOUBT) > 20


def test_each_group_stands_under_its_heading() -> None:
    one = report.readings({"Best": [shown("a", "a", 1.0)] * 2})
    two = report.readings({"Best": [shown("a", "a", 1.0)], "Worst": [shown("a", "a", 1.0)]})
    assert two.height > one.height


def test_a_line_as_on_paper() -> None:
    line = np.asarray(report.line(INK, 40))
    assert line.shape == (28, 40)
    assert np.array_equal(255 - line, INK[:, :40])
