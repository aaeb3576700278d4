"""The fast paths give what the lab's method gives when it is written straightforwardly."""

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.parameters import Params

from benchmarks import measure_synthesis, plain, plain_synthesis
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.lines.bucket_sampler import MicroBatch
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.network import model_file
from emnist_lines.network.dropout import Dropout
from emnist_lines.network.recognizer import Recognizer
from emnist_lines.network.transcription import texts_of
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.synthesis.config import BLOCK
from emnist_lines.synthesis.documents import Document
from emnist_lines.training.lit_recognizer import LitRecognizer
from tests.conftest import made


@pytest.fixture(scope="module")
def lit(defaults: Params) -> LitRecognizer:
    torch.manual_seed(0)
    lit = LitRecognizer(defaults.model, defaults.train, 10, total_steps=1).eval()
    with torch.no_grad():
        lit.model.fc.weight *= 3  # more decided, so that lines differ
        lit.model.fc.bias[2] += 2  # and some end
    return lit


def test_loss_and_gradients_of_a_batch(lit: LitRecognizer, lines: Path) -> None:
    dataset = LinesDataset(lines, "train", step=64)
    batch = list(range(20))
    found = []
    for side in ("plain", "ours"):
        lit.zero_grad()
        if side == "plain":
            loss = plain.loss_of(lit, *plain.batch_of(dataset, batch))
        else:
            micro_batches = [MicroBatch(part.tolist(), batch) for part in np.array_split(batch, 3)]
            loss = torch.stack([lit.loss(dataset[micro_batch])[1] for micro_batch in micro_batches]).sum()
        loss.backward()
        found.append((loss.detach(), {n: p.grad.clone() for n, p in lit.named_parameters() if p.grad is not None}))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=1e-4)
    for name, gradient in found[0][1].items():
        difference = (found[1][1][name] - gradient).norm() / gradient.norm().clamp(min=1e-6)
        assert difference < 1e-2, name


def test_the_plain_side_is_free_of_the_fast_side_s_means(defaults: Params) -> None:
    network = LitRecognizer(defaults.model, defaults.train, 10, total_steps=1).model
    plain.restore(network)
    assert not [module for module in network.modules() if isinstance(module, Dropout)]
    assert network.line_cnn.convs[2].conv.weight.is_contiguous()


def check_greedy(recognizer: Recognizer, dataset: LinesDataset, count: int) -> None:
    chosen = list(range(count))
    images, _, widths = plain.batch_of(dataset, chosen)
    expected = plain.greedy(recognizer.network, images, widths, dataset.max_length)
    batch = dataset[MicroBatch(chosen, chosen)]
    with torch.no_grad():
        found = recognizer.greedy(recognizer.encode(batch.images, batch.widths))
    assert [line.text for line in found] == texts_of(expected)


def test_greedy_decoding_with_random_weights(lit: LitRecognizer, lines: Path) -> None:
    check_greedy(lit.recognizer, LinesDataset(lines, "test", step=64), 24)


def test_greedy_decoding_with_the_released_model(released: Path, drawn_lines: Path) -> None:
    recognizer, _ = model_file.load(released)
    check_greedy(recognizer, LinesDataset(drawn_lines, "test", step=64), 64)


@pytest.mark.parametrize(
    ("fresh", "with_tokens", "varied"), [(True, True, True), (True, False, False), (False, True, True)]
)
def test_the_images_of_a_synthesis(
    glyphs: Glyphs,
    documents: list[Document],
    small: Params,
    defaults: Params,
    tmp_path: Path,
    fresh: bool,
    with_tokens: bool,
    varied: bool,
) -> None:
    variation = defaults.train.variation if varied else None
    config = small.synthesize.replace(
        fresh_glyph_per_character=fresh,
        with_start_end_tokens=with_tokens,
        overlap_varies_within_line=not fresh,
        max_overlap=0.9,
        num_train=BLOCK + 70,
    )
    dataset = LinesDataset(made(glyphs, documents, config, tmp_path), "train", variation=variation)
    ours = torch.cat(list(measure_synthesis.rendered(dataset)))
    composer = synthesis.composers(glyphs, documents, config)["train"]
    for kind in plain_synthesis.KINDS:
        material = plain_synthesis.Material.of(composer, glyphs.images, kind, variation)
        images, tokens = zip(*plain_synthesis.blocks(material, config.num_train, config.seed), strict=True)
        assert np.array_equal(np.concatenate(images), ours), kind
        assert np.array_equal(np.concatenate(tokens), dataset.tokens), kind


def test_plain_batches_hold_the_images_that_ours_are_crops_of(defaults: Params, lines: Path) -> None:
    dataset = LinesDataset(lines, "train", step=64, variation=defaults.train.variation)
    images, tokens, widths = plain.batch_of(dataset, [3, 1, 4])
    whole = LinesDataset(lines, "train", variation=defaults.train.variation)[MicroBatch([3, 1, 4], [3, 1, 4])]
    assert torch.equal(images, whole.images)
    assert images.shape == (3, 28, dataset.columns)
    assert torch.equal(tokens, torch.from_numpy(dataset.tokens[[3, 1, 4]]).long())
    assert torch.equal(widths, whole.widths)
