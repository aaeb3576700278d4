"""Batches hold each line once, similar widths together, the same for the same seed."""

import numpy as np
import pytest

from emnist_lines.common.errors import UserError
from emnist_lines.lines.bucket_sampler import BucketSampler

CROPS = np.random.default_rng(0).choice([64, 128, 192, 256], size=103)


def flat(sampler: BucketSampler) -> list[int]:
    return [index for part in sampler for index in part.indices]


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


def test_a_batch_comes_in_micro_batches_of_similar_width() -> None:
    whole, split = BucketSampler(CROPS, 16, seed=1), BucketSampler(CROPS, 16, micro_batches=4, seed=1)
    assert whole.batches == split.batches
    micro_batches = list(split)
    assert len(micro_batches) == len(split) == 4 * len(split.batches)
    for number, batch in enumerate(split.batches):
        own = micro_batches[4 * number : 4 * number + 4]
        assert [index for part in own for index in part.indices] == batch
        assert all(part.batch == batch for part in own)
        assert max(len(part.indices) for part in own) - min(len(part.indices) for part in own) <= 1


@pytest.mark.parametrize(("most", "parts"), [(40, 3), (103, 1), (1000, 1), (None, 1)])
def test_each_line_once_per_pass(most: int | None, parts: int) -> None:
    epochs = [flat(BucketSampler(CROPS, 8, seed=3, epoch=epoch, lines_per_epoch=most)) for epoch in range(2 * parts)]
    for one_pass in (epochs[:parts], epochs[parts:]):
        assert sorted(index for epoch in one_pass for index in epoch) == list(range(103))
    assert max(map(len, epochs)) - min(map(len, epochs)) <= 1
    assert set(epochs[0]) != set(epochs[parts]) or parts == 1
    assert epochs[0] != epochs[parts]


def test_there_are_never_more_micro_batches_than_lines() -> None:
    sampler = BucketSampler(CROPS[:5], 3, micro_batches=4, seed=1)
    assert sorted(map(len, sampler.batches)) == [2, 3]
    assert sorted(len(part.indices) for part in sampler) == [1, 1, 1, 2]
    assert sorted(flat(sampler)) == list(range(5))


def test_members_alone_take_part_unless_there_are_none() -> None:
    members = CROPS == 64
    assert sorted(flat(BucketSampler(CROPS, 8, members=members, seed=0))) == np.flatnonzero(members).tolist()
    assert len(flat(BucketSampler(CROPS, 8, members=CROPS == 1, seed=0))) == 103
