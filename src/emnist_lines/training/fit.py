"""Training a network on a file of lines, with Lightning."""

import copy
import math
import pickle
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from dvclive.live import Live
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, ModelSummary, WeightAveraging
from torch import Tensor

from emnist_lines.common import allocator as memory
from emnist_lines.common.errors import UserError
from emnist_lines.common.files import UNREADABLE, reason
from emnist_lines.common.params import Machine, Params
from emnist_lines.lines.dataset import LinesDataModule
from emnist_lines.network import model_file
from emnist_lines.network.model_file import ModelFile
from emnist_lines.training.lit_recognizer import LineLearner

MAX_GRAPHS = 64
"""Compiled encoders that are kept: one for each width and number of lines that batches come in."""
VALIDATED = ("val_loss", "val_acc", "val_cer", "val_ctc_cer")


class History(Callback):
    """One row of figures per epoch, logged with DVCLive; and the weights of the best validation CER.

    Both are part of the checkpoint, so that a resumed run's history and model are those of an unbroken one.
    """

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: where DVCLive writes; of several processes, only the first does.
        """
        self.folder = folder
        self.live: Live | None = None
        self.rows: list[dict[str, float]] = []
        self.best_weights: dict[str, Tensor] = {}
        self.best_cer = float("inf")
        self.validated: dict[str, Tensor] | None = None
        self.seconds = 0.0
        self.since = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("rows", "best_weights", "best_cer", "seconds")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for row in self.rows:
            self._log(row)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if trainer.is_global_zero:
            self.live = Live(str(self.folder), save_dvc_exp=False, dvcyaml=None)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.since = time.monotonic()

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keeps what was validated: with a mean of the weights, that mean, which leaves the network after this hook."""
        self.validated = {name: tensor.detach().cpu().clone() for name, tensor in pl_module.state_dict().items()}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
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
        if self.validated is not None:
            row |= {name: figures[name] for name in VALIDATED if name in figures}
            if figures["val_cer"] < self.best_cer:
                self.best_cer, self.best_weights = figures["val_cer"], self.validated
        self.validated = None
        self.rows.append(row)
        self._log(row)

    def _log(self, row: dict[str, float]) -> None:
        if self.live is None:
            return
        self.live.step = int(row["epoch"])
        for name, value in row.items():
            if name != "epoch":
                self.live.log_metric(name, value)
        self.live.make_summary()

    def finish(self, source: str, precision: str) -> None:
        """Write the summary: who made the glyphs, what was computed in, and the epoch whose weights are kept."""
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


def on_gpu(machine: Machine) -> bool:
    """Whether Lightning will train on a CUDA GPU."""
    return machine.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()


def precision(wanted: str, machine: Machine) -> Any:
    """Lightning's name for the precision to train in."""
    if wanted != "auto":
        return wanted
    if not on_gpu(machine):
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return "bf16-mixed" if native else "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"


def ema(decay: float) -> WeightAveraging:
    """An exponential moving average of the weights, each optimizer step's counting `decay` times the next one's.

    At first it forgets faster, or the random initial weights would stay in it for 1 / (1 - decay) steps.
    """

    def mix(mean: Tensor, weight: Tensor, steps: Tensor | int) -> Tensor:
        return torch.lerp(mean, weight, 1 - min(decay, (1 + int(steps)) / (10 + int(steps))))

    return WeightAveraging(use_buffers=False, avg_fn=mix)


def compile_encoder(learner: LineLearner) -> None:
    """Let torch compile the encoder, once for each width of a batch; the weights keep their names."""
    torch._dynamo.config.recompile_limit = MAX_GRAPHS
    learner.model.line_cnn.scan = torch.compile(learner.model.line_cnn.scan, dynamic=False)  # type: ignore[method-assign]


def _trainer(machine: Machine, **options: Any) -> pl.Trainer:
    try:
        return pl.Trainer(**options)
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        asked = f"accelerator {machine.accelerator}, devices {machine.devices}, strategy {machine.strategy}"
        raise UserError(f"this machine cannot do what params.yaml's machine says ({asked}): {reason(error)}") from None


def train(params: Params, lines: Path, lines_sha256: str, checkpoints: Path, live: Path, out: Path) -> bool:
    """Train and write the weights of the best validation CER; of several processes, the first one writes.

    Args:
        params: the network, the training and the machine.
        lines: the file of lines.
        lines_sha256: its hash, to be told in the model file.
        checkpoints: folder for this run's checkpoint; one that lies there is gone on from.
        live: folder for DVCLive's metrics.
        out: the model file to write.

    Returns:
        Whether this is the process that wrote.

    Raises:
        UserError: the file of lines is missing, damaged or of another alphabet; the checkpoint is damaged; the loss is
            no number; the machine is not as `params.machine` says.
    """
    pl.seed_everything(params.train.seed, verbose=False)
    machine = params.machine
    memory.keep_freed()
    data = LinesDataModule(lines, params.model, params.train, machine.workers, on_gpu(machine))
    learner = LineLearner(params.model, params.train, data.train.max_length, data.total_steps())
    if machine.compile:
        compile_encoder(learner)
    checkpoint = ModelCheckpoint(
        checkpoints, "last", save_top_k=1, save_on_train_epoch_end=True, enable_version_counter=False
    )
    history = History(live)
    callbacks: list[Callback] = [history, checkpoint, ModelSummary(max_depth=-1)]
    if params.train.ema_decay > 0:
        callbacks.append(ema(params.train.ema_decay))  # behind `history`, which sees the mean before it is swapped back
    if params.train.early_stopping_patience is not None:
        callbacks.append(EarlyStopping("val_cer", patience=params.train.early_stopping_patience))
    trainer = _trainer(
        machine,
        accelerator=machine.accelerator,
        devices=machine.devices,
        num_nodes=machine.num_nodes,
        strategy=machine.strategy,
        precision=precision(params.train.precision, machine),
        benchmark=on_gpu(machine),  # widths are few, so cuDNN's choice for each pays
        max_epochs=params.train.max_epochs,
        gradient_clip_val=params.train.gradient_clip,
        check_val_every_n_epoch=params.train.validate_every,
        callbacks=callbacks,
        logger=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # BucketSampler shares the lines out
        reload_dataloaders_every_n_epochs=1,  # each epoch has its own batches
    )
    last = checkpoints / "last.ckpt"
    resume = last if last.exists() else None
    if resume is not None:
        _require_sound(resume)
        print(f"going on from {last}", flush=True)
    trainer.fit(learner, data, ckpt_path=resume, weights_only=True)
    if trainer.is_global_zero:
        history.finish(data.train.source, trainer.precision)
        about = ModelFile(params.model, params.train, data.train.max_length, data.train.source, lines_sha256)
        model_file.save(out, history.best_weights, about)
    if torch.distributed.is_initialized():
        torch.distributed.barrier()  # nobody leaves before the model is written
        torch.distributed.destroy_process_group()  # or its threads may abort a process that ends
    return bool(trainer.is_global_zero)


def _require_sound(checkpoint: Path) -> None:
    try:
        content = torch.load(checkpoint, map_location="cpu", weights_only=True)
        missing = [name for name in ("state_dict", "loops", "callbacks", "optimizer_states") if name not in content]
        if missing:
            raise ValueError(f"it has no {missing[0]}")
    except (*UNREADABLE, pickle.UnpicklingError) as error:
        raise UserError(f"{checkpoint} is damaged ({reason(error)}); delete it to train from the start") from None
