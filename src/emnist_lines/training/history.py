"""The history of a training: one row of figures per epoch."""

import copy
import math
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from dvclive.live import Live
from pytorch_lightning.callbacks import Callback

from emnist_lines.common.errors import UserError
from emnist_lines.lines.line_file import KINDS

VALIDATED = ("val_loss", "val_acc", "val_cer", "val_ctc_cer", *(f"val_{kind}_cer" for kind in KINDS))


class History(Callback):
    """Logs one row of figures per epoch with DVCLive.

    The rows are part of the checkpoint, so that a resumed run has the history of an unbroken one.
    """

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: where DVCLive writes. Of several processes, only the first does.
        """
        self.folder = folder
        self.live: Live | None = None
        self.rows: list[dict[str, float]] = []
        self.validated = False
        self.seconds = 0.0
        self.since = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows, self.seconds = state["rows"], state["seconds"]
        for row in self.rows:
            self._log(row)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if trainer.is_global_zero:
            self.live = Live(str(self.folder), save_dvc_exp=False, dvcyaml=None)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.since = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.validated = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the epoch's row.

        Raises:
            UserError: the loss is not finite.
        """
        now = time.monotonic()
        self.seconds, self.since = self.seconds + now - self.since, now
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row = {"epoch": float(trainer.current_epoch + 1), "minutes": round(self.seconds / 60, 3)}
        row |= {"learning_rate": trainer.optimizers[0].param_groups[0]["lr"]}
        row |= {name: figures[name] for name in ("train_loss", "train_acc")}
        if not math.isfinite(row["train_loss"]):
            raise UserError(
                f"the loss of epoch {trainer.current_epoch + 1} is {row['train_loss']}: training has diverged; "
                "lower train.learning_rate, or set train.precision to 32-true"
            )
        if self.validated:
            row |= {name: figures[name] for name in VALIDATED if name in figures}
        self.validated = False
        self.rows.append(row)
        self._log(row)
        if trainer.is_global_zero:
            print(_line(row, trainer.max_epochs), flush=True)

    def _log(self, row: dict[str, float]) -> None:
        if self.live is None:
            return
        self.live.step = int(row["epoch"])
        for name, value in row.items():
            if name != "epoch":
                self.live.log_metric(name, value)
        self.live.make_summary()

    def finish(self, source: str, precision: str) -> None:
        """Write the summary: the glyphs' source, the precision, and the first epoch of the least validation CER."""
        if self.live is None:
            return
        best = min((row for row in self.rows if "val_cer" in row), key=lambda row: row["val_cer"])
        self.live.summary = {
            "source": source,
            "precision": precision,
            "epochs": len(self.rows),
            "best": copy.copy(best),
        }
        self.live.make_summary()


def _line(row: dict[str, float], epochs: int | None) -> str:
    """An epoch's row, for a person."""
    line = f"epoch {row['epoch']:.0f} of {epochs}: train loss {row['train_loss']:.3f}"
    if "val_cer" in row:
        line += f", validation loss {row['val_loss']:.3f}, validation CER {row['val_cer']:.4f}"
    return f"{line}, {row['minutes']:.1f} min"
