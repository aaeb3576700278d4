"""What training minimises, and what validation and test measure, as a LightningModule."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from emnist_lines.common.alphabet import BLANK, PAD, SYMBOLS, decode
from emnist_lines.common.params import Model, Train
from emnist_lines.lines.dataset import Batch
from emnist_lines.network import model_file
from emnist_lines.network.greedy import Text, greedy_ctc, greedy_decode, spoken
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer
from emnist_lines.network.metrics import CharacterErrorRate
from emnist_lines.network.model_file import ModelFile


@dataclass(frozen=True)
class Reading:
    """What a network made of some lines of a split.

    Attributes:
        indices: where the lines stand in their split.
        texts: greedy decoding's.
        ctc_texts: the CTC head's texts; None without one.
    """

    indices: list[int]
    texts: list[Text]
    ctc_texts: list[str] | None


def _accuracy() -> MulticlassAccuracy:
    return MulticlassAccuracy(len(SYMBOLS), average="micro", ignore_index=PAD)


class LineLearner(pl.LightningModule):
    """LineCNNTransformer with its losses, its optimizer and its metrics.

    The submodules keep the names and the order of the lab's printed table; the CTC head, which only exists where
    `ctc_weight` is above 0, comes last and is no part of the network.
    """

    def __init__(self, model: Model, train: Train, max_length: int, total_steps: int) -> None:
        """
        Args:
            model: the network.
            train: the losses, the optimizer and the schedule.
            max_length: tokens of a line, `<S>` and `<E>` among them.
            total_steps: optimizer steps that the schedule spans.
        """
        super().__init__()
        self.params, self.max_length, self.total_steps = train, max_length, total_steps
        self.model = LineCNNTransformer(model)
        self.train_acc = _accuracy()
        self.val_acc = _accuracy()
        self.test_acc = _accuracy()
        self.loss_fn = nn.CrossEntropyLoss(ignore_index=PAD, label_smoothing=train.label_smoothing)
        self.val_cer = CharacterErrorRate()
        self.test_cer = CharacterErrorRate()
        self.ctc_head: nn.Linear | None = None
        if train.ctc_weight > 0:
            self.ctc_head = nn.Linear(model.fc_dim, len(SYMBOLS))
            self.val_ctc_cer = CharacterErrorRate()
        self.readings: list[Reading] = []

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The share of the batch's loss; the piece's own mean is what is logged."""
        own, share, logits = self.loss(batch)
        self.train_acc(logits.flatten(0, 1), batch.tokens[:, 1:].flatten())
        lines = len(batch.widths)
        self.log("train_loss", own, prog_bar=True, on_step=False, on_epoch=True, batch_size=lines, sync_dist=True)
        self.log("train_acc", self.train_acc, on_step=False, on_epoch=True, batch_size=lines)
        return (
            share * self.trainer.accumulate_grad_batches * self.trainer.world_size
        )  # Lightning and DDP divide by them

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """(1 - ctc_weight) · cross-entropy + ctc_weight · CTC (Kim et al. 2017, joint CTC-attention).

        Returns:
            The mean over the piece; its share of the mean over the whole batch, so that the shares of a batch's pieces
            add up to what the batch in one piece has; the logits (B, T, 83).
        """
        memory, mask, hidden = self.model.encode(batch.images, batch.widths)
        logits = self.model.decode(batch.tokens[:, :-1], memory, mask)
        weight = self.params.ctc_weight
        own: Tensor = (1 - weight) * self.loss_fn(logits.flatten(0, 1), batch.tokens[:, 1:].flatten())
        if batch.token_share == 0:  # lines of one character without <S> and <E>: a mean of nothing
            own = logits.sum() * 0
        share = own * batch.token_share
        if self.ctc_head is not None:
            ctc = weight * self._ctc_loss(hidden, batch)
            own, share = own + ctc, share + ctc * batch.line_share
        return own, share, logits

    def _ctc_loss(self, hidden: Tensor, batch: Batch) -> Tensor:
        assert self.ctc_head is not None
        log_probs = self.ctc_head(hidden).float().log_softmax(dim=-1).transpose(0, 1)
        text = batch.tokens > PAD
        lengths = self.model.line_cnn.valid_windows(batch.widths)
        return F.ctc_loss(log_probs, batch.tokens[text], lengths, text.sum(dim=1), BLANK, zero_infinity=True)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        loss, reading, texts = self._read(batch, self.val_acc)
        self.val_cer.update([line.text for line in reading.texts], texts)
        lines = len(texts)
        self.log("val_loss", loss, on_epoch=True, batch_size=_targets(batch), sync_dist=True)
        self.log("val_acc", self.val_acc, on_epoch=True, batch_size=lines)
        self.log("val_cer", self.val_cer, prog_bar=True, on_epoch=True, batch_size=lines)
        if reading.ctc_texts is not None:
            self.val_ctc_cer.update(reading.ctc_texts, texts)
            self.log("val_ctc_cer", self.val_ctc_cer, on_epoch=True, batch_size=lines)

    def test_step(self, batch: Batch, batch_index: int) -> None:
        """As validation; the readings are kept in `readings`."""
        loss, reading, texts = self._read(batch, self.test_acc)
        self.test_cer.update([line.text for line in reading.texts], texts)
        lines = len(texts)
        self.log("test_loss", loss, on_epoch=True, batch_size=_targets(batch), sync_dist=True)
        self.log("test_acc", self.test_acc, on_epoch=True, batch_size=lines)
        self.log("test_cer", self.test_cer, on_epoch=True, batch_size=lines)
        self.readings.append(reading)

    def _read(self, batch: Batch, accuracy: MulticlassAccuracy) -> tuple[Tensor, Reading, list[str]]:
        """Teacher-forced loss per token (no smoothing), what greedy decoding reads, and what stands there.

        In 32 bits, whatever the training's precision: validation reads as evaluation does.
        """
        with torch.autocast(self.device.type, enabled=False):
            memory, mask, hidden = self.model.encode(batch.images, batch.widths)
            logits = self.model.decode(batch.tokens[:, :-1], memory, mask).flatten(0, 1)
            tokens, log_probs = greedy_decode(self.model, memory, mask, self.max_length)
            ctc_texts = None
            if self.ctc_head is not None:
                lengths = self.model.line_cnn.valid_windows(batch.widths)
                ctc_texts = _texts(greedy_ctc(self.ctc_head(hidden), lengths))
        target = batch.tokens[:, 1:].flatten()
        loss = F.cross_entropy(logits, target, ignore_index=PAD) if _targets(batch) else logits.sum() * 0
        accuracy(logits, target)
        reading = Reading(batch.indices.tolist(), spoken(tokens, log_probs, self.params.label_smoothing), ctc_texts)
        return loss, reading, _texts(batch.tokens)

    def on_train_batch_start(self, batch: Batch, batch_index: int) -> None:
        """Random numbers depend on seed, step and process alone: a resumed run draws what an unbroken one would."""
        if batch_index % self.trainer.accumulate_grad_batches:
            return
        state = np.random.SeedSequence([self.params.seed, self.global_step, self.global_rank]).generate_state(1)
        torch.manual_seed(int(state[0]))

    def configure_optimizers(self) -> Any:
        params = self.params
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[params.optimizer]
        optimizer = kind(self.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)
        if params.schedule == "constant":
            return optimizer
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, params.learning_rate, self.total_steps, pct_start=params.warmup_fraction
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def load(path: Path) -> tuple[LineLearner, ModelFile]:
    """A saved model with its CTC head, in evaluation mode, and what its file says.

    Raises:
        UserError: the file is missing, damaged, or of another alphabet or network.
    """
    weights, about = model_file.read(path)
    learner = LineLearner(about.model, about.train, about.max_length, total_steps=1)
    model_file.fill(learner, weights, path)
    return learner.eval(), about


def _targets(batch: Batch) -> int:
    """Tokens that the loss of a batch is the mean of."""
    return int((batch.tokens[:, 1:] != PAD).sum())


def _texts(tokens: Tensor) -> list[str]:
    return [decode(row) for row in tokens.tolist()]
