"""Glyphs have one order and one file."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from emnist_lines.common.errors import FileError
from emnist_lines.common.glyphs import Glyphs, read_glyphs, write_glyphs


def test_the_order_given_does_not_matter(glyphs: Glyphs, tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(len(glyphs.labels))
    shuffled = Glyphs.in_order(glyphs.images[order], glyphs.labels[order], glyphs.source, glyphs.parts)
    for name, some in (("one", glyphs), ("two", shuffled)):
        write_glyphs(some, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (np.diff(glyphs.labels.astype(int)) >= 0).all()


def test_ordering_keeps_each_image_with_its_label() -> None:
    images = np.zeros((4, 28, 28), dtype=np.uint8)
    images[:, 3, 4] = [9, 1, 7, 1]
    ordered = Glyphs.in_order(images, np.array([1, 1, 0, 0], dtype=np.uint8), "emnist", ("test",))
    assert ordered.labels.tolist() == [0, 0, 1, 1]
    assert ordered.images[:, 3, 4].tolist() == [1, 7, 1, 9]


def test_round_trip(glyphs: Glyphs, tmp_path: Path) -> None:
    write_glyphs(glyphs, tmp_path / "glyphs.h5")
    back = read_glyphs(tmp_path / "glyphs.h5")
    assert np.array_equal(back.images, glyphs.images)
    assert np.array_equal(back.labels, glyphs.labels)
    assert (back.source, back.parts) == ("drawn", ("all",))


def test_counts_are_those_of_each_class() -> None:
    labels = np.array([0, 2, 2, 61], dtype=np.uint8)
    counts = Glyphs(np.zeros((4, 28, 28), dtype=np.uint8), labels, "emnist", ("test",)).counts()
    assert counts.shape == (62,)
    assert counts.nonzero()[0].tolist() == [0, 2, 61]
    assert counts.sum() == 4


@pytest.mark.parametrize("content", [None, b"", b"no HDF5"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "glyphs.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileError, match=r"glyphs\.h5 (holds no glyphs \(.*\)|is missing)$") as raised:
        read_glyphs(path)
    assert raised.value.path == path


def test_another_format_is_one_sentence(glyphs: Glyphs, tmp_path: Path) -> None:
    path = tmp_path / "glyphs.h5"
    write_glyphs(glyphs, path)
    with h5py.File(path, "r+") as file:
        file.attrs["classes"] = "abc"
    with pytest.raises(FileError, match="holds glyphs of another format") as raised:
        read_glyphs(path)
    assert raised.value.path == path
