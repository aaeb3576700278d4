"""What was misread is counted where it stands."""

import pandas as pd
import pytest

from emnist_lines.evaluation import breakdowns as analysis
from emnist_lines.evaluation.breakdowns import Error


def frame(*rows: tuple[str, str, str]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["text", "prediction", "confidences"])
    made["length"] = made["text"].str.len()
    made["edits"] = [len(analysis.errors(made.iloc[[row]])) for row in range(len(made))]
    return made


READ = frame(
    ("Cat Oil", "cat 0il", "0.55 1 1 1 0.95 1 1"), ("to", "too", "1 1 0.2"), ("see", "sc", "1 0.35"), ("x", "x", "1")
)


def test_errors_stand_where_they_were_made() -> None:
    assert analysis.errors(READ) == [
        Error(0, "replace", 0, "C", "c"),
        Error(0, "replace", 4, "O", "0"),
        Error(1, "insert", 2, "", "o"),
        Error(2, "replace", 1, "e", "c"),
        Error(2, "delete", 2, "e", ""),
    ]


def test_by_length() -> None:
    found = analysis.by_length(READ).set_index("characters")
    assert found.index.str.strip().tolist() == ["1 to 2", "3 to 5", "6 to 7"]
    assert found["lines"].tolist() == [2, 1, 1]
    assert found["cer"].tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 7], abs=1e-5)


def test_by_character() -> None:
    found = analysis.by_character(READ).set_index("character")
    assert found.loc["e"].tolist() == [2, 2, 1]
    assert found.loc["␣", "count"] == 1
    assert found.loc["C", "rate"] == 1
    assert found["count"].sum() == READ["length"].sum()
    assert found["wrong"].sum() == 4  # the insertion is no character's


def test_confusions() -> None:
    twice = pd.concat([READ, READ.iloc[[0]]], ignore_index=True)
    found = analysis.confusions(twice, most=4)
    assert found["confusion"].tolist() == ["C → c", "O → 0", "· → o", "e → ·"]
    assert found["count"].tolist() == [2, 2, 1, 1]
    assert found["of"].tolist() == [2, 2, 0, 2]
    assert len(analysis.confusions(READ.iloc[[3]], most=4)) == 0


def test_calibration() -> None:
    each = analysis.characters_read(READ)
    assert each["right"].tolist() == [
        False,
        True,
        True,
        True,
        False,
        True,
        True,
        *[True, True, False],
        True,
        False,
        True,
    ]
    found = analysis.calibration(READ)
    assert found["confidence"].tolist() == pytest.approx([0.2, 0.35, 0.55, 9.95 / 10], abs=1e-5)
    assert found["right"].tolist() == pytest.approx([0, 0, 0, 0.9], abs=1e-5)
    assert found["characters"].tolist() == [1, 1, 1, 10]
    expected = (0.2 + 0.35 + 0.55 + 10 * 0.095) / 13
    assert analysis.calibration_error(READ) == pytest.approx(expected, abs=1e-5)


def test_nothing_read_has_no_calibration() -> None:
    nothing = frame(("ab", "", ""))
    assert len(analysis.calibration(nothing)) == 0
    assert analysis.calibration_error(nothing) == 0
