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
from emnist_lines import memory, model_file, params, training
from emnist_lines.learning import LineLearner
from emnist_lines.lines import BucketSampler, LinesDataset, Piece, crop_step
from emnist_lines.models.decoding import greedy_decode

PARAMS = params.load(Path("params.yaml"))
BATCH = 128
MODEL = Path("models/line_cnn_transformer.safetensors")


def train(side: str, lines: str, precision: str = "auto") -> dict[str, float]:
    """One pass over the train lines of a file: forward, backward, clipping, optimizer step; plain in 32 bits."""
    torch.manual_seed(0)
    step = crop_step(PARAMS.model, PARAMS.train.bucket_width)
    dataset = LinesDataset(Path(lines), "train", step)
    learner = LineLearner(PARAMS.model, replace(PARAMS.train, schedule="constant"), dataset.max_length, total_steps=1)
    optimizer = learner.configure_optimizers()
    pieces = 1 if side == "plain" else -(-BATCH // PARAMS.train.micro_batch_size)
    if side == "plain":
        plain.restore(learner)
    else:
        memory.keep_freed()

    narrow = side == "ours" and training.precision(precision, PARAMS.machine) == "bf16-mixed"

    def passes(sampler: BucketSampler) -> None:
        for number, piece in enumerate(sampler):
            with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
                if side == "plain":
                    loss = plain.loss_of(learner, *plain.batch_of(dataset, piece.indices))
                else:
                    _, loss, _ = learner.loss(dataset[piece])
            loss.backward()
            if (number + 1) % pieces == 0:
                torch.nn.utils.clip_grad_norm_(learner.parameters(), PARAMS.train.gradient_clip or torch.inf)
                optimizer.step()
                optimizer.zero_grad()

    passes(BucketSampler(dataset.widths[:4], 4, seed=0))  # warm-up
    widths = dataset.widths if side == "ours" else np.zeros_like(dataset.widths)  # plain: no buckets
    with measured(len(dataset)) as found:
        passes(BucketSampler(widths, BATCH, pieces=pieces, seed=0))
    return found


def decode(side: str, lines: str) -> dict[str, Any]:
    """Read the train lines of a file greedily, encoder included."""
    learner, about = model_file.load(MODEL)
    dataset = LinesDataset(Path(lines), "train", crop_step(about.model))
    tokens = torch.zeros(len(dataset), dataset.max_length - 1, dtype=torch.long)
    if side == "plain":
        plain.restore(learner)
    else:
        memory.keep_freed()

    @torch.no_grad()
    def read(sampler: BucketSampler) -> None:
        for piece in sampler:
            if side == "plain":
                images, _, widths = plain.batch_of(dataset, piece.indices)
                tokens[piece.indices] = plain.read_lines(learner.model, images, widths, dataset.max_length)
            else:
                batch = dataset[piece]
                features, mask, _ = learner.model.encode(batch.images, batch.widths)
                tokens[piece.indices], _ = greedy_decode(learner.model, features, mask, dataset.max_length)

    read(BucketSampler(dataset.widths[:4], 4))
    widths = dataset.widths if side == "ours" else np.zeros_like(dataset.widths)
    with measured(len(dataset)) as found:
        read(BucketSampler(widths, BATCH))
    return {**found, "readings": [hashlib.sha256(bytes(row)).hexdigest()[:8] for row in tokens.tolist()]}


def read(side: str, lines: str) -> dict[str, float]:
    """Fetch every batch of an epoch: mapped from the file as training does, or (plain) out of memory."""
    dataset = LinesDataset(Path(lines), "train", crop_step(PARAMS.model, PARAMS.train.bucket_width))
    if side == "plain":
        with h5py.File(lines) as file:
            dataset.pixels._map = file["train/images"][:]
    sampler = BucketSampler(dataset.widths, BATCH, seed=0)
    dataset[Piece([0], [0])]
    with measured(len(dataset)) as found:
        for piece in sampler:
            dataset[piece]
    return found


if __name__ == "__main__":
    function, arguments = sys.argv[1:]
    print(json.dumps(globals()[function](**json.loads(arguments))))
