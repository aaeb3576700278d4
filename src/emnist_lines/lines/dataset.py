"""A split of the lines as a torch dataset. An item is a micro-batch of lines of similar width, rendered on request."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from emnist_lines.common.alphabet import PAD
from emnist_lines.common.errors import FileError
from emnist_lines.common.glyphs import read_glyphs
from emnist_lines.common.written import read_written
from emnist_lines.lines.bucket_sampler import BucketSampler, MicroBatch
from emnist_lines.lines.config import VariationConfig
from emnist_lines.lines.crop import HEIGHT, crop_width
from emnist_lines.lines.line_file import WRITTEN, path_of, read_lines
from emnist_lines.lines.render import render
from emnist_lines.lines.strokes import render_strokes
from emnist_lines.lines.variation import sample_amounts

VARIATION_STREAM = 1
"""Tells the random numbers of variation from others that have the same seed."""


class Batch(NamedTuple):
    """A micro-batch of lines.

    Attributes:
        images: (B, 28, W) uint8, white ink on black, cropped to the widest line.
        tokens: (B, T) long, cropped to the longest line; see `alphabet.frame`.
        widths: (B,) long, columns that each line's text takes.
        kinds: (B,) long, index into `line_file.KINDS`.
        indices: (B,) long, where the lines stand in their split.
        token_share: share of the whole batch's target tokens that are in this micro-batch.
        line_share: share of its lines.
    """

    images: Tensor
    tokens: Tensor
    widths: Tensor
    kinds: Tensor
    indices: Tensor
    token_share: float
    line_share: float


class LinesDataset(Dataset[Batch]):
    """One split of the lines.

    Attributes:
        tokens: (N, max_length) uint8.
        widths: (N,) int32, columns that each line's text takes.
        texts: what is written.
        known: (N,) bool, whether the text stands, word for word, in the documents of the train lines.
        kinds: (N,) uint8, index into `line_file.KINDS`.
        columns: of a whole image.
        lengths: (N,) int64, characters of each line.
        targets: (N,) int64, tokens of each line that a decoder has to find.
        ctc_windows: (N,) int64, windows that a CTC head needs: one per character, and a blank between equal ones.
        source: where the glyphs come from.
    """

    def __init__(
        self,
        data: Path,
        split: str,
        step: int | None = None,
        variation: VariationConfig | None = None,
        seed: int = 0,
    ) -> None:
        """
        Args:
            data: the folder of `glyphs.h5`, of `lines/` and, if there are written lines, of `written.h5`.
            split: train, val or test.
            step: images are cropped to a multiple of this many columns; None: not at all.
            variation: how much the glyphs of batches vary; None: not at all.
            seed: of the variation.

        Raises:
            FileError: a file is missing, damaged or of another format or alphabet.
        """
        path = path_of(Path(data), split)
        self.lines, self.source = read_lines(path)
        self.glyphs = read_glyphs(Path(data) / "glyphs.h5").images
        self.kinds = self.lines.kinds
        pieces = np.repeat(self.kinds == WRITTEN, np.diff(self.lines.starts))
        if self.lines.glyphs[~pieces].max(initial=-1) >= len(self.glyphs):
            raise FileError(path, "belongs to other glyphs")
        self.written = read_written(Path(data) / "written.h5") if pieces.any() else None
        if self.written and not 0 <= self.lines.glyphs[pieces].min() <= self.lines.glyphs[pieces].max() < len(
            self.written.texts
        ):
            raise FileError(path, "belongs to other written words")
        self.tokens, self.widths, self.known = self.lines.tokens, self.lines.widths, self.lines.known
        self.texts: list[str] = [text.decode() for text in self.lines.texts.tolist()]
        self.columns = self.lines.columns
        self.step = step or self.columns
        self.variation = variation if variation is not None and variation.any else None
        self.seed = seed
        self.max_length = self.tokens.shape[1]
        self.lengths = (self.tokens > PAD).sum(axis=1)
        self.targets = np.maximum((self.tokens != PAD).sum(axis=1) - 1, 0)
        repeated = (self.tokens[:, 1:] == self.tokens[:, :-1]) & (self.tokens[:, 1:] > PAD)
        self.ctc_windows = self.lengths + repeated.sum(axis=1)

    def image(self, index: int) -> NDArray[np.uint8]:
        """(28, width) uint8, white ink on black: one line as it is, its glyphs not varied."""
        return self._rendered(np.array([index]), int(self.widths[index]), None)[0]

    def examples(self, count: int) -> list[int]:
        """The first lines of each kind, one of each in turn, `count` of them or all."""
        rank = np.zeros(len(self), dtype=np.int64)
        for kind in np.unique(self.kinds):
            rank[self.kinds == kind] = np.arange((self.kinds == kind).sum())
        return np.argsort(rank, kind="stable")[:count].tolist()

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, micro_batch: MicroBatch) -> Batch:
        chosen = np.asarray(micro_batch.indices)
        crop = crop_width(int(self.widths[chosen].max()), self.columns, self.step)
        images = self._rendered(chosen, crop, micro_batch.epoch)
        tokens = self.tokens[chosen]
        tokens = tokens[:, : max(2, int((tokens != PAD).sum(axis=1).max()))]  # without <S> and <E> there may be but one
        return Batch(
            torch.from_numpy(images),
            torch.from_numpy(tokens.astype(np.int64)),
            torch.from_numpy(self.widths[chosen].astype(np.int64)),
            torch.from_numpy(self.kinds[chosen].astype(np.int64)),
            torch.from_numpy(chosen.astype(np.int64)),
            float(self.targets[chosen].sum() / max(1, self.targets[micro_batch.batch].sum())),
            len(micro_batch.indices) / len(micro_batch.batch),
        )

    def _rendered(self, chosen: NDArray[np.int64], columns: int, epoch: int | None) -> NDArray[np.uint8]:
        """(B, 28, columns) uint8: the lines' images, varied as in this epoch; None: as they are."""
        images = np.empty((len(chosen), HEIGHT, columns), dtype=np.uint8)
        strokes = self.kinds[chosen] == WRITTEN
        if not strokes.all():
            some = chosen[~strokes]
            images[~strokes] = render(self.lines, self.glyphs, some, columns, self._amounts(some, epoch))
        if self.written is not None and strokes.any():
            some = chosen[strokes]
            images[strokes] = render_strokes(self.lines, self.written, some, columns, self._amounts(some, epoch))
        return images

    def _amounts(self, chosen: NDArray[np.int64], epoch: int | None) -> NDArray[np.float32] | None:
        """By how much each character of these lines varies: the same in any batch, process and run."""
        if self.variation is None or epoch is None:
            return None
        counts = self.lines.starts[chosen + 1] - self.lines.starts[chosen]
        streams = ([self.seed, epoch, line, VARIATION_STREAM] for line in chosen.tolist())
        amounts = (
            sample_amounts((count,), self.variation, np.random.default_rng(stream))
            for count, stream in zip(counts.tolist(), streams, strict=True)
        )
        return np.concatenate(list(amounts))


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
