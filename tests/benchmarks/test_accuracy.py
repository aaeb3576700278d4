"""The page about errors counts them right, and is that of the committed figures."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks.parameters import Params

from benchmarks import accuracy, classifier
from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.lines.line_file import path_of
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.synthesis.documents import Document
from tests.conftest import REAL, ROOT, needs_real


def frame(*rows: tuple[str, str, int]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["text", "prediction", "edits"])
    made["length"] = made["text"].str.len()
    return made


PREDICTED = frame(("Cat Oil", "cat 0il", 2), ("to", "too", 1), ("see", "sc", 2), ("x", "x", 0))


def test_figures_of_known_predictions() -> None:
    found = accuracy.line_figures(PREDICTED, np.array([0.1, 0.2, 0.3, 0.0], dtype=np.float32))
    assert (found["lines"], found["characters"], found["errors"]) == (4, 13, 5)
    assert found["kinds"] == {"replace": 3, "insert": 1, "delete": 1}
    alike = {row["name"]: row["cer"] for row in found["alike"]}
    assert alike["as it is"] == round(5 / 13, 4)
    assert alike["upper and lower case"] == round(4 / 13, 4)
    assert alike["`0 O o`"] == round(4 / 13, 4)
    assert alike["all of these"] == round(3 / 13, 4)
    characters = {row["character"]: (row["count"], row["wrong"]) for row in found["by_character"]}
    assert characters["e"] == (2, 2)
    assert characters["t"] == (2, 0)
    assert {row["confusion"] for row in found["confusions"]} == {"C → c", "O → 0", "· → o", "e → c", "e → ·"}
    assert sum(row["characters"] for row in found["by_place"]) == 13
    assert found["by_place"][0]["cer"] == round(1 / 4, 4)
    assert [row["lines"] for row in found["by_length"]] == [2, 1, 1]
    assert [row["lines"] for row in found["by_overlap"]] == [0, 1, 1, 1]  # the single character overlaps with none
    assert found["by_overlap"][1]["cer"] == round(2 / 7, 4)


def test_the_committed_page_is_that_of_the_committed_figures() -> None:
    figures = json.loads(accuracy.FIGURES.read_text(encoding="utf-8"))
    assert (ROOT / accuracy.PAGE).read_text(encoding="utf-8") == accuracy.page(figures)


@needs_real
def test_the_committed_figures_are_those_of_the_committed_predictions() -> None:
    figures = json.loads(accuracy.FIGURES.read_text(encoding="utf-8"))
    found = accuracy.line_figures(*accuracy.lab_lines(ROOT / accuracy.PREDICTIONS, path_of(REAL, "test")))
    assert json.loads(json.dumps(found)) == {name: value for name, value in figures.items() if name != "single"}


def test_single_glyphs_are_told_apart(
    glyphs: Glyphs, documents: list[Document], small: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "EPOCH", 2000)
    monkeypatch.setattr(classifier, "EPOCHS", 2)
    composers = synthesis.composers(glyphs, documents, small.synthesize)
    table = classifier.confusions(glyphs.images, composers["train"], composers["test"], small.train.variation)
    assert np.allclose(table.sum(axis=1), 1)
    assert np.diag(table).mean() > 0.1  # chance: 0.016
    shares = classifier.frequencies(composers["test"].sampler.classes)
    assert shares.argmax() == CLASSES.index("e")
    assert shares.sum() == pytest.approx(1)


def test_missing_predictions_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"predictions.csv, data/lines/test.h5 missing; make them with `make repro`"):
        accuracy.main()
