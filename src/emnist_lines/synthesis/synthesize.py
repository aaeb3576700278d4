"""Compose the lines of all splits and write the files of lines."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from emnist_lines.common.glyphs import Glyphs
from emnist_lines.lines.line_file import SPLITS, Lines, path_of, write_lines
from emnist_lines.synthesis.composer import Composer
from emnist_lines.synthesis.config import BLOCK, SynthesizeConfig
from emnist_lines.synthesis.documents import Document, write_documents
from emnist_lines.synthesis.shared_text import shares, stand_in
from emnist_lines.synthesis.splits import split_documents, split_glyphs
from emnist_lines.synthesis.statistics import statistics

TRAIN_DOCUMENTS = "train_documents.txt"


def composers(glyphs: Glyphs, documents: list[Document], config: SynthesizeConfig) -> dict[str, Composer]:
    """A composer for each split, with glyphs and documents that no other split has.

    With `shared_as_in_lab`, train and val use the glyphs of both, and all splits use all documents.

    Raises:
        UserError: there are too few glyphs or no short enough words.
    """
    index = split_glyphs(glyphs, config.split_fractions, _stream(config, 0))
    if config.shared_as_in_lab:
        index["train"] = index["val"] = np.union1d(index["train"], index["val"])
    text = split_text(documents, config)
    return {name: Composer(glyphs.labels, index[name], text[name], config) for name in SPLITS}


def split_text(documents: list[Document], config: SynthesizeConfig) -> dict[str, list[Document]]:
    """The documents of each split; all of them with `shared_as_in_lab`."""
    if config.shared_as_in_lab:
        return dict.fromkeys(SPLITS, documents)
    return split_documents(documents, config.split_fractions, _stream(config, 1))


def _stream(config: SynthesizeConfig, number: int) -> np.random.Generator:
    """Random numbers for splitting glyphs (0) and documents (1)."""
    return np.random.default_rng(np.random.SeedSequence([config.seed, 0]).spawn(2)[number])


def compose(composer: Composer, count: int, split: str, seed: int) -> Lines:
    """The lines of a split, a block at a time, each with a random stream spawned from the split's.

    A longer split therefore begins with the lines of a shorter one (but for its last block).
    """
    stream = np.random.SeedSequence([seed, 1 + SPLITS.index(split)])
    sizes = [min(BLOCK, count - start) for start in range(0, count, BLOCK)]
    blocks = []
    with tqdm(desc=f"{split} lines", total=count, unit="line", disable=None) as bar:
        for size, child in zip(sizes, stream.spawn(len(sizes)), strict=True):
            blocks.append(composer.compose(composer.sample(size, np.random.Generator(np.random.PCG64(child)))))
            bar.update(size)
    return _joined(blocks)


def _joined(blocks: list[Lines]) -> Lines:
    parts = {field.name: np.concatenate([getattr(block, field.name) for block in blocks]) for field in fields(Lines)}
    counts = np.concatenate([np.diff(block.starts) for block in blocks])
    return Lines(**{**parts, "starts": np.concatenate([[0], np.cumsum(counts)])})


def synthesize(glyphs: Glyphs, documents: list[Document], config: SynthesizeConfig, data: Path) -> dict[str, Any]:
    """Write the lines of each split, and the documents of the train lines, into the folder `data`.

    They are the same bytes on every run.

    Returns:
        Statistics of each split.

    Raises:
        UserError: there are too few glyphs or no short enough words.
    """
    totals = {"train": config.num_train, "val": config.num_val, "test": config.num_test}
    figures: dict[str, Any] = {"source": glyphs.source}
    of = composers(glyphs, documents, config)
    write_documents(split_text(documents, config)["train"], data / TRAIN_DOCUMENTS)
    train_texts = {b""}
    for split in SPLITS:
        lines = compose(of[split], totals[split], split, config.seed)
        lines = replace(lines, known=stand_in(lines.texts, of["train"].sampler))
        write_lines(lines, glyphs.source, path_of(data, split))
        figures[split] = statistics(lines)
        if split == "train":
            train_texts = set(lines.texts.tolist())
        else:
            figures[split]["shared_text"] = shares(lines, train_texts)
    return figures
