"""One measurement in a process of its own, so that its peak memory is its own too.

Run by `benchmarks.run`: a function's name and its arguments as JSON → what it measured as JSON, on the last line.
"""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from benchmarks import plain
from benchmarks.meter import measured
from emnist_lines.common import allocator as memory
from emnist_lines.common import params
from emnist_lines.lines.dataset import BucketSampler, LinesDataModule, LinesDataset, Piece, crop_step
from emnist_lines.network.beam_search import joint_decode
from emnist_lines.network.greedy import greedy_ctc, greedy_decode
from emnist_lines.training import fit as training
from emnist_lines.training import lit_recognizer as learning
from emnist_lines.training.lit_recognizer import LineLearner

PARAMS = params.load(Path("params.yaml"))
BATCH = 128
MODEL = Path("models/line_cnn_transformer.safetensors")


def prepare(learner: LineLearner, side: str) -> None:
    """What each side does to the network or the process before it computes."""
    if side == "plain":
        plain.restore(learner)
    else:
        memory.keep_freed()


def unsorted(dataset: LinesDataset, seed: int | None = None) -> BucketSampler:
    """The plain side's batches: no buckets, one piece each."""
    return BucketSampler(np.zeros_like(dataset.widths), BATCH, seed=seed)


def train(side: str, lines: str, precision: str = "auto") -> dict[str, float]:
    """One pass over the train lines of a file: forward, backward, clipping, optimizer step; plain in 32 bits."""
    torch.manual_seed(0)
    values = replace(PARAMS.train, batch_size=BATCH, lines_per_epoch=None, curriculum=(), schedule="constant")
    data = LinesDataModule(Path(lines), PARAMS.model, values, workers=0, pin_memory=False)
    dataset = data.train
    learner = LineLearner(PARAMS.model, values, dataset.max_length, total_steps=1)
    optimizer = learner.configure_optimizers()
    prepare(learner, side)
    measured_batches = unsorted(dataset, values.seed) if side == "plain" else data.train_sampler(epoch=0)
    narrow = side == "ours" and training.precision(precision, PARAMS.machine) == "bf16-mixed"

    def passes(sampler: BucketSampler) -> None:
        for number, piece in enumerate(sampler):
            with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
                if side == "plain":
                    loss = plain.loss_of(learner, *plain.batch_of(dataset, piece.indices))
                else:
                    _, loss, _ = learner.loss(dataset[piece])
            loss.backward()
            if (number + 1) % measured_batches.pieces == 0:
                torch.nn.utils.clip_grad_norm_(learner.parameters(), values.gradient_clip or torch.inf)
                optimizer.step()
                optimizer.zero_grad()

    passes(BucketSampler(dataset.widths[:4], 4, seed=0))  # warm-up
    with measured(len(dataset)) as found:
        passes(measured_batches)
    return found


def decode(side: str, lines: str, how: str = "greedy") -> dict[str, Any]:
    """Read the train lines of a file, encoder included: greedily or (ours) by ctc or both heads jointly."""
    learner, about = learning.load(MODEL)
    dataset = LinesDataset(Path(lines), "train", crop_step(about.model))
    tokens = torch.zeros(len(dataset), dataset.max_length - 1, dtype=torch.long)
    prepare(learner, side)

    @torch.no_grad()
    def read(sampler: BucketSampler) -> None:
        for piece in sampler:
            if side == "plain":
                images, _, widths = plain.batch_of(dataset, piece.indices)
                tokens[piece.indices] = plain.read_lines(learner.model, images, widths, dataset.max_length)
            else:
                batch = dataset[piece]
                features, mask, hidden = learner.model.encode(batch.images, batch.widths)
                if how == "greedy":
                    tokens[piece.indices], _ = greedy_decode(learner.model, features, mask, dataset.max_length)
                    continue
                assert learner.ctc_head is not None
                logits, lengths = learner.ctc_head(hidden), learner.model.line_cnn.valid_windows(batch.widths)
                if how == "ctc":
                    greedy_ctc(logits, lengths)
                    continue
                beam, weight = PARAMS.evaluate.joint_beam, PARAMS.evaluate.joint_ctc_weight
                joint_decode(learner.model, features, mask, logits, lengths, dataset.max_length, beam, weight)

    read(BucketSampler(dataset.widths[:4], 4))
    size = BATCH // PARAMS.evaluate.joint_beam if how == "joint" else BATCH  # as many texts at a time
    batches = unsorted(dataset) if side == "plain" else BucketSampler(dataset.widths, size)
    with measured(len(dataset)) as found:
        read(batches)
    return {**found, "readings": [hashlib.sha256(bytes(row)).hexdigest()[:8] for row in tokens.tolist()]}


def read(side: str, lines: str) -> dict[str, float]:
    """Fetch every batch of an epoch: mapped from the file as training does, or (plain) out of memory."""
    dataset = LinesDataset(Path(lines), "train", crop_step(PARAMS.model, PARAMS.train.bucket_width))
    if side == "plain":
        with h5py.File(lines) as file:
            dataset.pixels[0]._map = file["train/images"][:]
    sampler = BucketSampler(dataset.widths, BATCH, seed=0)
    dataset[Piece([0], [0])]
    with measured(len(dataset)) as found:
        for piece in sampler:
            dataset[piece]
    return found


if __name__ == "__main__":
    function, arguments = sys.argv[1:]
    print(json.dumps(globals()[function](**json.loads(arguments))))
