"""The fast paths give what the lab's method gives when it is written straightforwardly."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.material import UNVARIED

from benchmarks import plain, plain_synthesis
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.common.params import Params
from emnist_lines.lines.dataset import LinesDataset, Piece
from emnist_lines.network.dropout import Dropout
from emnist_lines.network.greedy import greedy_decode
from emnist_lines.synthesis import documents as text
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.training import lit_recognizer as learning
from emnist_lines.training.lit_recognizer import LineLearner


@pytest.fixture(scope="module")
def learner(defaults: Params) -> LineLearner:
    torch.manual_seed(0)
    learner = LineLearner(defaults.model, defaults.train, 10, total_steps=1).eval()
    with torch.no_grad():
        learner.model.fc.weight *= 3  # more decided, so that lines differ
        learner.model.fc.bias[2] += 2  # and some end
    return learner


def test_loss_and_gradients_of_a_batch(learner: LineLearner, lines: Path) -> None:
    dataset = LinesDataset(lines, "train", step=64)
    batch = list(range(20))
    found = []
    for side in ("plain", "ours"):
        learner.zero_grad()
        if side == "plain":
            loss = plain.loss_of(learner, *plain.batch_of(dataset, batch))
            loss.backward()
        else:
            pieces = [Piece(part.tolist(), batch) for part in np.array_split(batch, 3)]
            losses = [learner.loss(dataset[piece])[1] for piece in pieces]
            loss = torch.stack(losses).sum()
            loss.backward()
        found.append((loss.detach(), {n: p.grad.clone() for n, p in learner.named_parameters() if p.grad is not None}))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=1e-4)
    for name, gradient in found[0][1].items():
        difference = (found[1][1][name] - gradient).norm() / gradient.norm().clamp(min=1e-6)
        assert difference < 1e-2, name


def test_the_plain_side_is_free_of_the_fast_side_s_means(defaults: Params) -> None:
    learner = plain.restore(LineLearner(defaults.model, defaults.train, 10, total_steps=1))
    assert not [module for module in learner.modules() if isinstance(module, Dropout)]
    weight = learner.model.line_cnn.convs[2].conv.weight
    assert weight.is_contiguous()


def check_reading(learner: LineLearner, dataset: LinesDataset, count: int) -> None:
    chosen = list(range(count))
    images, _, widths = plain.batch_of(dataset, chosen)
    expected = plain.read_lines(learner.model, images, widths, dataset.max_length)
    batch = dataset[Piece(chosen, chosen)]
    with torch.no_grad():
        memory, mask, _ = learner.model.encode(batch.images, batch.widths)
    tokens, _ = greedy_decode(learner.model, memory, mask, dataset.max_length)
    assert torch.equal(tokens, expected)


def test_reading_with_random_weights(learner: LineLearner, lines: Path) -> None:
    check_reading(learner, LinesDataset(lines, "test", step=64), 24)


def test_reading_with_the_released_model(released: Path, drawn_lines: Path) -> None:
    learner, _ = learning.load(released)
    check_reading(learner, LinesDataset(drawn_lines, "test", step=64), 64)


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("with_tokens", [True, False])
def test_composing(
    glyphs: Glyphs, documents: list[text.Document], small: Params, fresh: bool, with_tokens: bool
) -> None:
    params = replace(
        small.synthesize,
        fresh_glyph_per_character=fresh,
        with_start_end_tokens=with_tokens,
        overlap_varies_within_line=not fresh,
        max_overlap=0.9,
        train_variation=UNVARIED,
    )
    composer = synthesis.composers(glyphs, documents, params)["train"]
    block = composer.compose(composer.draw(70, np.random.default_rng(0)))
    material = plain_synthesis.Material.of(composer)
    images, tokens = zip(*plain_synthesis.compose_lines(material, 70, np.random.default_rng(0)), strict=True)
    assert torch.equal(torch.stack(images), torch.from_numpy(block.images))
    assert torch.equal(torch.stack(tokens), torch.from_numpy(block.tokens).long())
