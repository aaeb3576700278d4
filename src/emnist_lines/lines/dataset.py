"""The lines that a network learns from and is tested on: HDF5 on disk → batches of lines of similar width.

Pixels are memory-mapped, so a split may be larger than memory, and only the columns a batch needs are read. The train
lines may go on in further files; see `shards`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from emnist_lines.common.alphabet import PAD, SYMBOLS
from emnist_lines.common.errors import UserError
from emnist_lines.common.files import UNREADABLE
from emnist_lines.common.params import Model, Train
from emnist_lines.lines.line_file import damaged, files
from emnist_lines.network.line_cnn import COLUMNS_PER_STEP, HEIGHT, crop_width


class Piece(NamedTuple):
    """Lines that are computed at once: a batch, or a part of one whose gradients are added up.

    Attributes:
        indices: where the lines stand in their split.
        batch: the indices of the whole batch, of all processes.
    """

    indices: list[int]
    batch: list[int]


class Batch(NamedTuple):
    """Some lines of similar width, a batch or a piece of one.

    Attributes:
        images: (B, 28, W) uint8, white ink on black, cropped to the widest line.
        tokens: (B, T) long, cropped to the longest line; see `alphabet.frame`.
        widths: (B,) long, columns that each line's text takes.
        indices: (B,) long, where the lines stand in their split.
        token_share: how many of the whole batch's target tokens are in this piece.
        line_share: how many of its lines.
    """

    images: Tensor
    tokens: Tensor
    widths: Tensor
    indices: Tensor
    token_share: float
    line_share: float


@dataclass
class _Pixels:
    """Images in an HDF5 file, mapped into memory by each process that reads them."""

    path: Path
    offset: int
    shape: tuple[int, int, int]
    _map: NDArray[np.uint8] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_map": None}

    @property
    def map(self) -> NDArray[np.uint8]:
        if self._map is None:
            self._map = np.memmap(self.path, np.uint8, "r", self.offset, self.shape)
        return self._map


def crop_step(model: Model, wanted: int = COLUMNS_PER_STEP) -> int | None:
    """The step that lines are cropped to; None (no crop) for a network that would look at the paper behind them."""
    return wanted if model.mask_padding else None


class LinesDataset(Dataset[Batch]):
    """One split of a file of lines; an item is a batch or a piece of one."""

    def __init__(self, path: Path, split: str, step: int | None) -> None:
        """
        Args:
            path: the HDF5 file.
            split: train, val or test.
            step: images are cropped to a multiple of this many columns; None: not at all.

        Raises:
            UserError: a file is missing, damaged or of another alphabet.
        """
        parts = [self._open(file, split) for file in (files(path) if split == "train" else [path])]
        tokens, widths, texts, self.pixels, sources = zip(*parts, strict=True)
        self.source: str = sources[0]
        try:
            self.tokens: NDArray[np.uint8] = np.concatenate(tokens)
        except ValueError as error:
            raise damaged(path, split, error) from None
        self.widths: NDArray[np.int32] = np.concatenate(widths)
        self.texts: list[str] = [text for part in texts for text in part]
        self.ends = np.cumsum([len(part) for part in tokens])
        """(files,) where each one's lines end."""
        self.columns = self.pixels[0].shape[2]
        self.step = step or self.columns
        self.max_length = self.tokens.shape[1]
        self.lengths = (self.tokens > PAD).sum(axis=1)
        """(N,) characters of each line."""
        self.targets = np.maximum((self.tokens != PAD).sum(axis=1) - 1, 0)
        """(N,) tokens of each line that a decoder has to find."""

    @staticmethod
    def _open(path: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int32], list[str], _Pixels, str]:
        try:
            with h5py.File(path, "r") as file:
                alphabet, source = json.loads(file.attrs["alphabet"]), str(file.attrs["source"])
                group = file[split]
                tokens, widths = group["tokens"][:], group["widths"][:]
                texts = [text.decode() for text in group["texts"][:].tolist()]
                images = group["images"]
                offset, shape, kind = images.id.get_offset(), images.shape, images.dtype
                bytes_needed = offset + int(np.prod(shape))
        except UNREADABLE as error:
            raise damaged(path, split, error) from None
        fits = len(shape) == 3 and shape[:2] == (len(tokens), HEIGHT) and kind == np.uint8
        if tuple(alphabet) != SYMBOLS or not fits or path.stat().st_size < bytes_needed:
            raise UserError(f"{path} holds lines of another format; remake it with `dvc repro -f synthesize`")
        return tokens, widths, texts, _Pixels(path, offset, shape), source

    def image(self, index: int) -> NDArray[np.uint8]:
        """(28, W) of one line, its paper behind the text included, as it lies in its file."""
        part = int(np.searchsorted(self.ends, index, side="right"))
        return self.pixels[part].map[index - (int(self.ends[part - 1]) if part else 0)]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, piece: Piece) -> Batch:
        chosen = np.asarray(piece.indices)
        crop = crop_width(int(self.widths[chosen].max()), self.columns, self.step)
        tokens = self.tokens[chosen]
        tokens = tokens[:, : max(2, int((tokens != PAD).sum(axis=1).max()))]  # without <S> and <E> there may be but one
        return Batch(
            torch.from_numpy(np.stack([self.image(index)[:, :crop] for index in chosen])),
            torch.from_numpy(tokens.astype(np.int64)),
            torch.from_numpy(self.widths[chosen].astype(np.int64)),
            torch.from_numpy(chosen.astype(np.int64)),
            float(self.targets[chosen].sum() / max(1, self.targets[piece.batch].sum())),
            len(piece.indices) / len(piece.batch),
        )


