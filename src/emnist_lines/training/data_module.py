"""Batches for training and validation."""

from pathlib import Path

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from emnist_lines.lines.bucket_sampler import BucketSampler
from emnist_lines.lines.dataset import Batch, LinesDataset, data_loader
from emnist_lines.network.config import ModelConfig
from emnist_lines.training.config import TrainConfig


class LinesDataModule(pl.LightningDataModule):
    """Batches for training and validation."""

    def __init__(
        self, data: Path, model: ModelConfig, config: TrainConfig, workers: int = 0, pin_memory: bool = False
    ) -> None:
        """
        Args:
            data: the folder of all data; see `LinesDataset`.
            model: whether lines may be cropped.
            config: how lines are batched.
            workers: processes that load batches; 0: none but this one.
            pin_memory: whether batches lie where a GPU fetches them fastest.

        Raises:
            FileError: a file is missing, damaged or of another format or alphabet.
        """
        super().__init__()
        self.config, self.workers, self.pin_memory = config, workers, pin_memory
        self.train = LinesDataset(data, "train", model.crop_step(config.bucket_width), config.variation, config.seed)
        self.val = LinesDataset(data, "val", model.crop_step())

    def train_sampler(self, epoch: int, rank: int = 0, world_size: int = 1) -> BucketSampler:
        """The batches of one epoch, of texts as short as the curriculum asks. The last epoch has no such limit."""
        curriculum = self.config.curriculum[: self.config.max_epochs - 1]
        members = self.train.lengths <= curriculum[epoch] if epoch < len(curriculum) else None
        return BucketSampler(
            self.train.widths,
            self.config.batch_size,
            micro_batches=-(-self.config.batch_size // (self.config.micro_batch_size * world_size)),
            lines_per_epoch=self.config.lines_per_epoch,
            members=members,
            seed=self.config.seed,
            epoch=epoch,
            rank=rank,
            world_size=world_size,
        )

    def steps(self) -> list[int]:
        """Optimizer steps of each epoch."""
        return [len(self.train_sampler(epoch).batches) for epoch in range(self.config.max_epochs)]

    def train_dataloader(self) -> DataLoader[Batch]:
        trainer = self.trainer
        assert trainer is not None
        sampler = self.train_sampler(trainer.current_epoch, trainer.global_rank, trainer.world_size)
        return data_loader(self.train, sampler, self.workers, self.pin_memory)

    def val_dataloader(self) -> DataLoader[Batch]:
        trainer = self.trainer
        assert trainer is not None
        size = 4 * self.config.batch_size
        sampler = BucketSampler(self.val.widths, size, rank=trainer.global_rank, world_size=trainer.world_size)
        return data_loader(self.val, sampler, self.workers, self.pin_memory)
