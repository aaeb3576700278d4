"""Compose the lines of all splits and write the files of lines."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.common.written import Written
from emnist_lines.lines.line_file import NATURAL, SPLITS, WRITTEN, Lines, path_of, write_lines
from emnist_lines.synthesis.composer import Composer
from emnist_lines.synthesis.config import BLOCK, Mix, SynthesizeConfig
from emnist_lines.synthesis.documents import Document, write_documents
from emnist_lines.synthesis.natural import natural_lines
from emnist_lines.synthesis.proportions import ink_boxes
from emnist_lines.synthesis.shared_text import shares, stand_in
from emnist_lines.synthesis.splits import split_documents, split_glyphs
from emnist_lines.synthesis.statistics import statistics
from emnist_lines.synthesis.written_lines import SORTS, compose_written, split_writers

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
    """Random numbers for splitting glyphs (0), documents (1) and people (2)."""
    return np.random.default_rng(np.random.SeedSequence([config.seed, 0]).spawn(3)[number])


def compose(composer: Composer, count: int, split: str, seed: int) -> Lines:
    """The lines of a split as the lab composes them."""

    def block(size: int, rng: np.random.Generator) -> Lines:
        return composer.compose(composer.sample(size, rng))

    return _in_blocks(block, count, [seed, 1 + SPLITS.index(split)], f"{split} lines")


def compose_natural(composer: Composer, images: NDArray[np.uint8], count: int, split: str, seed: int) -> Lines:
    """The lines of a split in natural proportions."""
    inks = ink_boxes(images)

    def block(size: int, rng: np.random.Generator) -> Lines:
        return natural_lines(composer, composer.sample(size, rng), images, inks, rng, varied=split == "train")

    stream = [seed, 1 + SPLITS.index(split), NATURAL]
    return _in_blocks(block, count, stream, f"{split} lines in natural proportions")


def _in_blocks(block: Callable[[int, np.random.Generator], Lines], count: int, stream: list[int], title: str) -> Lines:
    """So many lines, a block at a time, each with random numbers of its own, spawned from the stream.

    A longer split therefore begins with the lines of a shorter one (but for its last block).
    """
    sizes = [min(BLOCK, count - start) for start in range(0, count, BLOCK)]
    blocks = []
    with tqdm(desc=title, total=count, unit="line", disable=None) as bar:
        for size, child in zip(sizes, np.random.SeedSequence(stream).spawn(len(sizes)), strict=True):
            blocks.append(block(size, np.random.default_rng(child)))
            bar.update(size)
    return _joined(blocks)


def _counts(total: int, mix: Mix, split: str) -> list[int]:
    """How many lines there are of each kind: shares of `total` for train, `total` of each with a share otherwise."""
    shares = (mix.lab, mix.natural, mix.written)
    if split != "train":
        return [total if share > 0 else 0 for share in shares]
    edges = np.rint(total * np.cumsum((0, *shares))).astype(int)
    return np.diff(edges).tolist()


def _joined(blocks: list[Lines]) -> Lines:
    if len(blocks) == 1:
        return blocks[0]
    parts = {field.name: np.concatenate([getattr(block, field.name) for block in blocks]) for field in fields(Lines)}
    counts = np.concatenate([np.diff(block.starts) for block in blocks])
    longest = blocks[0].tokens.shape[1]
    parts["texts"] = parts["texts"].astype(h5py.string_dtype("utf-8", longest))
    return Lines(**{**parts, "starts": np.concatenate([[0], np.cumsum(counts)])})


def synthesize(
    glyphs: Glyphs, documents: list[Document], config: SynthesizeConfig, data: Path, written: Written | None = None
) -> dict[str, Any]:
    """Write the lines of each split, and the documents of the train lines, into the folder `data`.

    They are the same bytes on every run.

    Args:
        glyphs: characters.
        documents: text to write with them.
        config: how lines are composed.
        data: the folder.
        written: words and texts by hand; None: there are none, and none are wanted.

    Returns:
        Statistics of each split.

    Raises:
        UserError: there are too few glyphs or people, or no short enough words.
    """
    totals = {"train": config.num_train, "val": config.num_val, "test": config.num_test}
    figures: dict[str, Any] = {"source": glyphs.source}
    of = composers(glyphs, documents, config)
    write_documents(split_text(documents, config)["train"], data / TRAIN_DOCUMENTS)
    writers = {}
    if config.mix.written > 0:
        if written is None:
            raise UserError("there are no written words; set synthesize.mix.written to 0")
        writers = split_writers(written, _stream(config, 2))
    train_texts = {b""}
    for split in SPLITS:
        lab, natural, by_hand = _counts(totals[split], config.mix, split)
        parts, sorts = [], None
        if lab:
            parts.append(compose(of[split], lab, split, config.seed))
        if natural:
            parts.append(compose_natural(of[split], glyphs.images, natural, split, config.seed))
        if by_hand and written is not None:
            rng = np.random.default_rng([config.seed, 1 + SPLITS.index(split), WRITTEN])
            found, sorts = compose_written(written, writers[split], by_hand, config, rng, varied=split == "train")
            parts.append(found)
        lines = _joined(parts)
        lines = replace(lines, known=stand_in(lines.texts, of["train"].sampler))
        write_lines(lines, glyphs.source, path_of(data, split))
        figures[split] = statistics(lines)
        if sorts is not None:
            figures[split]["written"] = {
                "people": len(writers[split]),
                **{name: int((sorts == number).sum()) for number, name in enumerate(SORTS)},
            }
        if split == "train":
            train_texts = set(lines.texts.tolist())
        else:
            figures[split]["shared_text"] = shares(lines, train_texts)
    return figures
