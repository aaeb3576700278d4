"""Losses are what they claim to be."""

from pathlib import Path

import pytest
import torch
from benchmarks.parameters import Params

from emnist_lines.lines.dataset import LinesDataset, MicroBatch
from emnist_lines.training.lit_recognizer import LitRecognizer


def gradients(learner: LitRecognizer, dataset: LinesDataset, pieces: list[MicroBatch]) -> list[torch.Tensor]:
    learner.zero_grad()
    for piece in pieces:
        learner.loss(dataset[piece])[1].backward()
    return [parameter.grad.clone() for parameter in learner.parameters() if parameter.grad is not None]


@pytest.mark.parametrize("ctc_weight", [0.0, 0.3])
def test_pieces_add_up_to_the_batch_s_gradients(lines: Path, small: Params, ctc_weight: float) -> None:
    torch.manual_seed(0)
    train = small.train.replace(ctc_weight=ctc_weight)
    learner = LitRecognizer(small.model, train, 10, total_steps=1).eval()  # no dropout
    dataset = LinesDataset(lines, "train", step=8)
    batch = list(range(30))
    whole = gradients(learner, dataset, [MicroBatch(batch, batch)])
    for cuts in ([10, 20], [1, 2, 29]):
        pieces = [MicroBatch(part.tolist(), batch) for part in torch.tensor(batch).tensor_split(cuts)]
        for one, added in zip(whole, gradients(learner, dataset, pieces), strict=True):
            torch.testing.assert_close(added, one, rtol=1e-3, atol=1e-5)


def test_padding_does_not_count(lines: Path, small: Params) -> None:
    learner = LitRecognizer(small.model, small.train, 10, total_steps=1).eval()
    batch = LinesDataset(lines, "train", step=8)[MicroBatch([0, 1, 2], [0, 1, 2])]
    longer = batch._replace(tokens=torch.nn.functional.pad(batch.tokens, (0, 4), value=3))
    torch.testing.assert_close(learner.loss(batch)[0], learner.loss(longer)[0])


def test_the_number_of_threads_changes_gradients_by_rounding(defaults: Params, drawn_lines: Path) -> None:
    torch.manual_seed(0)
    learner = LitRecognizer(defaults.model, defaults.train, 32, total_steps=1).eval()
    dataset = LinesDataset(drawn_lines, "test", step=8)
    batch = list(range(16))
    found = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found[threads] = gradients(learner, dataset, [MicroBatch(batch, batch)])
    for one, other in zip(found[1], found[2], strict=True):
        torch.testing.assert_close(other, one, rtol=0, atol=1e-4 * float(one.abs().max()))
