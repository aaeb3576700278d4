"""A split of a file of lines as a torch dataset. An item is a micro-batch of lines of similar width.

Images are memory-mapped, so a split may be larger than memory, and only the columns that a batch needs are read.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from emnist_lines.common.alphabet import PAD
from emnist_lines.lines.bucket_sampler import BucketSampler, MicroBatch
from emnist_lines.lines.crop import crop_width
from emnist_lines.lines.line_file import read_lines


class Batch(NamedTuple):
    """A micro-batch of lines.

    Attributes:
        images: (B, 28, W) uint8, white ink on black, cropped to the widest line.
        tokens: (B, T) long, cropped to the longest line; see `alphabet.frame`.
        widths: (B,) long, columns that each line's text takes.
        indices: (B,) long, where the lines stand in their split.
        token_share: share of the whole batch's target tokens that are in this micro-batch.
        line_share: share of its lines.
    """

    images: Tensor
    tokens: Tensor
    widths: Tensor
    indices: Tensor
    token_share: float
    line_share: float


class LinesDataset(Dataset[Batch]):
    """One split of a file of lines.

    Attributes:
        tokens: (N, max_length) uint8.
        widths: (N,) int32, columns that each line's text takes.
        texts: what is written.
        lengths: (N,) int64, characters of each line.
        targets: (N,) int64, tokens of each line that a decoder has to find.
        ctc_windows: (N,) int64, windows that a CTC head needs: one per character, and a blank between equal ones.
        source: where the glyphs come from.
    """

    def __init__(self, path: Path, split: str, step: int | None) -> None:
        """
        Args:
            path: the HDF5 file.
            split: train, val or test.
            step: images are cropped to a multiple of this many columns; None: not at all.

        Raises:
            FileError: the file is missing, damaged or of another alphabet.
        """
        lines = read_lines(path, split)
        self.tokens, self.widths, self.texts = lines.tokens, lines.widths, lines.texts
        self.pixels, self.source = lines.pixels, lines.source
        self.columns = self.pixels.shape[2]
        self.step = step or self.columns
        self.max_length = self.tokens.shape[1]
        self.lengths = (self.tokens > PAD).sum(axis=1)
        self.targets = np.maximum((self.tokens != PAD).sum(axis=1) - 1, 0)
        repeated = (self.tokens[:, 1:] == self.tokens[:, :-1]) & (self.tokens[:, 1:] > PAD)
        self.ctc_windows = self.lengths + repeated.sum(axis=1)

    def image(self, index: int) -> NDArray[np.uint8]:
        """(28, W) uint8 of one line, with the paper behind the text."""
        return self.pixels.map[index]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, micro_batch: MicroBatch) -> Batch:
        chosen = np.asarray(micro_batch.indices)
        crop = crop_width(int(self.widths[chosen].max()), self.columns, self.step)
        tokens = self.tokens[chosen]
        tokens = tokens[:, : max(2, int((tokens != PAD).sum(axis=1).max()))]  # without <S> and <E> there may be but one
        return Batch(
            torch.from_numpy(np.stack([self.image(index)[:, :crop] for index in chosen])),
            torch.from_numpy(tokens.astype(np.int64)),
            torch.from_numpy(self.widths[chosen].astype(np.int64)),
            torch.from_numpy(chosen.astype(np.int64)),
            float(self.targets[chosen].sum() / max(1, self.targets[micro_batch.batch].sum())),
            len(micro_batch.indices) / len(micro_batch.batch),
        )


def data_loader(
    dataset: LinesDataset, sampler: BucketSampler, workers: int = 0, pin_memory: bool = False
) -> DataLoader[Batch]:
    """A loader of the sampler's micro-batches.

    Args:
        dataset: the lines.
        sampler: which lines, in which order.
        workers: processes that load batches; 0: none but this one.
        pin_memory: whether batches lie where a GPU fetches them fastest.
    """
    return DataLoader(dataset, sampler=sampler, batch_size=None, num_workers=workers, pin_memory=pin_memory)
