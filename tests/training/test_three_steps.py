"""The default network takes the same first steps as ever: initialization, dropout, losses, optimizer and schedule."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from benchmarks.parameters import Params

from emnist_lines.lines.bucket_sampler import MicroBatch
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.training.lit_recognizer import LitRecognizer

BATCHES = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def losses(defaults: Params, lines: Path, dropout: bool) -> list[float]:
    """The loss before each of three optimizer steps, in 32 bits."""
    config = defaults.train.replace(precision="32-true", learning_rate=0.001)
    torch.manual_seed(0)
    lit = LitRecognizer(defaults.model, config, 32, total_steps=100).train(dropout)
    dataset = LinesDataset(lines, "test", step=8)
    configured = lit.configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    found = []
    for number, batch in enumerate(BATCHES):
        torch.manual_seed(number)
        own, share, _ = lit.loss(dataset[MicroBatch(batch, batch)])
        assert torch.equal(own, share)  # the micro-batch is the batch
        optimizer.zero_grad()
        share.backward()
        assert config.gradient_clip is not None
        torch.nn.utils.clip_grad_norm_(lit.parameters(), config.gradient_clip)
        optimizer.step()
        schedule.step()
        found.append(float(own.detach()))
    return found


needs_mkl = pytest.mark.skipif(
    not torch.backends.mkl.is_available(), reason="without MKL the dropout inside attention has other random numbers"
)


@pytest.mark.parametrize(
    ("dropout", "expected"),
    [
        pytest.param(True, [6.629338, 6.531014, 5.813078], marks=needs_mkl),
        (False, [6.646317, 6.544196, 5.809312]),
    ],
)
def test_the_first_steps_are_the_same_as_ever(
    defaults: Params, drawn_lines: Path, dropout: bool, expected: list[float]
) -> None:
    """Other kernels and numbers of threads change the losses by some millionths, 5% of learning rate by 0.0013."""
    assert losses(defaults, drawn_lines, dropout) == pytest.approx(expected, rel=5e-4)
