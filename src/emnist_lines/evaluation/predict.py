"""How well lines were read: rates with their intervals, and one row per line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from emnist_lines.common import allocator as memory
from emnist_lines.common.alphabet import decode
from emnist_lines.common.params import Evaluate, Machine
from emnist_lines.evaluation.breakdowns import calibration_error
from emnist_lines.figures.line_pictures import Shown
from emnist_lines.lines.dataset import Batch, BucketSampler, LinesDataset, crop_step, loader
from emnist_lines.network.beam_search import joint_decode
from emnist_lines.network.metrics import edit_distance
from emnist_lines.training import lit_recognizer as learning
from emnist_lines.training.lit_recognizer import LineLearner

CONFIDENCE = 0.95


def evaluate(
    model: Path, lines: Path, params: Evaluate, machine: Machine
) -> tuple[dict[str, Any], pd.DataFrame, LinesDataset]:
    """Read the test lines with a saved model: greedily, by its CTC head where it has one, and then by both together.

    Returns:
        The metrics; one row per line (see `table`) in the file's order; the lines.

    Raises:
        UserError: a file is missing, damaged or does not fit the other.
    """
    learner, about = learning.load(model)
    memory.keep_freed()
    dataset = LinesDataset(lines, "test", crop_step(about.model))
    loss = read(learner, dataset, params.batch_size, machine)
    predictions = table(dataset.texts, learner)
    metrics: dict[str, Any] = {"source": dataset.source, **summary(predictions, "prediction", params)}
    metrics |= {"loss": loss, "calibration_error": round(calibration_error(predictions), 5)}
    if learner.ctc_head is not None:
        metrics["ctc"] = summary(predictions, "ctc_prediction", params)
        if params.joint_beam > 0:
            predictions["joint_prediction"] = read_jointly(learner, dataset, params, machine)
            joint = {"beam": params.joint_beam, "ctc_weight": params.joint_ctc_weight}
            metrics["joint"] = joint | summary(predictions, "joint_prediction", params)
    return metrics, predictions, dataset


def read(learner: LineLearner, dataset: LinesDataset, batch_size: int, machine: Machine) -> float:
    """Let `learner` read all lines (its `readings`); returns its mean loss per token."""
    (figures,) = _trainer(machine).test(learner, _batches(dataset, batch_size, machine), verbose=False)
    return float(figures["test_loss"])


def read_jointly(learner: LineLearner, dataset: LinesDataset, params: Evaluate, machine: Machine) -> list[str]:
    """What the beam search on both heads' scores reads in each line; see `joint_decode`."""
    batches = _batches(dataset, max(1, params.batch_size // params.joint_beam), machine)
    found = _trainer(machine).predict(_JointReader(learner, params), batches)
    assert found is not None
    texts = dict(pair for pairs in found for pair in pairs)
    return [texts[index] for index in range(len(dataset))]


class _JointReader(pl.LightningModule):
    """Index and text of each line of a batch."""

    def __init__(self, learner: LineLearner, params: Evaluate) -> None:
        super().__init__()
        self.learner, self.params = learner, params

    def predict_step(self, batch: Batch, batch_index: int) -> list[tuple[int, str]]:
        model, head = self.learner.model, self.learner.ctc_head
        assert head is not None
        memory, mask, hidden = model.encode(batch.images, batch.widths)
        lengths = model.line_cnn.valid_windows(batch.widths)
        beam, weight = self.params.joint_beam, self.params.joint_ctc_weight
        tokens = joint_decode(model, memory, mask, head(hidden), lengths, self.learner.max_length, beam, weight)
        return list(zip(batch.indices.tolist(), map(decode, tokens.tolist()), strict=True))


def _trainer(machine: Machine) -> pl.Trainer:
    return pl.Trainer(
        accelerator=machine.accelerator, devices=1, logger=False, enable_checkpointing=False, enable_model_summary=False
    )


def _batches(dataset: LinesDataset, size: int, machine: Machine) -> DataLoader[Batch]:
    return loader(dataset, BucketSampler(dataset.widths, size), machine.workers, pin_memory=False)


def table(texts: list[str], learner: LineLearner) -> pd.DataFrame:
    """One row per line: text, prediction, edits, length, confidence, confidences, and with a CTC head its prediction.

    `confidences` are those of the prediction's characters, apart by spaces.
    """
    columns: dict[str, list[Any]] = {"prediction": [], "confidence": [], "confidences": [], "ctc_prediction": []}
    order: list[int] = []
    for reading in learner.readings:
        order += reading.indices
        columns["prediction"] += [line.text for line in reading.texts]
        columns["confidence"] += [line.confidence for line in reading.texts]
        columns["confidences"] += [" ".join(f"{p:.4f}" for p in line.confidences) for line in reading.texts]
        columns["ctc_prediction"] += reading.ctc_texts or []
    frame = pd.DataFrame({name: values for name, values in columns.items() if values}, index=order).sort_index()
    frame.insert(0, "text", texts)
    frame.insert(2, "edits", _edits(frame, "prediction"))
    frame.insert(3, "length", [len(text) for text in texts])
    frame["confidence"] = frame["confidence"].round(4)
    return frame


def ranked(frame: pd.DataFrame) -> list[int]:
    """Rows from the best read line to the worst: by error rate, then by confidence.

    Only lines at least as long as the mean count: short ones are either right or wholly wrong.
    """
    long = frame[frame["length"] >= frame["length"].mean()]
    by = long.assign(rate=long["edits"] / long["length"])
    ordered = by.sort_values(["rate", "confidence"], ascending=[True, False], kind="stable")
    return [int(row) for row in ordered.index]


def examples(frame: pd.DataFrame, lines: LinesDataset, count: int) -> dict[str, list[Shown]]:
    """The best, typical and worst readings, `count` in all as far as there are."""
    rows = ranked(frame)
    each = min(-(-count // 3), len(rows) // 3)
    places = {"Best": 0, "Typical": (len(rows) - each) // 2, "Worst": len(rows) - each}
    return {name: [_shown(frame, lines, row) for row in rows[place : place + each]] for name, place in places.items()}


def _shown(frame: pd.DataFrame, lines: LinesDataset, row: int) -> Shown:
    text, prediction, each = (str(frame[name][row]) for name in ("text", "prediction", "confidences"))
    image = np.array(lines.image(row)[:, : lines.widths[row]])
    return Shown(image, text, prediction, float(frame["confidence"][row]), [float(p) for p in each.split()])


def _edits(frame: pd.DataFrame, column: str) -> list[int]:
    return [edit_distance(p, t) for p, t in zip(frame[column], frame["text"], strict=True)]


def summary(frame: pd.DataFrame, column: str, params: Evaluate) -> dict[str, Any]:
    """Rates of one column of predictions.

    Returns:
        cer: edits over reference characters.
        cer_per_line: mean over lines of edits over the longer of prediction and text (the lab's definition).
        wer: word edits over reference words.
        exact_match: share of lines without an edit.
        interval: for each of them the lower and upper end of the 95% bootstrap interval over lines.
        lines, characters: how many there were.
    """
    edits = np.array(_edits(frame, column))
    length = frame["text"].str.len().to_numpy()
    longer = np.maximum(length, frame[column].str.len().to_numpy())
    pairs = zip(map(str.split, frame[column]), map(str.split, frame["text"]), strict=True)
    word_edits = np.array([edit_distance(p, t) for p, t in pairs])
    words = np.array([len(text.split()) for text in frame["text"]])
    rates: dict[str, Callable[[NDArray[np.int64]], NDArray[np.float64]]] = {
        "cer": lambda i: edits[i].sum(-1) / length[i].sum(-1),
        "cer_per_line": lambda i: (edits / np.maximum(longer, 1))[i].mean(-1),
        "wer": lambda i: word_edits[i].sum(-1) / words[i].sum(-1),
        "exact_match": lambda i: (edits == 0)[i].mean(-1),
    }
    everyone = np.arange(len(frame))
    rng = np.random.default_rng(params.bootstrap_seed)
    resamples = rng.integers(len(frame), size=(params.bootstrap_samples, len(frame)))
    tail = (1 - CONFIDENCE) / 2
    interval = {}
    for name, rate in rates.items():
        low, high = np.quantile(rate(resamples), [tail, 1 - tail])
        interval[name] = [round(float(low), 5), round(float(high), 5)]
    figures = {name: round(float(rate(everyone)), 5) for name, rate in rates.items()}
    return {**figures, "interval": interval, "lines": len(frame), "characters": int(length.sum())}
