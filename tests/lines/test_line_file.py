"""The file of lines holds recipes, and says in one sentence when it does not."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from emnist_lines.common.errors import FileError
from emnist_lines.lines.line_file import Lines, path_of, read_lines, write_lines


def two_lines() -> Lines:
    return Lines(
        texts=np.array([b"a b", b"c"]),
        tokens=np.array([[1, 40, 66, 41, 2], [1, 42, 2, 3, 3]], dtype=np.uint8),
        widths=np.array([84, 28], dtype=np.int32),
        overlaps=np.zeros(2, dtype=np.float32),
        known=np.array([True, False]),
        kinds=np.array([0, 1], dtype=np.uint8),
        slants=np.array([0, 12], dtype=np.int16),
        pens=np.array([[0, 0], [150, 140]], dtype=np.int16),
        starts=np.array([0, 3, 4]),
        glyphs=np.array([0, -1, 1, 2], dtype=np.int32),
        boxes=np.array([[0, 0, 28, 28], [28, 0, 28, 28], [56, 0, 28, 28], [0, 0, 28, 28]], dtype=np.int16),
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    for name in ("one.h5", "two.h5"):
        write_lines(two_lines(), "drawn", tmp_path / name)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    lines, source = read_lines(tmp_path / "one.h5")
    assert source == "drawn"
    assert lines.columns == 5 * 28
    for name, value in vars(two_lines()).items():
        assert np.array_equal(getattr(lines, name), value)
        assert getattr(lines, name).dtype == value.dtype


@pytest.mark.parametrize(
    ("content", "told"), [(b"", "holds no lines"), (b"no HDF5", "holds no lines"), (None, "is missing")]
)
def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "test.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileError, match=rf"test\.h5 {told}") as raised:
        read_lines(path)
    assert raised.value.path == path


def test_another_alphabet_is_one_sentence(lines: Path, tmp_path: Path) -> None:
    path = tmp_path / "lines.h5"
    path.write_bytes(path_of(lines, "test").read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["alphabet"] = '["a", "b"]'
    with pytest.raises(FileError, match="holds lines of another format") as raised:
        read_lines(path)
    assert raised.value.path == path
