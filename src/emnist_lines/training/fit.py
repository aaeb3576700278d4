"""Train a recognizer on lines, with Lightning."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, ModelSummary, WeightAveraging
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch import Tensor

from emnist_lines.common.alphabet import START
from emnist_lines.common.console import on_terminal
from emnist_lines.common.errors import DAMAGED, Terminated, UserError, one_line, reading
from emnist_lines.common.machine import MachineConfig
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.network import model_file
from emnist_lines.network.config import ModelConfig
from emnist_lines.network.model_file import ModelCard
from emnist_lines.training.config import TrainConfig
from emnist_lines.training.data_module import LinesDataModule
from emnist_lines.training.history import History
from emnist_lines.training.lit_recognizer import LitRecognizer

MAX_GRAPHS = 64
"""Compiled encoders that are kept: one for each width and number of lines that batches come in."""


class EpochPlan(Callback):
    """What differs between epochs: how many micro-batches make a batch, and that the last epoch is validated too."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        loader: Any = trainer.train_dataloader
        trainer.accumulate_grad_batches = loader.sampler.micro_batches
        if trainer.current_epoch + 1 == trainer.max_epochs:
            trainer.check_val_every_n_epoch = 1


class MovingAverage(WeightAveraging):
    """An exponential moving average of the weights, each optimizer step's counting `decay` times the next one's.

    At first it forgets faster, or the random initial weights would stay in it for 1 / (1 - decay) steps.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(use_buffers=False, multi_avg_fn=self._mix)
        self.decay = decay
        self.steps = 0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Put the average where the network will be: at this point the network is still on the CPU."""
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)

    def on_train_batch_end(self, trainer: pl.Trainer, *arguments: Any, **named: Any) -> None:
        self.steps = trainer.global_step - 1  # a number here, so that no step waits for a GPU to tell it
        super().on_train_batch_end(trainer, *arguments, **named)

    def _mix(self, mean: list[Tensor], weights: list[Tensor], steps: Tensor | int) -> None:
        torch._foreach_lerp_(mean, weights, 1 - min(self.decay, (1 + self.steps) / (10 + self.steps)))


def fit(
    model: ModelConfig,
    config: TrainConfig,
    machine: MachineConfig,
    data: Path,
    data_sha256: dict[str, str],
    checkpoints: Path,
    live: Path,
    out: Path,
) -> bool:
    """Train, and write the weights of the best validation CER. Of several processes, the first one writes.

    Args:
        model: the network.
        config: how it is trained.
        machine: where.
        data: the folder of all data; see `LinesDataset`.
        data_sha256: the hash of each of its files, for the model file's provenance.
        checkpoints: folder of this run's checkpoints. If there is one of the last epoch, training continues from it.
        live: folder for DVCLive's metrics.
        out: the model file to write.

    Returns:
        Whether this is the process that wrote.

    Raises:
        UserError: a file of data, or the model to start from, is missing, damaged or of another alphabet; that model
            is another network; a checkpoint is damaged; the loss is not finite; the machine is not as `machine` says.
    """
    pl.seed_everything(config.seed, verbose=False)
    lines = LinesDataModule(data, model, config, machine.workers, on_gpu(machine))
    kinds = tuple(np.unique(lines.val.kinds).tolist())
    lit = LitRecognizer(
        model, config, lines.train.max_length, sum(lines.steps()), kinds=kinds if len(kinds) > 1 else ()
    )
    if config.start_from is not None:
        start_from(Path(config.start_from), lit, model)
    if machine.compile:
        compile_encoder(lit)
    if config.ctc_weight > 0:
        _tell_of_narrow_lines(lines.train, lit)
    options: dict[str, Any] = {"dirpath": checkpoints, "save_top_k": 1, "enable_version_counter": False}
    best = ModelCheckpoint(filename="best", monitor="val_cer", save_on_train_epoch_end=False, **options)
    last = ModelCheckpoint(filename="last", save_on_train_epoch_end=True, **options)
    history = History(live)
    callbacks: list[Callback] = [history, best, last, EpochPlan(), ModelSummary(max_depth=-1)]
    if config.ema_decay > 0:
        callbacks.append(MovingAverage(config.ema_decay))
    if config.early_stopping_patience is not None:
        callbacks.append(EarlyStopping("val_cer", patience=config.early_stopping_patience))
    trainer = _trainer(
        machine,
        accelerator=accelerator(machine.accelerator, config.ctc_weight),
        devices=machine.devices,
        num_nodes=machine.num_nodes,
        strategy=machine.strategy,
        precision=precision(config.precision, machine),
        benchmark=on_gpu(machine),  # widths are few, so cuDNN's choice for each pays
        max_epochs=config.max_epochs,
        gradient_clip_val=config.gradient_clip,
        check_val_every_n_epoch=config.validate_every,
        callbacks=callbacks,
        enable_progress_bar=on_terminal(),
        logger=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # BucketSampler shares the lines out
        reload_dataloaders_every_n_epochs=1,  # each epoch has its own batches
    )
    resume = checkpoints / "last.ckpt" if (checkpoints / "last.ckpt").exists() else None
    if resume is not None:
        _read_checkpoint(resume, ("state_dict", "loops", "callbacks", "optimizer_states"))
        print(f"continuing from {resume}", flush=True)
    if trainer.is_global_zero:
        where = f"{trainer.strategy.root_device}, {trainer.world_size} process{'es' * (trainer.world_size > 1)}"
        print(f"training on {where}, precision {trainer.precision}", flush=True)
    try:
        trainer.fit(lit, lines, ckpt_path=resume, weights_only=True)
    except SIGTERMException:  # Lightning's own exit code would be 0
        raise Terminated("training was asked to end (SIGTERM); start it again to continue it") from None
    if trainer.is_global_zero:
        history.finish(lines.train.source, trainer.precision)
        weights = _read_checkpoint(checkpoints / "best.ckpt", ("state_dict",))["state_dict"]
        provenance = {
            "model": model.model_dump(),
            "train": config.model_dump(),
            "source": lines.train.source,
            "data_sha256": data_sha256,
        }
        with_tokens = bool((lines.train.tokens[:, 0] == START).all())
        card = ModelCard(model.architecture(), lines.train.max_length, with_tokens, config.label_smoothing, provenance)
        model_file.save(out, weights, card)
    if torch.distributed.is_initialized():
        torch.distributed.barrier()  # nobody leaves before the model is written
        torch.distributed.destroy_process_group()  # or its threads may abort a process that ends
    return bool(trainer.is_global_zero)


