"""The pictures whose reading is measured are what their titles say."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import pictures
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.lines.line_file import LAB


def test_each_column_has_all_texts_and_the_pictures_that_it_names(drawn_lines: Path) -> None:
    lines = LinesDataset(drawn_lines, "test")
    columns = {title: (texts, shown) for title, texts, shown in pictures.columns(lines, LAB, 6)}
    assert list(columns) == ["images", "pictures", "blurred", "squared", "photographed", "two side by side"]
    texts = columns["images"][0]
    assert texts == lines.texts[:6]
    for title in ("pictures", "blurred", "squared", "photographed"):
        assert columns[title][0] == texts
        assert len(columns[title][1]) == 6
    plain, blurred, squared, photographed = (
        np.asarray(columns[title][1][0], dtype=int) for title in ("pictures", "blurred", "squared", "photographed")
    )
    assert np.abs(np.diff(blurred)).max() < 0.7 * np.abs(np.diff(plain)).max()
    assert squared[20].max() == squared[:, 60].max() == pictures.RULED
    assert np.array_equal(squared[21:59, 61:99], plain[21:59, 61:99])
    right, left = photographed[2:-2, -10:].mean(), photographed[2:-2, 14:19].mean()
    assert 0.5 < left / right < 0.7
    assert photographed[:, 9].mean() < 0.75 * left
    long, whole = columns["two side by side"]
    assert long == [" ".join(texts[i : i + 2]) for i in (0, 2, 4)]
    assert whole[0].width == plain.shape[1] + columns["pictures"][1][1].width
    assert np.array_equal(np.asarray(whole[0])[: len(plain), : plain.shape[1]], plain)


def test_errors_are_counted_by_character() -> None:
    assert pictures.cer(["abcd", "ef"], ["abd", "ef"]) == pytest.approx(1 / 6)
