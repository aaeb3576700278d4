"""Predict the text of every line of a split."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as pl
import torch

from emnist_lines.common.alphabet import PAD
from emnist_lines.common.console import on_terminal
from emnist_lines.common.machine import MachineConfig
from emnist_lines.evaluation.alignment import align_all
from emnist_lines.evaluation.breakdowns import calibration_error
from emnist_lines.evaluation.config import EvaluateConfig
from emnist_lines.evaluation.rates import edits, rates
from emnist_lines.lines.bucket_sampler import BucketSampler
from emnist_lines.lines.dataset import Batch, LinesDataset, data_loader
from emnist_lines.network import model_file
from emnist_lines.network.recognizer import Recognizer

DECODINGS = {"ctc": "ctc_prediction", "beam": "beam_prediction"}
"""Decodings beside the greedy one: their names in the metrics, and their columns."""


def evaluate(
    model: Path, data: Path, split: str, config: EvaluateConfig, machine: MachineConfig
) -> tuple[dict[str, Any], pd.DataFrame, LinesDataset]:
    """Read a split with a saved model: greedily, with its CTC head, and with a beam search on both.

    Args:
        model: the model file.
        data: the folder of all data; see `LinesDataset`.
        split: train, val or test.
        config: how lines are read.
        machine: where.

    Returns:
        The metrics; a row per line (see `predict`); the lines.

    Raises:
        FileError: a file is missing, damaged or of another format.
    """
    recognizer, card = model_file.load(model)
    dataset = LinesDataset(data, split, card.architecture.crop_step())
    predictions, loss = predict(recognizer, dataset, config, machine)
    metrics: dict[str, Any] = {"source": dataset.source, **rates(predictions, "prediction", config), "loss": loss}
    for name, rows in (("known_text", dataset.known), ("new_text", ~dataset.known)):
        if rows.any():
            metrics[name] = rates(predictions[rows], "prediction", config)
    metrics["calibration_error"] = round(calibration_error(align_all(predictions)), 5)
    for name, column in DECODINGS.items():
        if column in predictions:
            metrics[name] = rates(predictions, column, config)
    if "beam" in metrics:
        metrics["beam"] = {"width": config.beam_width, "ctc_weight": config.ctc_weight, **metrics["beam"]}
    return metrics, predictions, dataset


def predict(
    recognizer: Recognizer, dataset: LinesDataset, config: EvaluateConfig, machine: MachineConfig
) -> tuple[pd.DataFrame, float]:
    """Read all lines of a dataset.

    Returns:
        predictions: a row per line, in the dataset's order: text, prediction (greedy), edits, length (of the text),
            confidence, confidences (of the prediction's characters, separated by spaces), and, with a CTC head,
            ctc_prediction and (unless `beam_width` is 0) beam_prediction.
        loss: cross-entropy per token, in nats.
    """
    loader = data_loader(dataset, BucketSampler(dataset.widths, config.batch_size), machine.workers)
    trainer = pl.Trainer(
        accelerator=machine.accelerator,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=on_terminal(),
    )
    parts = trainer.predict(_Predictor(recognizer, config), loader)
    assert parts is not None
    frame = pd.concat(parts).sort_index()
    loss = float(frame.pop("loss").sum() / max(1, frame.pop("targets").sum()))
    frame.insert(0, "text", dataset.texts)
    frame.insert(2, "edits", edits(frame["prediction"], frame["text"]))
    frame.insert(3, "length", frame["text"].str.len())
    return frame, round(loss, 6)


class _Predictor(pl.LightningModule):
    """A row for each line of a batch; see `predict`, with loss (nats) and targets (tokens) of the line."""

    def __init__(self, recognizer: Recognizer, config: EvaluateConfig) -> None:
        super().__init__()
        self.recognizer, self.config = recognizer, config
        self.parts = recognizer.modules()  # so that Lightning moves them

    def predict_step(self, batch: Batch, batch_index: int) -> pd.DataFrame:
        recognizer, config = self.recognizer, self.config
        encoded = recognizer.encode(batch.images, batch.widths)
        greedy = recognizer.greedy(encoded)
        losses, _ = recognizer.token_losses(encoded, batch.tokens)
        columns: dict[str, list[Any]] = {
            "prediction": [line.text for line in greedy],
            "confidence": [round(line.confidence, 4) for line in greedy],
            "confidences": [" ".join(f"{p:.4f}" for p in line.confidences) for line in greedy],
            "loss": losses.sum(dim=1, dtype=torch.float64).tolist(),
            "targets": (batch.tokens[:, 1:] != PAD).sum(dim=1).tolist(),
        }
        if recognizer.ctc_head is not None:
            columns["ctc_prediction"] = recognizer.ctc(encoded)
            if config.beam_width > 0:
                columns["beam_prediction"] = recognizer.beam(encoded, config.beam_width, config.ctc_weight)
        return pd.DataFrame(columns, index=batch.indices.tolist())
