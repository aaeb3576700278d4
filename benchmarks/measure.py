"""One measurement in a process of its own, so that its peak memory is its own too.

Run by `benchmarks.run`: a function's name and its arguments as JSON → what it measured as JSON, on the last line.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import pictures, plain
from benchmarks.material import DATA, LANGUAGE, MODEL, UNVARIED
from benchmarks.meter import measured
from benchmarks.parameters import load_all
from emnist_lines.language import language_file
from emnist_lines.lines.bucket_sampler import BucketSampler, MicroBatch
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.network import model_file
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer
from emnist_lines.network.transcription import texts_of
from emnist_lines.reading.reader import Reader
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


def learner(data: str, **changes: Any) -> tuple[LinesDataModule, LitRecognizer, torch.optim.Optimizer]:
    """Train lines, a network and its optimizer: params.yaml's, but for `changes` of its section train.

    All lines make an epoch, and the learning rate has no schedule.
    """
    torch.manual_seed(0)
    config = PARAMS.train.replace(lines_per_epoch=None, curriculum=(), schedule="constant", **changes)
    module = LinesDataModule(Path(data), PARAMS.model, config)
    lit = LitRecognizer(PARAMS.model, config, module.train.max_length, total_steps=1)
    return module, lit, lit.configure_optimizers()


def autocast(precision: str) -> torch.autocast:
    """Computing in a precision of train.precision."""
    narrow = fit.precision(precision, PARAMS.machine) == "bf16-mixed"
    return torch.autocast("cpu", torch.bfloat16, enabled=narrow)


def update(lit: LitRecognizer, optimizer: torch.optim.Optimizer) -> None:
    """Clip the gradients, take an optimizer step, and begin anew."""
    torch.nn.utils.clip_grad_norm_(lit.parameters(), lit.config.gradient_clip or torch.inf)
    optimizer.step()
    optimizer.zero_grad()


def train(side: str, data: str, precision: str = "auto") -> dict[str, float]:
    """One pass over the train lines of a folder: rendering, forward, backward, clipping, optimizer step."""
    module, lit, optimizer = learner(data, batch_size=BATCH)
    lines = module.train
    prepare(lit.model, side)

    def run(batches: BucketSampler) -> None:
        for number, micro_batch in enumerate(batches):
            with autocast(precision):
                if side == "plain":
                    loss = plain.loss_of(lit, *plain.batch_of(lines, micro_batch.indices))
                else:
                    _, loss, _ = lit.loss(lines[micro_batch])
            loss.backward()
            if (number + 1) % batches.micro_batches == 0:
                update(lit, optimizer)

    run(BucketSampler(lines.widths[:4], 4, seed=0))  # warm-up: one step of four lines on either side
    with measured(len(lines)) as found:
        run(unsorted(lines, lit.config.seed) if side == "plain" else module.train_sampler(epoch=0))
    return found


def rendering(data: str) -> dict[str, float]:
    """Render each batch of an epoch, then train on it, both as params.yaml says: seconds per line, and their ratio.

    The epoch before is not counted: it meets each width for the first time, which takes a step longer.
    """
    module, lit, optimizer = learner(data)
    seconds = np.zeros(2)
    for epoch in range(2):
        seconds[:] = 0
        batches = module.train_sampler(epoch)
        for number, micro_batch in enumerate(batches):
            start = time.perf_counter()
            batch = module.train[micro_batch]
            ready = time.perf_counter()
            with autocast(PARAMS.train.precision):
                _, loss, _ = lit.loss(batch)
            loss.backward()
            if (number + 1) % batches.micro_batches == 0:
                update(lit, optimizer)
            seconds += ready - start, time.perf_counter() - ready
    render, step = (seconds / len(module.train)).tolist()
    return {"render": render, "step": step, "share": render / step}


def render_alone(data: str, varied: bool) -> dict[str, float]:
    """Render all batches of an epoch as training does, on one thread and with nothing beside it."""
    module, _, _ = learner(data, **({} if varied else {"variation": UNVARIED}))
    with measured(len(module.train)) as found:
        for micro_batch in module.train_sampler(epoch=0):
            module.train[micro_batch]
    return found


def decode(side: str, data: str, how: str = "greedy") -> dict[str, Any]:
    """Predict the train lines of a folder, encoder included: greedily or (ours) by ctc or beam."""
    recognizer, card = model_file.load(MODEL)
    dataset = LinesDataset(Path(data), "train", card.architecture.crop_step())
    values, language = PARAMS.evaluate, language_file.load(LANGUAGE, PARAMS.evaluate.uniform_share)
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
            found = recognizer.beam(encoded, values.beam_width, values.weights(), language)
        else:
            found = recognizer.greedy(encoded)
        return [line.text for line in found]

    @torch.no_grad()
    def run(batches: BucketSampler) -> None:
        for micro_batch in batches:
            for index, text in zip(micro_batch.indices, predict(micro_batch), strict=True):
                predictions[index] = text

    run(BucketSampler(dataset.widths[:4], 4))  # warm-up
    batches = unsorted(dataset) if side == "plain" else BucketSampler(dataset.widths, BATCH)
    with measured(len(dataset)) as found:
        run(batches)
    return {**found, "predictions": predictions}


def reader(count: int) -> dict[str, float]:
    """Load the reader and read a first picture: seconds. Then so many of val lines at once: pictures a second."""
    lines = LinesDataset(DATA, "val")
    kinds = np.unique(lines.kinds).tolist()
    papers = [paper for kind in kinds for _, _, paper in pictures.examples(lines, kind, -(-count // len(kinds)))]
    since = time.perf_counter()
    ready = Reader(MODEL, LANGUAGE)
    ready.read(papers[0])
    first, since = time.perf_counter() - since, time.perf_counter()
    ready.read_all(papers)
    return {"first": first, "pictures_per_second": len(papers) / (time.perf_counter() - since)}


if __name__ == "__main__":
    function, arguments = sys.argv[1:]
    print(json.dumps(globals()[function](**json.loads(arguments))))
