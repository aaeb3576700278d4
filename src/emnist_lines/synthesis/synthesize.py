"""Compose the lines of all splits and write them into the file of lines.

Lines are made a block at a time, so that memory does not grow with their number and processes can share the work.
"""

import dataclasses
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from tqdm import tqdm

from emnist_lines.common.alphabet import SYMBOLS
from emnist_lines.common.files import atomic_write
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.synthesis.composer import Block, Composer
from emnist_lines.synthesis.config import BLOCK, SynthesizeConfig
from emnist_lines.synthesis.documents import Document
from emnist_lines.synthesis.splits import SPLITS, joined, split_documents, split_glyphs
from emnist_lines.synthesis.statistics import statistics

Task = tuple[slice, np.random.Generator]
"""Which lines a block holds, and its random stream."""


def composers(glyphs: Glyphs, documents: list[Document], config: SynthesizeConfig) -> dict[str, Composer]:
    """A composer for each split, with glyphs and documents that no other split has; the train glyphs are varied.

    With `shared_as_in_lab`, train and val use the glyphs of both, and all splits use all documents.

    Raises:
        UserError: there are too few glyphs or no short enough words.
    """
    glyph_rng, text_rng = (np.random.default_rng(s) for s in np.random.SeedSequence([config.seed, 0]).spawn(2))
    glyph_split = split_glyphs(glyphs, config.split_fractions, glyph_rng)
    text_split = split_documents(documents, config.split_fractions, text_rng)
    if config.shared_as_in_lab:
        glyph_split["train"] = glyph_split["val"] = joined(glyph_split["train"], glyph_split["val"])
        text_split = dict.fromkeys(SPLITS, documents)
    varied = {"train": config.train_variation}
    return {name: Composer(glyph_split[name], text_split[name], config, varied.get(name)) for name in SPLITS}


def blocks(total: int, split: str, seed: int) -> list[Task]:
    """Which lines each block holds, and the block's random stream, spawned from the split's."""
    stream = np.random.SeedSequence([seed, 1 + SPLITS.index(split)])
    starts = range(0, total, BLOCK)
    return [
        (slice(start, min(start + BLOCK, total)), np.random.Generator(np.random.PCG64(child)))
        for start, child in zip(starts, stream.spawn(len(starts)), strict=True)
    ]


def synthesize(
    glyphs: Glyphs, documents: list[Document], config: SynthesizeConfig, path: Path, processes: int = 1
) -> dict[str, Any]:
    """Write the lines of all splits to `path`, the same bytes on every run, however many processes compose.

    Returns:
        Statistics of each split.

    Raises:
        UserError: there are too few glyphs or no short enough words.
    """
    totals = {"train": config.num_train, "val": config.num_val, "test": config.num_test}
    figures: dict[str, Any] = {"source": glyphs.source}
    with atomic_write(path) as part, h5py.File(part, "w") as file:
        file.attrs["alphabet"] = json.dumps(SYMBOLS)
        file.attrs["params"] = json.dumps(config.model_dump(), sort_keys=True)
        file.attrs["source"] = glyphs.source
        for split, composer in composers(glyphs, documents, config).items():
            group = file.create_group(split)
            fill(group, composer, blocks(totals[split], split, config.seed), part, processes)
            figures[split] = statistics(group["texts"][:], group["overlaps"][:], group["widths"][:])
    return figures


def fill(group: h5py.Group, composer: Composer, tasks: list[Task], path: Path, processes: int) -> None:
    """Compose all blocks of a split. The process that composes a block writes its images straight into the file.

    Args:
        group: where the lines go; empty.
        composer: the split's.
        tasks: the split's `blocks`.
        path: the group's file.
        processes: how many share the blocks.
    """
    split, total = group.name.strip("/"), tasks[-1][0].stop
    columns = [group.create_dataset(name, (total, *shape), kind) for name, shape, kind in composer.layout()]
    for column in columns:
        column[:1] = np.zeros((1, *column.shape[1:]), column.dtype)  # gives it its place in the file
    group.file.flush()
    writer = _Writer(composer, path, group["images"].id.get_offset())
    with ExitStack() as stack:
        results: Iterator[tuple[slice, Block]]
        if processes == 1:
            results = map(writer, tasks)
        else:
            pool = ProcessPoolExecutor(processes, initializer=_work_for, initargs=(writer,))
            results = stack.enter_context(pool).map(_work, tasks)
        bar = stack.enter_context(tqdm(desc=f"{split} lines", total=total, unit="line", disable=None))
        for where, block in results:
            for name in ("tokens", "widths", "texts", "overlaps"):
                group[name][where] = getattr(block, name)
            bar.update(where.stop - where.start)


@dataclass(frozen=True)
class _Writer:
    """Composes a block, writes its images into the file at `path` and returns the rest of it."""

    composer: Composer
    path: Path
    offset: int

    def __call__(self, task: Task) -> tuple[slice, Block]:
        where, rng = task
        block = self.composer.compose(self.composer.sample(where.stop - where.start, rng))
        with self.path.open("r+b") as file:  # buffered, because a raw write may take a part and say nothing
            file.seek(self.offset + where.start * block.images[0].nbytes)
            file.write(block.images.data)
        return where, dataclasses.replace(block, images=block.images[:0])


_writer: _Writer | None = None
"""A worker process's own."""


def _work_for(writer: _Writer) -> None:
    global _writer
    _writer = writer


def _work(task: Task) -> tuple[slice, Block]:
    assert _writer is not None
    return _writer(task)
