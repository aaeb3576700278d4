"""What training minimises and what validation measures, as a LightningModule."""

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.text import CharErrorRate

from emnist_lines.common.alphabet import BLANK, PAD, SYMBOLS
from emnist_lines.lines.dataset import Batch
from emnist_lines.lines.line_file import KINDS
from emnist_lines.network.config import ModelConfig
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer
from emnist_lines.network.recognizer import Recognizer, ctc_head
from emnist_lines.network.transcription import texts_of
from emnist_lines.training.config import TrainConfig


def _accuracy() -> MulticlassAccuracy:
    return MulticlassAccuracy(len(SYMBOLS), average="micro", ignore_index=PAD, validate_args=False)


class LitRecognizer(pl.LightningModule):
    """A recognizer with its losses, its optimizer and its metrics.

    Submodules have the names and the order of the lab's printed table. Behind them come the CTC head, which exists only
    where `ctc_weight` is above 0 and is no part of the network, and the error rates of each kind of lines.
    """

    def __init__(
        self, model: ModelConfig, config: TrainConfig, max_length: int, total_steps: int, kinds: tuple[int, ...] = ()
    ) -> None:
        """
        Args:
            model: the network.
            config: losses, optimizer and schedule.
            max_length: tokens of a line, `<S>` and `<E>` included.
            total_steps: optimizer steps that the schedule spans.
            kinds: of lines whose error rates are told apart, as indices into `line_file.KINDS`.
        """
        super().__init__()
        self.config, self.max_length, self.total_steps = config, max_length, total_steps
        self.model = LineCNNTransformer(model)
        self.train_acc = _accuracy()
        self.val_acc = _accuracy()
        self.test_acc = _accuracy()
        self.loss_fn = nn.CrossEntropyLoss(ignore_index=PAD, label_smoothing=config.label_smoothing)
        self.val_cer = CharErrorRate()
        self.test_cer = CharErrorRate()
        self.ctc_head: nn.Linear | None = None
        if config.ctc_weight > 0:
            self.ctc_head = ctc_head(model)
            self.val_ctc_cer = CharErrorRate()
        self.kinds = kinds
        if kinds:
            self.val_kind_cers = nn.ModuleList(CharErrorRate() for _ in kinds)

    @property
    def recognizer(self) -> Recognizer:
        """The network and the CTC head, as the other packages use them."""
        return Recognizer(self.model, self.ctc_head, self.max_length, self.config.label_smoothing)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """The micro-batch's share of the batch's loss; its own mean is what is logged."""
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
            own: () float, the mean over the micro-batch.
            share: () float, its share of the mean over the whole batch. The shares of a batch's micro-batches add up to
                the loss of the batch.
            logits: (B, T - 1, 83) float.
        """
        features, mask, hidden = self.model.encode(batch.images, batch.widths)
        logits = self.model.decode(batch.tokens[:, :-1], features, mask)
        weight = self.config.ctc_weight
        own: Tensor = (1 - weight) * self.loss_fn(logits.flatten(0, 1), batch.tokens[:, 1:].flatten())
        if batch.token_share == 0:  # lines of one character without <S> and <E>: a mean of nothing
            own = logits.sum() * 0
        share = own * batch.token_share
        if self.ctc_head is not None:
            ctc = weight * self._ctc_loss(self.ctc_head(hidden), batch)
            own, share = own + ctc, share + ctc * batch.line_share
        return own, share, logits

    def _ctc_loss(self, logits: Tensor, batch: Batch) -> Tensor:
        log_probs = logits.float().log_softmax(dim=-1).transpose(0, 1)
        text = batch.tokens > PAD
        windows = self.model.line_cnn.valid_windows(batch.widths)
        return F.ctc_loss(log_probs, batch.tokens[text], windows, text.sum(dim=1), BLANK, zero_infinity=True)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        predictions = self._measure(
            batch, "val", self.val_acc, self.val_cer, self.val_ctc_cer if self.ctc_head else None
        )
        texts, kinds = texts_of(batch.tokens), batch.kinds.tolist()
        for place, kind in enumerate(self.kinds):
            error_rate: Any = self.val_kind_cers[place]
            own = [line for line in range(len(texts)) if kinds[line] == kind]
            if own:
                error_rate.update([predictions[line] for line in own], [texts[line] for line in own])
            # also without an update: of several processes, all compute the same metrics
            self.log(f"val_{KINDS[kind]}_cer", error_rate, on_epoch=True, batch_size=len(texts))

    def test_step(self, batch: Batch, batch_index: int) -> None:
        self._measure(batch, "test", self.test_acc, self.test_cer, None)

    def _measure(
        self,
        batch: Batch,
        stage: str,
        accuracy: MulticlassAccuracy,
        error_rate: CharErrorRate,
        ctc_error_rate: CharErrorRate | None,
    ) -> list[str]:
        """Log the loss per token (no label smoothing), the accuracy of tokens and the CER of greedy decoding.

        In 32 bits, whatever the precision of training: validation reads as evaluation does.

        Returns:
            The predictions of greedy decoding.
        """
        recognizer, texts, lines = self.recognizer, texts_of(batch.tokens), len(batch.tokens)
        with torch.autocast(self.device.type, enabled=False):
            encoded = recognizer.encode(batch.images, batch.widths)
            losses, logits = recognizer.token_losses(encoded, batch.tokens)
            predictions = [transcription.text for transcription in recognizer.greedy(encoded)]
        targets = int((batch.tokens[:, 1:] != PAD).sum())
        accuracy(logits.flatten(0, 1), batch.tokens[:, 1:].flatten())
        error_rate.update(predictions, texts)
        self.log(f"{stage}_loss", losses.sum() / max(1, targets), on_epoch=True, batch_size=targets, sync_dist=True)
        self.log(f"{stage}_acc", accuracy, on_epoch=True, batch_size=lines)
        self.log(f"{stage}_cer", error_rate, prog_bar=True, on_epoch=True, batch_size=lines)
        if ctc_error_rate is not None:
            ctc_error_rate.update(recognizer.ctc(encoded), texts)
            self.log(f"{stage}_ctc_cer", ctc_error_rate, on_epoch=True, batch_size=lines)
        return predictions

    def on_train_batch_start(self, batch: Batch, batch_index: int) -> None:
        """Random numbers depend on seed, step and process alone, so that a resumed run repeats an unbroken one."""
        if batch_index % self.trainer.accumulate_grad_batches:
            return
        state = np.random.SeedSequence([self.config.seed, self.global_step, self.global_rank]).generate_state(1)
        torch.manual_seed(int(state[0]))

    def configure_optimizers(self) -> Any:
        config = self.config
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
        optimizer = kind(self.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
        if config.schedule == "constant":
            return optimizer
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, config.learning_rate, self.total_steps, pct_start=config.warmup_fraction
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
