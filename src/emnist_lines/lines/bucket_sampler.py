"""Which lines make a batch: lines of similar width, the same for the same seed and epoch."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from emnist_lines.common.errors import UserError


class MicroBatch(NamedTuple):
    """Lines that are computed at once: a batch, or a part of one whose gradients are added up.

    Attributes:
        indices: where the lines stand in their split.
        batch: the indices of the whole batch, over all processes.
        epoch: from 0; each sees other variations of the glyphs.
    """

    indices: list[int]
    batch: list[int]
    epoch: int = 0


class BucketSampler(Sampler[MicroBatch]):
    """Batches of lines of similar width.

    Lines are shuffled and divided among as many epochs as a pass over them takes, each line once per pass. The lines of
    an epoch are sorted by width and cut into batches of equal size (to within one line), and the batches are shuffled.
    Of several processes each takes its share of every batch, so that together they see what one would. All batches of
    an epoch come in the same number of micro-batches, each of lines of similar width, in all processes.
    """

    def __init__(
        self,
        widths: NDArray[np.int32],
        batch_size: int,
        *,
        micro_batches: int = 1,
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
            micro_batches: how many a batch comes in; fewer if a batch has fewer lines.
            lines_per_epoch: the most lines of an epoch; None: all.
            members: (N,) which lines take part; None: all. If that leaves fewer than there are processes, all do.
            seed: shuffles; None keeps the lines sorted by width.
            epoch: from 0.
            rank: which of the processes this is …
            world_size: … of how many.

        Raises:
            UserError: an epoch has fewer lines than there are processes.
        """
        index = np.arange(len(widths)) if members is None else np.flatnonzero(members)
        if len(index) < world_size:
            index = np.arange(len(widths))
        epochs_per_pass = -(-len(index) // (lines_per_epoch or len(index)))
        if seed is not None:
            np.random.default_rng([seed, epoch // epochs_per_pass]).shuffle(index)
        index = index[epoch % epochs_per_pass :: epochs_per_pass]
        if len(index) < world_size:
            raise UserError(f"an epoch of {len(index)} lines is too small for {world_size} processes; take fewer")
        index = index[np.argsort(widths[index], kind="stable")]
        count = min(-(-len(index) // batch_size), len(index) // world_size)  # a line of each batch for each process
        batches = [batch.tolist() for batch in np.array_split(index, count)]
        order = np.arange(count) if seed is None else np.random.default_rng([seed, epoch, 1]).permutation(count)
        self.batches: list[list[int]] = [batches[number] for number in order]
        self.micro_batches = min(micro_batches, *(len(batch) // world_size for batch in batches))
        self.epoch, self.rank, self.world_size = epoch, rank, world_size

    def __iter__(self) -> Iterator[MicroBatch]:
        for batch in self.batches:
            for part in np.array_split(batch[self.rank :: self.world_size], self.micro_batches):
                yield MicroBatch(part.tolist(), batch, self.epoch)

    def __len__(self) -> int:
        return len(self.batches) * self.micro_batches
