"""Glyphs have one order and one file; splits are disjoint and stratified."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from emnist_lines.common import glyphs as store
from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.common.params import SplitFractions

FRACTIONS = SplitFractions(train=0.7, val=0.15, test=0.15)


def test_the_order_given_does_not_matter(glyphs: Glyphs, tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(len(glyphs.labels))
    shuffled = Glyphs.collect(glyphs.images[order], glyphs.labels[order], glyphs.source, glyphs.parts)
    for name, some in (("one", glyphs), ("two", shuffled)):
        store.write(some, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (np.diff(glyphs.labels.astype(int)) >= 0).all()


def test_collecting_keeps_each_picture_with_its_label() -> None:
    images = np.zeros((4, 28, 28), dtype=np.uint8)
    images[:, 3, 4] = [9, 1, 7, 1]
    collected = Glyphs.collect(images, np.array([1, 1, 0, 0], dtype=np.uint8), "emnist", ("test",))
    assert collected.labels.tolist() == [0, 0, 1, 1]
    assert collected.images[:, 3, 4].tolist() == [1, 7, 1, 9]


def test_round_trip(glyphs: Glyphs, tmp_path: Path) -> None:
    store.write(glyphs, tmp_path / "glyphs.h5")
    back = store.read(tmp_path / "glyphs.h5")
    assert np.array_equal(back.images, glyphs.images)
    assert np.array_equal(back.labels, glyphs.labels)
    assert (back.source, back.parts) == ("drawn", ("all",))


def test_splits_are_disjoint_whole_and_stratified(glyphs: Glyphs) -> None:
    split = store.split(glyphs, FRACTIONS, np.random.default_rng(0))
    pictures = {name: {(n, i.tobytes()) for n, i in zip(p.labels, p.images, strict=True)} for name, p in split.items()}
    assert sum(map(len, pictures.values())) == len(set.union(*pictures.values())) == len(glyphs.labels)
    assert (split["train"].counts() == 8).all()
    assert (split["val"].counts() == 2).all()
    assert (split["test"].counts() == 2).all()


def test_copies_of_a_picture_stay_together() -> None:
    labels = np.repeat(np.arange(62, dtype=np.uint8), 30)
    images = np.zeros((len(labels), 28, 28), dtype=np.uint8)
    images[:, 0, 0] = np.arange(len(labels)) % 10  # each picture three times
    glyphs = Glyphs.collect(images, labels, "emnist", ("test",))
    split = store.split(glyphs, FRACTIONS, np.random.default_rng(0))
    for label in range(62):
        inks = [set(part.images[part.labels == label, 0, 0].tolist()) for part in split.values()]
        assert sum(map(len, inks)) == 10
        assert all(inks)


@pytest.mark.parametrize("each", [3, 4, 5])
def test_few_glyphs_still_reach_every_split(each: int) -> None:
    labels = np.repeat(np.arange(62, dtype=np.uint8), each)
    images = np.random.default_rng(0).integers(0, 255, (len(labels), 28, 28), dtype=np.uint8)
    split = store.split(Glyphs.collect(images, labels, "emnist", ("test",)), FRACTIONS, np.random.default_rng(0))
    assert all((part.counts() > 0).all() for part in split.values())


def test_too_few_glyphs_are_one_sentence() -> None:
    labels = np.repeat(np.arange(62, dtype=np.uint8), 2)
    images = np.random.default_rng(0).integers(0, 255, (len(labels), 28, 28), dtype=np.uint8)
    with pytest.raises(UserError, match="there are 2 glyphs of '0', too few for 3 splits"):
        store.split(Glyphs.collect(images, labels, "emnist", ("test",)), FRACTIONS, np.random.default_rng(0))


@pytest.mark.parametrize("content", [None, b"", b"no HDF5"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "glyphs.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"(holds no glyphs|is missing).* `dvc repro -f download`"):
        store.read(path)


def test_another_format_is_one_sentence(glyphs: Glyphs, tmp_path: Path) -> None:
    path = tmp_path / "glyphs.h5"
    store.write(glyphs, path)
    with h5py.File(path, "r+") as file:
        file.attrs["classes"] = "abc"
    with pytest.raises(UserError, match="another format"):
        store.read(path)
