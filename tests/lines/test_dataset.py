"""Batches hold each line once, similar widths together, the same for the same seed."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from emnist_lines.common.alphabet import PAD, decode
from emnist_lines.common.errors import UserError
from emnist_lines.common.params import Params
from emnist_lines.lines.dataset import BucketSampler, LinesDataModule, LinesDataset, Piece, loader

CROPS = np.random.default_rng(0).choice([64, 128, 192, 256], size=103)


def flat(sampler: BucketSampler) -> list[int]:
    return [index for piece in sampler for index in piece.indices]


@pytest.mark.parametrize("batch_size", [1, 8, 103, 500])
def test_every_line_once_in_batches_of_equal_size(batch_size: int) -> None:
    sampler = BucketSampler(CROPS, batch_size, seed=0)
    assert sorted(flat(sampler)) == list(range(103))
    sizes = {len(batch) for batch in sampler.batches}
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert len(sampler) == -(-103 // batch_size)


def test_batches_are_of_similar_width_and_shuffled() -> None:
    sampler = BucketSampler(CROPS, 8, seed=0)
    mixed = sum(len(set(CROPS[batch])) > 1 for batch in sampler.batches)
    assert mixed <= 3  # only where one width ends and the next begins
    firsts = [CROPS[batch].min() for batch in sampler.batches]
    assert firsts != sorted(firsts)


def test_same_seed_and_epoch_same_batches() -> None:
    assert list(BucketSampler(CROPS, 8, seed=1, epoch=2)) == list(BucketSampler(CROPS, 8, seed=1, epoch=2))
    assert list(BucketSampler(CROPS, 8, seed=1, epoch=2)) != list(BucketSampler(CROPS, 8, seed=1, epoch=3))
    assert list(BucketSampler(CROPS, 8, seed=1, epoch=2)) != list(BucketSampler(CROPS, 8, seed=2, epoch=2))


def test_processes_share_each_batch() -> None:
    alone = BucketSampler(CROPS, 8, seed=1)
    ranks = [BucketSampler(CROPS, 8, seed=1, rank=rank, world_size=3) for rank in range(3)]
    for one, *shares in zip(alone, *ranks, strict=True):
        assert sorted(one.indices) == sorted(index for share in shares for index in share.indices)
        assert all(share.batch == one.batch for share in shares)


def test_more_processes_than_lines_is_one_sentence() -> None:
    with pytest.raises(UserError, match="an epoch of 2 lines is too small for 3 processes; take fewer"):
        BucketSampler(CROPS[:2], 8, world_size=3)


def test_a_batch_comes_in_pieces_of_similar_width() -> None:
    whole, split = BucketSampler(CROPS, 16, seed=1), BucketSampler(CROPS, 16, pieces=4, seed=1)
    assert whole.batches == split.batches
    pieces = list(split)
    assert len(pieces) == len(split) == 4 * len(split.batches)
    for number, batch in enumerate(split.batches):
        own = pieces[4 * number : 4 * number + 4]
        assert [index for piece in own for index in piece.indices] == batch
        assert all(piece.batch == batch for piece in own)
        assert max(len(piece.indices) for piece in own) - min(len(piece.indices) for piece in own) <= 1


@pytest.mark.parametrize(("most", "parts"), [(40, 3), (103, 1), (1000, 1), (None, 1)])
def test_each_line_once_per_pass(most: int | None, parts: int) -> None:
    epochs = [flat(BucketSampler(CROPS, 8, seed=3, epoch=epoch, lines_per_epoch=most)) for epoch in range(2 * parts)]
    for one_pass in (epochs[:parts], epochs[parts:]):
        assert sorted(index for epoch in one_pass for index in epoch) == list(range(103))
    assert max(map(len, epochs)) - min(map(len, epochs)) <= 1
    assert set(epochs[0]) != set(epochs[parts]) or parts == 1
    assert epochs[0] != epochs[parts]


def test_there_are_never_more_pieces_than_lines() -> None:
    sampler = BucketSampler(CROPS[:5], 3, pieces=4, seed=1)
    assert sorted(map(len, sampler.batches)) == [2, 3]
    assert sorted(len(piece.indices) for piece in sampler) == [1, 1, 1, 2]
    assert sorted(flat(sampler)) == list(range(5))


def test_members_alone_take_part_unless_there_are_none() -> None:
    members = CROPS == 64
    assert sorted(flat(BucketSampler(CROPS, 8, members=members, seed=0))) == np.flatnonzero(members).tolist()
    assert len(flat(BucketSampler(CROPS, 8, members=CROPS == 1, seed=0))) == 103


def test_a_batch_is_what_the_file_holds(lines: Path) -> None:
    dataset = LinesDataset(lines, "val", step=64)
    batch = dataset[Piece([3, 0, 7], [3, 0, 7, 1])]
    with h5py.File(lines) as file:
        group = file["val"]
        crop = batch.images.shape[2]
        assert crop % 64 == 0 or crop == group["images"].shape[2]
        for row, index in enumerate([3, 0, 7]):
            assert np.array_equal(batch.images[row].numpy(), group["images"][index, :, :crop])
            assert not group["images"][index, :, crop:].any()
            assert decode(batch.tokens[row].tolist()) == group["texts"][index].decode() == dataset.texts[index]
    assert (batch.tokens != PAD).sum(dim=1).max() == batch.tokens.shape[1]
    assert batch.indices.tolist() == [3, 0, 7]
    characters = [len(dataset.texts[index]) for index in (3, 0, 7, 1)]
    assert batch.line_share == 3 / 4
    assert batch.token_share == pytest.approx((sum(characters[:3]) + 3) / (sum(characters) + 4))


def test_the_curriculum_limits_the_first_epochs(lines: Path, small: Params) -> None:
    data = LinesDataModule(
        lines,
        small.model,
        replace(small.train, curriculum=(3, 5), max_epochs=4, micro_batch_size=8),
        workers=0,
        pin_memory=False,
    )
    longest = [max(data.train.lengths[flat(data.train_sampler(epoch))]) for epoch in range(4)]
    assert longest[:2] == [3, 5]
    assert longest[2] == longest[3] == 8
    assert 2 * data.total_steps() == sum(len(data.train_sampler(epoch)) for epoch in range(4))
    hasty = replace(small.train, curriculum=(3, 5), max_epochs=1)
    short = LinesDataModule(lines, small.model, hasty, workers=0, pin_memory=False)
    assert sorted(flat(short.train_sampler(0))) == list(range(96))  # the last epoch takes all lines


def test_a_network_that_sees_paper_gets_all_of_it(lines: Path, small: Params) -> None:
    model = replace(small.model, mask_padding=False)
    data = LinesDataModule(lines, model, small.train, workers=0, pin_memory=False)
    for dataset in (data.train, data.val):
        assert dataset[Piece([0, 1], [0, 1])].images.shape == (2, 28, 280)


def test_workers_read_the_same_batches(lines: Path) -> None:
    dataset = LinesDataset(lines, "test", step=64)
    sampler = BucketSampler(dataset.widths, 8)
    for one, two in zip(loader(dataset, sampler, 0, False), loader(dataset, sampler, 1, False), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one[:4], two[:4], strict=True))


@pytest.mark.parametrize("content", [b"", b"no HDF5", None])
def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "lines.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"holds no train lines .* remake it"):
        LinesDataset(path, "train", 64)


def test_a_truncated_file_is_one_sentence(lines: Path, tmp_path: Path) -> None:
    path = tmp_path / "lines.h5"
    path.write_bytes(lines.read_bytes()[:-1000])
    with pytest.raises(UserError, match="remake it"):
        LinesDataset(path, "test", 64)


def test_another_alphabet_is_one_sentence(lines: Path, tmp_path: Path) -> None:
    path = tmp_path / "lines.h5"
    path.write_bytes(lines.read_bytes())
    with h5py.File(path, "r+") as file:
        file.attrs["alphabet"] = '["a", "b"]'
    with pytest.raises(UserError, match="another format"):
        LinesDataset(path, "test", 64)
