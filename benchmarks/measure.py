"""One measurement in a process of its own, so that its peak memory is its own too.

Run by `benchmarks.run`: a function's name and its arguments as JSON → what it measured as JSON, on the last line.
"""

import json
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from benchmarks import plain
from benchmarks.material import MODEL
from benchmarks.meter import measured
from benchmarks.parameters import load_all
from emnist_lines.lines.bucket_sampler import BucketSampler, MicroBatch
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.network import model_file
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer
from emnist_lines.network.transcription import texts_of
from emnist_lines.training import fit
from emnist_lines.training.data_module import LinesDataModule
from emnist_lines.training.lit_recognizer import LitRecognizer

PARAMS = load_all()
BATCH = 128


def prepare(network: LineCNNTransformer, side: str) -> None:
    """What the plain side does to the network before it computes."""
    if side == "plain":
        plain.restore(network)


def unsorted(dataset: LinesDataset, seed: int | None = None) -> BucketSampler:
    """The plain side's batches: no buckets, one micro-batch each."""
    return BucketSampler(np.zeros_like(dataset.widths), BATCH, seed=seed)


def train(side: str, lines: str, precision: str = "auto") -> dict[str, float]:
    """One pass over the train lines of a file: forward, backward, clipping, optimizer step; plain in 32 bits."""
    torch.manual_seed(0)
    config = PARAMS.train.replace(batch_size=BATCH, lines_per_epoch=None, curriculum=(), schedule="constant")
    data = LinesDataModule(Path(lines), PARAMS.model, config)
    dataset = data.train
    lit = LitRecognizer(PARAMS.model, config, dataset.max_length, total_steps=1)
    optimizer = lit.configure_optimizers()
    prepare(lit.model, side)
    sampler = unsorted(dataset, config.seed) if side == "plain" else data.train_sampler(epoch=0)
    narrow = side == "ours" and fit.precision(precision, PARAMS.machine) == "bf16-mixed"

    def run(batches: BucketSampler) -> None:
        for number, micro_batch in enumerate(batches):
            with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
                if side == "plain":
                    loss = plain.loss_of(lit, *plain.batch_of(dataset, micro_batch.indices))
                else:
                    _, loss, _ = lit.loss(dataset[micro_batch])
            loss.backward()
            if (number + 1) % sampler.micro_batches == 0:
                torch.nn.utils.clip_grad_norm_(lit.parameters(), config.gradient_clip or torch.inf)
                optimizer.step()
                optimizer.zero_grad()

    run(BucketSampler(dataset.widths[:4], 4, seed=0))  # warm-up
    with measured(len(dataset)) as found:
        run(sampler)
    return found


def decode(side: str, lines: str, how: str = "greedy") -> dict[str, Any]:
    """Predict the train lines of a file, encoder included: greedily or (ours) by ctc or beam."""
    recognizer, card = model_file.load(MODEL)
    dataset = LinesDataset(Path(lines), "train", card.architecture.crop_step())
    beam_width, ctc_weight = PARAMS.evaluate.beam_width, PARAMS.evaluate.ctc_weight
    prepare(recognizer.network, side)
    predictions = [""] * len(dataset)

    def predict(micro_batch: MicroBatch) -> list[str]:
        if side == "plain":
            images, _, widths = plain.batch_of(dataset, micro_batch.indices)
            return texts_of(plain.greedy(recognizer.network, images, widths, recognizer.max_length))
        batch = dataset[micro_batch]
        encoded = recognizer.encode(batch.images, batch.widths)
        if how == "ctc":
            return recognizer.ctc(encoded)
        if how == "beam":
            return recognizer.beam(encoded, beam_width, ctc_weight)
        return [line.text for line in recognizer.greedy(encoded)]

    @torch.no_grad()
    def run(batches: BucketSampler) -> None:
        for micro_batch in batches:
            for index, text in zip(micro_batch.indices, predict(micro_batch), strict=True):
                predictions[index] = text

    run(BucketSampler(dataset.widths[:4], 4))  # warm-up
    size = BATCH // beam_width if how == "beam" else BATCH  # as many hypotheses at a time
    batches = unsorted(dataset) if side == "plain" else BucketSampler(dataset.widths, size)
    with measured(len(dataset)) as found:
        run(batches)
    return {**found, "predictions": predictions}


def load(side: str, lines: str) -> dict[str, float]:
    """Fetch every batch of an epoch: mapped from the file as training does, or (plain) out of memory."""
    dataset = LinesDataset(Path(lines), "train", PARAMS.model.crop_step(PARAMS.train.bucket_width))
    if side == "plain":
        with h5py.File(lines) as file:
            dataset.pixels._map = file["train/images"][:]
    sampler = BucketSampler(dataset.widths, BATCH, seed=0)
    dataset[MicroBatch([0], [0])]
    with measured(len(dataset)) as found:
        for micro_batch in sampler:
            dataset[micro_batch]
    return found


if __name__ == "__main__":
    function, arguments = sys.argv[1:]
    print(json.dumps(globals()[function](**json.loads(arguments))))