class BucketSampler(Sampler[Piece]):
    """Batches of lines of similar width: the same for the same seed and epoch.

    Lines are shuffled and dealt to as many epochs as a pass over them takes, each line once per pass. An epoch's are
    sorted by width, cut into batches of equal size (to within one line), and the batches are shuffled. Each of
    several processes takes its share of every batch, so that together they see what one would. All batches of an epoch
    come in the same number of pieces, each of lines of similar width, in all processes.
    """

    def __init__(
        self,
        widths: NDArray[np.int32],
        batch_size: int,
        *,
        pieces: int = 1,
        lines_per_epoch: int | None = None,
        members: NDArray[np.bool_] | None = None,
        seed: int | None = None,
        epoch: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """
        Args:
            widths: (N,) columns of each line.
            batch_size: lines of a batch, over all processes.
            pieces: how many pieces a batch comes in; fewer where it has fewer lines.
            lines_per_epoch: the most lines of an epoch; None: all.
            members: (N,) which lines take part; None: all. Where it leaves fewer than there are processes, all do.
            seed: shuffles; None keeps the lines sorted by width.
            epoch: which one it is, from 0.
            rank: which of the processes this is …
            world_size: … of how many.

        Raises:
            UserError: an epoch has fewer lines than there are processes.
        """
        index = np.arange(len(widths)) if members is None else np.flatnonzero(members)
        if len(index) < world_size:
            index = np.arange(len(widths))
        parts = -(-len(index) // (lines_per_epoch or len(index)))
        if seed is not None:
            np.random.default_rng([seed, epoch // parts]).shuffle(index)
        index = index[epoch % parts :: parts]
        if len(index) < world_size:
            raise UserError(f"an epoch of {len(index)} lines is too small for {world_size} processes; take fewer")
        index = index[np.argsort(widths[index], kind="stable")]
        count = min(-(-len(index) // batch_size), len(index) // world_size)  # a line of each batch for each process
        batches = [batch.tolist() for batch in np.array_split(index, count)]
        order = np.arange(count) if seed is None else np.random.default_rng([seed, epoch, 1]).permutation(count)
        self.batches = [batches[number] for number in order]
        self.pieces = min(pieces, *(len(batch) // world_size for batch in batches))
        self.rank, self.world_size = rank, world_size

    def __iter__(self) -> Iterator[Piece]:
        for batch in self.batches:
            for part in np.array_split(batch[self.rank :: self.world_size], self.pieces):
                yield Piece(part.tolist(), batch)

    def __len__(self) -> int:
        return len(self.batches) * self.pieces


class LinesDataModule(pl.LightningDataModule):
    """Batches for training and validation."""

    def __init__(self, path: Path, model: Model, params: Train, workers: int, pin_memory: bool) -> None:
        """
        Args:
            path: the HDF5 file.
            model: whether lines may be cropped.
            params: how lines are batched.
            workers: processes that load batches; 0: none but this one.
            pin_memory: whether batches lie where a GPU fetches them fastest.

        Raises:
            UserError: the file is missing, damaged or of another alphabet.
        """
        super().__init__()
        self.params, self.workers, self.pin_memory = params, workers, pin_memory
        self.train = LinesDataset(path, "train", crop_step(model, params.bucket_width))
        self.val = LinesDataset(path, "val", crop_step(model))

    def train_sampler(self, epoch: int, rank: int = 0, world_size: int = 1) -> BucketSampler:
        """The batches of one epoch, of texts as short as the curriculum asks; the last epoch knows no such limit."""
        curriculum = self.params.curriculum[: self.params.max_epochs - 1]
        members = self.train.lengths <= curriculum[epoch] if epoch < len(curriculum) else None
        return BucketSampler(
            self.train.widths,
            self.params.batch_size,
            pieces=-(-self.params.batch_size // (self.params.micro_batch_size * world_size)),
            lines_per_epoch=self.params.lines_per_epoch,
            members=members,
            seed=self.params.seed,
            epoch=epoch,
            rank=rank,
            world_size=world_size,
        )

    def total_steps(self) -> int:
        """Optimizer steps of all epochs."""
        return sum(len(self.train_sampler(epoch).batches) for epoch in range(self.params.max_epochs))

    def train_dataloader(self) -> DataLoader[Batch]:
        trainer = self.trainer
        assert trainer is not None
        sampler = self.train_sampler(trainer.current_epoch, trainer.global_rank, trainer.world_size)
        trainer.accumulate_grad_batches = sampler.pieces  # a batch of few lines has fewer pieces than others
        return loader(self.train, sampler, self.workers, self.pin_memory)

    def val_dataloader(self) -> DataLoader[Batch]:
        trainer = self.trainer
        assert trainer is not None
        sampler = BucketSampler(
            self.val.widths, 4 * self.params.batch_size, rank=trainer.global_rank, world_size=trainer.world_size
        )
        return loader(self.val, sampler, self.workers, self.pin_memory)


def loader(dataset: LinesDataset, sampler: BucketSampler, workers: int, pin_memory: bool) -> DataLoader[Batch]:
    """A loader whose items are the sampler's batches."""
    return DataLoader(dataset, sampler=sampler, batch_size=None, num_workers=workers, pin_memory=pin_memory)