def start_from(path: Path, lit: LitRecognizer, model: ModelConfig) -> None:
    """Give a network, and its CTC head if both have one, the weights of a model file.

    Raises:
        UserError: the file is missing or damaged, or its network is another one.
    """
    recognizer, card = model_file.load(path)
    if card.architecture != model.architecture():
        raise UserError(
            f"{path} holds another network than params.yaml's section model describes; make them the same, "
            "or set train.start_from to null"
        )
    lit.model.load_state_dict(recognizer.network.state_dict())
    if lit.ctc_head is not None and recognizer.ctc_head is not None:
        lit.ctc_head.load_state_dict(recognizer.ctc_head.state_dict())


def accelerator(wanted: str, ctc_weight: float) -> str:
    """Lightning's name for the accelerator to train on. PyTorch has no CTC loss for MPS, Apple's GPUs.

    Raises:
        UserError: MPS is wanted, and a CTC loss.
    """
    only_mps = torch.backends.mps.is_available() and not torch.cuda.is_available()
    if ctc_weight == 0 or not (wanted == "mps" or (only_mps and wanted in ("auto", "gpu"))):
        return wanted
    if wanted == "auto":
        return "cpu"
    raise UserError(
        "Apple's GPUs (MPS) have no CTC loss; set machine.accelerator to cpu, or train.ctc_weight to 0 for no CTC head"
    )


def on_gpu(machine: MachineConfig) -> bool:
    """Whether Lightning will train on a CUDA GPU."""
    return machine.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()


def precision(wanted: str, machine: MachineConfig) -> Any:
    """Lightning's name for the precision to train in."""
    if wanted != "auto":
        return wanted
    if not on_gpu(machine):
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return "bf16-mixed" if native else "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"


def compile_encoder(lit: LitRecognizer) -> None:
    """Let torch compile the encoder, once for each width of a batch; the weights keep their names."""
    torch._dynamo.config.recompile_limit = MAX_GRAPHS
    lit.model.line_cnn.scan = torch.compile(lit.model.line_cnn.scan, dynamic=False)  # type: ignore[method-assign]


def _tell_of_narrow_lines(train: LinesDataset, lit: LitRecognizer) -> None:
    """Print how many lines have fewer windows than the CTC loss needs; it counts 0 for them."""
    windows = lit.model.line_cnn.valid_windows(torch.from_numpy(train.widths))
    narrow = int((windows.numpy() < train.ctc_windows).sum())
    if narrow:
        print(
            f"{narrow} of {len(train)} train lines have fewer windows than their text needs, so that the CTC loss "
            "leaves them out; a smaller model.window_stride or synthesize.max_overlap gives them more",
            flush=True,
        )


def _trainer(machine: MachineConfig, **options: Any) -> pl.Trainer:
    try:
        return pl.Trainer(**options)
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        asked = f"accelerator {machine.accelerator}, devices {machine.devices}, strategy {machine.strategy}"
        raise UserError(
            f"this machine cannot do what params.yaml's machine says ({asked}): {one_line(error)}"
        ) from None


def _read_checkpoint(path: Path, needed: tuple[str, ...]) -> dict[str, Any]:
    """The content of a checkpoint.

    Raises:
        FileError: it is missing or damaged.
    """
    with reading(path, "checkpoint", (*DAMAGED, pickle.UnpicklingError), "delete it to train from the start"):
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        for name in needed:
            if name not in content:
                raise ValueError(f"it has no {name}")
    return content
