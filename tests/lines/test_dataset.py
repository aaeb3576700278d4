"""A batch is what the file holds, cropped."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from emnist_lines.common.alphabet import PAD, decode
from emnist_lines.common.errors import FileError
from emnist_lines.lines.bucket_sampler import BucketSampler, MicroBatch
from emnist_lines.lines.crop import crop_width
from emnist_lines.lines.dataset import LinesDataset, data_loader


def test_a_batch_is_what_the_file_holds(lines: Path) -> None:
    dataset = LinesDataset(lines, "val", step=64)
    batch = dataset[MicroBatch([3, 0, 7], [3, 0, 7, 1])]
    with h5py.File(lines) as file:
        group = file["val"]
        crop = batch.images.shape[2]
        assert crop == crop_width(group["widths"][[0, 3, 7]].max(), group["images"].shape[2], 64)
        for row, index in enumerate([3, 0, 7]):
            assert np.array_equal(batch.images[row].numpy(), group["images"][index, :, :crop])
            assert not group["images"][index, :, crop:].any()
            assert decode(batch.tokens[row].tolist()) == group["texts"][index].decode() == dataset.texts[index]
    assert (batch.tokens != PAD).sum(dim=1).max() == batch.tokens.shape[1]
    assert batch.indices.tolist() == [3, 0, 7]
    characters = [len(dataset.texts[index]) for index in (3, 0, 7, 1)]
    assert batch.line_share == 3 / 4
    assert batch.token_share == pytest.approx((sum(characters[:3]) + 3) / (sum(characters) + 4))


def test_workers_read_the_same_batches(lines: Path) -> None:
    dataset = LinesDataset(lines, "test", step=64)
    sampler = BucketSampler(dataset.widths, 8)
    for one, two in zip(data_loader(dataset, sampler), data_loader(dataset, sampler, workers=1), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one[:4], two[:4], strict=True))
        assert one[4:] == two[4:]


def test_without_a_step_lines_are_not_cropped(lines: Path) -> None:
    dataset = LinesDataset(lines, "val", step=None)
    assert dataset[MicroBatch([0], [0])].images.shape == (1, 28, 280)
    assert dataset.columns == 280
    assert np.array_equal(dataset[MicroBatch([5], [5])].images[0].numpy(), dataset.image(5))


def test_what_a_dataset_says_of_its_lines(lines: Path) -> None:
    dataset = LinesDataset(lines, "val", step=8)
    assert len(dataset) == len(dataset.texts) == 24
    assert dataset.lengths.tolist() == [len(text) for text in dataset.texts]
    assert dataset.targets.tolist() == [len(text) + 1 for text in dataset.texts]  # <E> too
    assert (dataset.max_length, dataset.source) == (10, "drawn")


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(
    ("content", "told"), [(b"", "holds no {} lines"), (b"no HDF5", "holds no {} lines"), (None, "is missing")]
)
def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, content: bytes | None, told: str, split: str) -> None:
    path = tmp_path / "lines.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileError, match=rf"lines\.h5 {told.format(split)}") as raised:
        LinesDataset(path, split, 64)
    assert raised.value.path == path


def test_a_truncated_file_is_one_sentence(lines: Path, tmp_path: Path) -> None:
    path = tmp_path / "lines.h5"
    path.write_bytes(lines.read_bytes()[:-1000])
    with pytest.raises(FileError, match=r"holds (no test lines|lines of another format)") as raised:
        LinesDataset(path, "test", 64)
    assert raised.value.path == path


def test_another_alphabet_is_one_sentence(lines: Path, tmp_path: Path) -> None:
    path = tmp_path / "lines.h5"
    path.write_bytes(lines.read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["alphabet"] = '["a", "b"]'
    with pytest.raises(FileError, match="holds lines of another format") as raised:
        LinesDataset(path, "test", 64)
    assert raised.value.path == path
