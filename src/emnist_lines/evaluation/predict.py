"""Predict the text of every line of a split."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException

from emnist_lines.common.alphabet import PAD
from emnist_lines.common.console import on_terminal
from emnist_lines.common.errors import UserError, one_line
from emnist_lines.common.machine import MachineConfig
from emnist_lines.evaluation.alignment import align_all
from emnist_lines.evaluation.breakdowns import calibration_error
from emnist_lines.evaluation.config import EvaluateConfig
from emnist_lines.evaluation.glyph_interval import glyph_interval
from emnist_lines.evaluation.rates import difference, edits, rates
from emnist_lines.evaluation.written_lines import by_sort, sorts_of, writers_of
from emnist_lines.language import language_file
from emnist_lines.language.model import LanguageModel
from emnist_lines.language.words import WithWords
from emnist_lines.lines.bucket_sampler import BucketSampler
from emnist_lines.lines.dataset import Batch, LinesDataset, data_loader
from emnist_lines.lines.line_file import KINDS, WRITTEN
from emnist_lines.network import model_file
from emnist_lines.network.recognizer import Recognizer
from emnist_lines.network.transcription import Transcription

OTHERS = ("greedy", "ctc")
"""Decodings that are told beside the main one, as far as they are others; `NAME_prediction` are their columns."""


def evaluate(
    model: Path, language: Path | None, data: Path, split: str, config: EvaluateConfig, machine: MachineConfig
) -> tuple[dict[str, Any], pd.DataFrame, LinesDataset]:
    """Read a split with saved models: by beam search, greedily and with the CTC head.

    Without a CTC head, or with a `beam_width` of 0, greedy decoding is the main one: what holds a hypothesis to the
    length of its line is the CTC head.

    Args:
        model: the model file.
        language: the language model's file; not read if it counts nothing. None: there is none.
        data: the folder of all data; see `LinesDataset`.
        split: train, val or test.
        config: how lines are read.
        machine: where.

    Returns:
        The metrics of all lines and, if there are several kinds of them, of each (see `rates`, and `glyph_interval` for
        the CER's interval of lines of glyphs); a row per line (see `predict`); the lines.

    Raises:
        FileError: a file is missing, damaged or of another format.
        UserError: this machine is not as `machine` says.
    """
    recognizer, card = model_file.load(model)
    if recognizer.ctc_head is None:
        config = config.replace(beam_width=0)
    wanted = language if config.beam_width and config.language_weight else None
    words = language_file.load(wanted, config.uniform_share) if wanted else None
    dataset = LinesDataset(data, split, card.architecture.crop_step())
    predictions, loss = predict(recognizer, words, dataset, config, machine)
    metrics: dict[str, Any] = {
        "source": dataset.source,
        "decoding": "beam" if config.beam_width else "greedy",
        **_decodings(predictions, dataset, config),
        "loss": loss,
    }
    kinds = predictions["kind"].unique()
    for kind in kinds if len(kinds) > 1 else ():
        rows = (predictions["kind"] == kind).to_numpy()
        metrics[kind] = _decodings(predictions[rows], dataset, config)
        if kind == KINDS[WRITTEN]:
            metrics[kind]["by_sort"] = by_sort(predictions[rows])
    return metrics, predictions, dataset


def _decodings(frame: pd.DataFrame, dataset: LinesDataset, config: EvaluateConfig) -> dict[str, Any]:
    """Rates of the main decoding and of the others, and how much the main one's confidence is worth."""
    figures = _figures(frame, "prediction", dataset, config)
    figures["calibration_error"] = round(calibration_error(align_all(frame)), 5)
    for name in OTHERS:
        column = f"{name}_prediction"
        if column in frame:
            own = _figures(frame, column, dataset, config)
            figures[name] = {**own, "more_than_main": difference(frame, column, "prediction", config)}
    return figures


def _figures(frame: pd.DataFrame, column: str, dataset: LinesDataset, config: EvaluateConfig) -> dict[str, Any]:
    """Rates of some lines, and of those whose text is known from the train documents and the others."""
    figures = _rates(frame, column, dataset, config)
    known = dataset.known[frame.index]
    for name, rows in (("known_text", known), ("new_text", ~known)):
        if rows.any():
            figures[name] = _rates(frame[rows], column, dataset, config)
    return figures


def _rates(frame: pd.DataFrame, column: str, dataset: LinesDataset, config: EvaluateConfig) -> dict[str, Any]:
    """Rates of some lines. If all are composed of glyphs, the CER's interval is that of other lines of other glyphs."""
    composed = (frame["kind"] != KINDS[WRITTEN]).all()
    return rates(frame, column, config, glyph_interval(frame, column, dataset.lines) if composed else None)


def predict(
    recognizer: Recognizer,
    language: LanguageModel | WithWords | None,
    dataset: LinesDataset,
    config: EvaluateConfig,
    machine: MachineConfig,
) -> tuple[pd.DataFrame, float]:
    """Read all lines of a dataset.

    Raises:
        UserError: this machine is not as `machine` says.

    Returns:
        predictions: a row per line, in the dataset's order: text, prediction, edits, length (of the text), confidence
            and confidences (of the prediction's characters, separated by spaces), by beam search or, if `beam_width` is
            0, greedily; then, where they are others, greedy_prediction and ctc_prediction; kind (of `line_file.KINDS`);
            of written lines sort (see `written_lines`) and writer (a number), of others nothing and -1.
        loss: cross-entropy per token, in nats.
    """
    loader = data_loader(dataset, BucketSampler(dataset.widths, config.batch_size), machine.workers)
    try:
        trainer = pl.Trainer(
            accelerator=machine.accelerator,
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=on_terminal(),
        )
    except (MisconfigurationException, ImportError, ValueError, RuntimeError) as error:
        asked = f"accelerator {machine.accelerator}"  # as `training.fit` says it
        raise UserError(
            f"this machine cannot do what params.yaml's machine says ({asked}): {one_line(error)}"
        ) from None
    parts = trainer.predict(_Predictor(recognizer, language, config), loader)
    assert parts is not None
    frame = pd.concat(parts).sort_index()
    loss = float(frame.pop("loss").sum() / max(1, frame.pop("targets").sum()))
    frame.insert(0, "text", dataset.texts)
    frame.insert(2, "edits", edits(frame["prediction"], frame["text"]))
    frame.insert(3, "length", frame["text"].str.len())
    frame["kind"], frame["sort"] = np.array(KINDS)[dataset.kinds], sorts_of(dataset)
    frame["writer"] = writers_of(dataset)
    return frame, round(loss, 6)


class _Predictor(pl.LightningModule):
    """A row for each line of a batch; see `predict`, with loss (nats) and targets (tokens) of the line."""

    def __init__(
        self, recognizer: Recognizer, language: LanguageModel | WithWords | None, config: EvaluateConfig
    ) -> None:
        super().__init__()
        self.recognizer, self.language, self.width = recognizer, language, config.beam_width
        self.weights = config.weights() if language else replace(config.weights(), language=0.0)
        self.parts = recognizer.modules()  # so that Lightning moves them

    def on_predict_start(self) -> None:
        if self.language is not None:
            self.language = self.language.to(self.device)

    def predict_step(self, batch: Batch, batch_index: int) -> pd.DataFrame:
        recognizer = self.recognizer
        encoded = recognizer.encode(batch.images, batch.widths)
        greedy = recognizer.greedy(encoded)
        main = greedy
        if self.width > 0:
            main = recognizer.beam(encoded, self.width, self.weights, self.language)
        losses, _ = recognizer.token_losses(encoded, batch.tokens)
        columns: dict[str, list[Any]] = {
            "prediction": _texts(main),
            "confidence": [round(line.confidence, 4) for line in main],
            "confidences": [" ".join(f"{p:.4f}" for p in line.confidences) for line in main],
            "loss": losses.sum(dim=1, dtype=torch.float64).tolist(),
            "targets": (batch.tokens[:, 1:] != PAD).sum(dim=1).tolist(),
        }
        if self.width > 0:
            columns["greedy_prediction"] = _texts(greedy)
        if recognizer.ctc_head is not None:
            columns["ctc_prediction"] = recognizer.ctc(encoded)
        return pd.DataFrame(columns, index=batch.indices.tolist())


def _texts(lines: list[Transcription]) -> list[str]:
    return [line.text for line in lines]
