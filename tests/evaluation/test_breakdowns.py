"""What was misread is counted where it stands."""

import pandas as pd
import pytest

from emnist_lines.evaluation import breakdowns
from emnist_lines.evaluation.alignment import Step, align, align_all


def frame(*rows: tuple[str, str, str]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["text", "prediction", "confidences"])
    made["length"] = made["text"].str.len()
    made["edits"] = [sum(step.kind != "equal" for step in align(text, read)) for text, read, *_ in rows]
    return made


READ = frame(
    ("Cat Oil", "cat 0il", "0.55 1 1 1 0.95 1 1"), ("to", "too", "1 1 0.2"), ("see", "sc", "1 0.35"), ("x", "x", "1")
)


def test_errors_stand_where_they_were_made() -> None:
    steps = align_all(READ)
    errors = steps[steps["kind"] != "equal"]
    found = [(row, Step(*rest)) for row, *rest in errors[["row", *Step._fields]].itertuples(index=False)]
    assert found == [
        (0, Step("replace", 0, "C", "c")),
        (0, Step("replace", 4, "O", "0")),
        (1, Step("insert", 2, "", "o")),
        (2, Step("replace", 1, "e", "c")),
        (2, Step("delete", 2, "e", "")),
    ]
    assert errors["confidence"].tolist()[:4] == [0.55, 0.95, 0.2, 0.35]
    assert errors["confidence"].isna().tolist() == [False] * 4 + [True]


def test_an_alignment_holds_both_texts() -> None:
    for text, prediction in (("kitten", "sitting"), ("", "ab"), ("ab", ""), ("", ""), ("abcd", "bxd")):
        steps = align(text, prediction)
        assert "".join(step.written for step in steps) == text
        assert "".join(step.predicted for step in steps) == prediction


def test_empty_tables() -> None:
    steps = align_all(READ.iloc[:0])
    assert steps.columns.tolist() == ["row", "kind", "place", "written", "predicted", "confidence"]
    for table in (
        breakdowns.by_length(READ.iloc[:0]),
        breakdowns.by_character(steps),
        breakdowns.confusions(steps, most=3),
        breakdowns.calibration(steps),
    ):
        assert len(table) == 0
        assert len(table.columns) >= 3


def test_by_length() -> None:
    found = breakdowns.by_length(READ).set_index("characters")
    assert found.index.str.strip().tolist() == ["1 to 2", "3 to 5", "6 to 7"]
    assert found["lines"].tolist() == [2, 1, 1]
    assert found["cer"].tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 7], abs=1e-5)


def test_by_character() -> None:
    found = breakdowns.by_character(align_all(READ)).set_index("character")
    assert found.loc["e"].tolist() == [2, 2, 1]
    assert found.loc["␣", "count"] == 1
    assert found.loc["C", "rate"] == 1
    assert found["count"].sum() == READ["length"].sum()
    assert found["wrong"].sum() == 4  # the insertion is no character's


def test_confusions() -> None:
    twice = pd.concat([READ, READ.iloc[[0]]], ignore_index=True)
    found = breakdowns.confusions(align_all(twice), most=4)
    assert found["confusion"].tolist() == ["C → c", "O → 0", "· → o", "e → ·"]
    assert found["count"].tolist() == [2, 2, 1, 1]
    assert found["of"].tolist() == [2, 2, 0, 2]
    assert len(breakdowns.confusions(align_all(READ.iloc[[3]]), most=4)) == 0


def test_calibration() -> None:
    steps = align_all(READ)
    found = breakdowns.calibration(steps)
    assert found["confidence"].tolist() == pytest.approx([0.2, 0.35, 0.55, 9.95 / 10], abs=1e-5)
    assert found["right"].tolist() == pytest.approx([0, 0, 0, 0.9], abs=1e-5)
    assert found["characters"].tolist() == [1, 1, 1, 10]
    expected = (0.2 + 0.35 + 0.55 + 10 * 0.095) / 13
    assert breakdowns.calibration_error(steps) == pytest.approx(expected, abs=1e-5)


def test_nothing_read_has_no_calibration() -> None:
    nothing = align_all(frame(("ab", "", "")))
    assert len(breakdowns.calibration(nothing)) == 0
    assert breakdowns.calibration_error(nothing) == 0
