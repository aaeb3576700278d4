"""A batch is its lines, rendered, varied and cropped."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from emnist_lines.common.alphabet import PAD, decode
from emnist_lines.common.errors import FileError
from emnist_lines.common.glyphs import write_glyphs
from emnist_lines.lines.bucket_sampler import BucketSampler, MicroBatch
from emnist_lines.lines.config import VariationConfig
from emnist_lines.lines.crop import crop_width
from emnist_lines.lines.dataset import LinesDataset, data_loader
from emnist_lines.lines.line_file import path_of
from emnist_lines.sources import drawn

VARIED = VariationConfig(shift=1.0, stretch=2.5, bend=1.0, pen=0.5)


def test_a_batch_is_the_lines_cropped(lines: Path) -> None:
    dataset = LinesDataset(lines, "val", step=64)
    batch = dataset[MicroBatch([3, 0, 7], [3, 0, 7, 1])]
    crop = batch.images.shape[2]
    assert crop == crop_width(dataset.widths[[0, 3, 7]].max(), 280, 64)
    for row, index in enumerate([3, 0, 7]):
        image = dataset.image(index)
        assert image.shape == (28, dataset.widths[index])
        assert np.array_equal(batch.images[row, :, : image.shape[1]].numpy(), image)
        assert not batch.images[row, :, image.shape[1] :].any()
        assert image.any()
        assert decode(batch.tokens[row].tolist()) == dataset.texts[index]
    assert (batch.tokens != PAD).sum(dim=1).max() == batch.tokens.shape[1]
    assert batch.indices.tolist() == [3, 0, 7]
    characters = [len(dataset.texts[index]) for index in (3, 0, 7, 1)]
    assert batch.line_share == 3 / 4
    assert batch.token_share == pytest.approx((sum(characters[:3]) + 3) / (sum(characters) + 4))


def test_each_epoch_varies_each_line_anew_and_each_run_alike(lines: Path) -> None:
    dataset, again = (LinesDataset(lines, "train", None, VARIED, seed=3) for _ in range(2))
    other = LinesDataset(lines, "train", None, VARIED, seed=4)

    def images(dataset: LinesDataset, indices: list[int], epoch: int) -> np.ndarray:
        return dataset[MicroBatch(indices, indices, epoch)].images.numpy()

    first = images(dataset, [5, 2, 9], 0)
    assert np.array_equal(first, images(again, [5, 2, 9], 0))
    assert np.array_equal(first[1], images(again, [2], 0)[0])  # in any batch
    for another in (images(dataset, [5, 2, 9], 1), images(other, [5, 2, 9], 0)):
        assert all((one != two).any() for one, two in zip(first, another, strict=True))
    plain = LinesDataset(lines, "train")
    for row, index in enumerate([5, 2, 9]):
        ink, as_it_is = first[row].astype(int), plain.image(index).astype(int)
        assert (ink[:, : as_it_is.shape[1]] != as_it_is).any()
        assert np.abs(ink.sum() / as_it_is.sum() - 1) < 0.5  # the same characters all the same
    assert np.array_equal(dataset.image(5), plain.image(5))


def test_no_variation_is_none(lines: Path) -> None:
    none = VariationConfig(shift=0, stretch=0, bend=0, pen=0)
    dataset = LinesDataset(lines, "train", None, none)
    assert np.array_equal(dataset[MicroBatch([1], [1])].images[0, :, : dataset.widths[1]].numpy(), dataset.image(1))


def test_workers_render_the_same_batches(lines: Path) -> None:
    dataset = LinesDataset(lines, "train", 64, VARIED)
    sampler = BucketSampler(dataset.widths, 24, epoch=2, seed=0)
    for one, two in zip(data_loader(dataset, sampler), data_loader(dataset, sampler, workers=1), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one[:5], two[:5], strict=True))
        assert one[5:] == two[5:]


def test_without_a_step_lines_are_not_cropped(lines: Path) -> None:
    dataset = LinesDataset(lines, "val", step=None)
    assert dataset[MicroBatch([0], [0])].images.shape == (1, 28, 280)
    assert dataset.columns == 280


def test_what_a_dataset_says_of_its_lines(lines: Path) -> None:
    dataset = LinesDataset(lines, "val", step=8)
    assert len(dataset) == len(dataset.texts) == 24
    assert dataset.lengths.tolist() == [len(text) for text in dataset.texts]
    assert dataset.targets.tolist() == [len(text) + 1 for text in dataset.texts]  # <E> too
    assert (dataset.max_length, dataset.source) == (10, "drawn")


def test_lines_of_other_glyphs_are_one_sentence(lines: Path, tmp_path: Path) -> None:
    shutil.copytree(lines, tmp_path / "data")
    write_glyphs(drawn.render_glyphs(3, seed=0), tmp_path / "data" / "glyphs.h5")
    with pytest.raises(FileError, match="belongs to other glyphs") as raised:
        LinesDataset(tmp_path / "data", "test")
    assert raised.value.path == path_of(tmp_path / "data", "test")
