"""The file of what people wrote: read as it was written, the same bytes each time, refused when damaged."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from emnist_lines.common.errors import FileError
from emnist_lines.common.written import Written, read_written, write_written
from emnist_lines.sources.drawn_written import PEOPLE, render_written
from tests.written_items import written_of

SOME = written_of(("ab", [[(0, 0), (5, 5)], [(9, 9)]]), ("c d", [[(1, 2), (3, 4), (5, 6)]]))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_written(SOME, tmp_path / "one.h5")
    write_written(SOME, tmp_path / "two.h5")
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    found = read_written(tmp_path / "one.h5")
    assert found.texts.tolist() == [b"ab", b"c d"]
    assert [stroke.tolist() for stroke in found.of(0)] == [[[0, 0], [5, 5]], [[9, 9]]]
    assert found.source == "drawn"


@pytest.mark.parametrize(
    "changed",
    [
        replace(SOME, texts=np.array([b"\xc3\xa4", b"b"])),
        replace(SOME, strokes=np.array([0, 2, 4])),
        replace(SOME, points=np.array([0, 2, 2, 6])),
        replace(SOME, xy=SOME.xy.astype(np.int64)),
        replace(SOME, writers=SOME.writers[:1]),
    ],
    ids=["letters", "strokes", "empty stroke", "type", "shape"],
)
def test_another_format_is_refused(changed: Written, tmp_path: Path) -> None:
    write_written(changed, tmp_path / "some.h5")
    with pytest.raises(FileError, match="holds written words of another format"):
        read_written(tmp_path / "some.h5")


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is missing"):
        read_written(tmp_path / "none.h5")
    write_written(SOME, tmp_path / "some.h5")
    with h5py.File(tmp_path / "some.h5", "a") as file:
        del file["xy"]
    with pytest.raises(FileError):
        read_written(tmp_path / "some.h5")


def test_the_stand_in_is_the_same_each_time_and_by_several_hands() -> None:
    one, two = render_written(20, 3), render_written(20, 3)
    assert np.array_equal(one.xy, two.xy)
    assert one.texts.tolist() == two.texts.tolist()
    assert len(np.unique(one.writers)) == PEOPLE
    assert one.levels.sum() > PEOPLE
    assert not np.array_equal(one.xy[:100], render_written(20, 4).xy[:100])
