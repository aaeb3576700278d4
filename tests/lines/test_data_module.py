"""Training sees short texts first, and as much paper as the network does."""

from pathlib import Path

from benchmarks.parameters import Params

from emnist_lines.lines.bucket_sampler import BucketSampler, MicroBatch
from emnist_lines.training.data_module import LinesDataModule


def flat(sampler: BucketSampler) -> list[int]:
    return [index for micro_batch in sampler for index in micro_batch.indices]


def test_the_curriculum_limits_the_first_epochs(lines: Path, small: Params) -> None:
    train = small.train.replace(curriculum=(3, 5), max_epochs=4, micro_batch_size=8)
    data = LinesDataModule(lines, small.model, train)
    longest = [max(data.train.lengths[flat(data.train_sampler(epoch))]) for epoch in range(4)]
    assert longest[:2] == [3, 5]
    assert longest[2] == longest[3] == 8
    assert data.steps() == [len(data.train_sampler(epoch).batches) for epoch in range(4)]
    assert 2 * sum(data.steps()) == sum(len(data.train_sampler(epoch)) for epoch in range(4))  # two micro-batches each
    hasty = small.train.replace(curriculum=(3, 5), max_epochs=1)
    short = LinesDataModule(lines, small.model, hasty)
    assert sorted(flat(short.train_sampler(0))) == list(range(96))  # the last epoch takes all lines


def test_a_network_that_sees_paper_gets_all_of_it(lines: Path, small: Params) -> None:
    model = small.model.replace(mask_padding=False)
    data = LinesDataModule(lines, model, small.train)
    for dataset in (data.train, data.val):
        assert dataset[MicroBatch([0, 1], [0, 1])].images.shape == (2, 28, 280)


def test_processes_share_a_batch_in_as_many_micro_batches_as_fit(lines: Path, small: Params) -> None:
    train = small.train.replace(curriculum=(), batch_size=16, micro_batch_size=4)
    data = LinesDataModule(lines, small.model, train)
    assert [data.train_sampler(0, rank=0, world_size=n).micro_batches for n in (1, 2, 4)] == [4, 2, 1]
    alone = data.train_sampler(0).batches
    shares = [flat(data.train_sampler(0, rank=rank, world_size=2)) for rank in range(2)]
    assert sorted(shares[0] + shares[1]) == sorted(index for batch in alone for index in batch) == list(range(96))
