"""An interval over lines and glyphs: as one over lines where no glyph comes twice, wider where one is hard to read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emnist_lines.evaluation.config import EvaluateConfig
from emnist_lines.evaluation.glyph_interval import glyph_interval
from emnist_lines.evaluation.rates import rates
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.lines.line_file import NO_GLYPH, Lines
from tests.evaluation.test_predict import EVALUATE

LENGTH = 8


@pytest.fixture
def some(lines: Path) -> Lines:
    return LinesDataset(lines, "test").lines


def composed(some: Lines, glyphs: list[int]) -> Lines:
    starts = np.arange(0, len(glyphs) + 1, LENGTH, dtype=np.int64)
    return replace(some, glyphs=np.array(glyphs, dtype=np.int32), starts=starts)


def read(glyphs: list[int], misread: set[int]) -> pd.DataFrame:
    """Lines of eight characters, of which some glyphs are misread wherever they stand."""
    predictions = [
        "".join("b" if glyph in misread else "a" for glyph in glyphs[at : at + LENGTH])
        for at in range(0, len(glyphs), LENGTH)
    ]
    return pd.DataFrame({"text": ["a" * LENGTH] * len(predictions), "prediction": predictions})


def test_glyphs_that_come_once_add_nothing(some: Lines) -> None:
    glyphs = list(range(400 * LENGTH))
    frame = read(glyphs, set(np.random.default_rng(0).choice(len(glyphs), 320, replace=False).tolist()))
    config: EvaluateConfig = EVALUATE.replace(bootstrap_samples=4000)
    found = glyph_interval(frame, "prediction", composed(some, glyphs))
    assert found == pytest.approx(rates(frame, "prediction", config)["interval"]["cer"], abs=0.0015)


def test_few_glyphs_in_many_lines_make_a_rate_less_sure(some: Lines) -> None:
    """One glyph of ten is misread: the standard error is that of a mean of ten, not of the 400 lines."""
    glyphs = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 40 * LENGTH)).tolist()
    frame = read(glyphs, {3})
    low, high = glyph_interval(frame, "prediction", composed(some, glyphs))
    assert low == 0
    assert high - 0.1 == pytest.approx(1.96 * np.sqrt(0.1 * 0.9 / 10), rel=0.05)
    alone = rates(frame, "prediction", EVALUATE)["interval"]["cer"]
    assert high - 0.1 > 5 * (alone[1] - 0.1)


def test_all_edits_count_and_lines_go_by_their_number(some: Lines) -> None:
    """What is missing, what is too much, at the end too; spaces have no glyph; the table may be a part of the lines."""
    glyphs = list(range(3 * LENGTH))
    glyphs[2 * LENGTH + 4] = NO_GLYPH
    texts = ["aaaaaaaa", "abcdefgh", "abcd fgh"]
    frame = pd.DataFrame({"text": texts, "prediction": ["", "xxabcdefghyy", "abcdfgh"]})
    lines = composed(some, glyphs)
    for rows in ([0, 1, 2], [1, 2], [1]):
        low, high = glyph_interval(frame.loc[rows], "prediction", lines)
        cer = rates(frame.loc[rows], "prediction", EVALUATE)["cer"]
        assert low <= cer <= high
        assert low == 0 or (low + high) / 2 == pytest.approx(cer, abs=1e-4)
    assert glyph_interval(frame.assign(prediction=texts), "prediction", lines) == [0, 0]
