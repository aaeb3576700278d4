"""Pictures show every line, and mark what was read wrongly."""

import numpy as np
import pytest

from emnist_lines import report


@pytest.mark.parametrize(
    ("text", "prediction", "expected"),
    [
        ("abc", "abc", [("abc", False)]),
        ("abc", "axc", [("a", False), ("x", True), ("c", False)]),
        ("abc", "ac", [("a", False), ("_", True), ("c", False)]),
        ("ac", "abc", [("a", False), ("b", True), ("c", False)]),
        ("ab", "", [("__", True)]),
        ("", "ab", [("ab", True)]),
        ("", "", []),
    ],
)
def test_wrong_characters_are_marked(text: str, prediction: str, expected: list[tuple[str, bool]]) -> None:
    assert [(piece, colour == report.WRONG) for piece, colour in report.mark(text, prediction)] == expected


def test_a_picture_has_room_for_every_line_and_shows_red_only_for_errors() -> None:
    images = np.zeros((3, 28, 140), dtype=np.uint8)
    images[:, 5:20, 10:30] = 255
    widths = np.array([28, 140, 84], dtype=np.int32)
    texts = ["a", "hello", "a much longer transcript than its line is wide"]
    page = report.preview(images, widths, texts)
    assert page.height > 3 * 28 * report.SCALE
    assert page.width > 140 * report.SCALE
    right, wrong = (np.asarray(report.readings(images, widths, texts, p)) for p in (texts, ["a", "hallo", texts[2]]))

    def red(picture: np.ndarray) -> int:
        return int(((picture[..., 0] > 150) & (picture[..., 1] < 80)).sum())

    assert red(right) == 0
    assert red(wrong) > 20
    assert (right[:, :, 0] < 40).sum() > 3 * 10 * 20  # the ink is dark on light
