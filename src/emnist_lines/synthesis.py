"""Composing lines of text from single characters, and the HDF5 file of lines.

The method is the lab's EMNISTLines: glyphs side by side, each covering part of the one before. Lines are made a
block at a time with array operations, so that memory does not grow with their number.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from emnist_lines import text
from emnist_lines.alphabet import CLASSES, END, PAD, SPACE, START, SYMBOLS, encode
from emnist_lines.files import whole
from emnist_lines.glyphs import store
from emnist_lines.glyphs.store import SIZE, Glyphs
from emnist_lines.params import Synthesize

SPLITS = ("train", "val", "test")
BLOCK = 500
"""Lines composed at a time. Part of the format: each block has its own random stream."""
AREA = SIZE * SIZE
_TOKENS = np.array([*encode(CLASSES), SPACE, PAD], dtype=np.uint8)
NOTHING = len(_TOKENS) - 1
"""Behind a line's text, where characters are class indices."""


@dataclass(frozen=True)
class Block:
    """Some lines.

    Attributes:
        images: (N, 28, 28 · max_length) uint8, white ink on black.
        tokens: (N, max_length) uint8, see `alphabet.frame`.
        widths: (N,) int32, columns that hold ink or spaces.
        texts: (N,) UTF-8 bytes.
        overlaps: (N,) float32, mean share of a glyph that its successor covers; 0 for a single character.
    """

    images: NDArray[np.uint8]
    tokens: NDArray[np.uint8]
    widths: NDArray[np.int32]
    texts: NDArray[np.bytes_]
    overlaps: NDArray[np.float32]


class Composer:
    """Composes blocks of lines from one split's glyphs and documents."""

    def __init__(self, glyphs: Glyphs, documents: list[text.Document], params: Synthesize) -> None:
        self.params = params
        self.columns = SIZE * params.max_length
        self.max_characters = params.max_length - (2 if params.with_start_end_tokens else 0)
        self.sampler = text.Sampler.build(documents, self.max_characters)
        # Transposed, a glyph is one run of bytes in a (columns, 28) canvas. The last one is the space: no ink.
        blank = np.zeros((1, SIZE, SIZE), dtype=np.uint8)
        self.ink = np.concatenate([glyphs.images, blank]).swapaxes(1, 2).reshape(-1, AREA)
        counts = glyphs.counts()
        self.counts = np.array([*counts, 1])
        self.offsets = np.concatenate([[0], np.cumsum(counts)])

    def compose(self, count: int, rng: np.random.Generator) -> Block:
        """`count` lines."""
        starts, lengths = self.sampler.sample(count, rng)
        position = np.arange(self.max_characters)
        inside = position < lengths[:, None]
        reach = np.minimum(starts[:, None] + position, len(self.sampler.classes) - 1)
        classes = np.where(inside, self.sampler.classes[reach], NOTHING)
        glyph = self._choose(classes, rng)
        overlaps = self._overlaps(count, rng)
        advance = SIZE - (overlaps * SIZE).astype(np.int64)  # whole columns, as in the lab
        left = np.concatenate([np.zeros((count, 1), dtype=np.int64), np.cumsum(advance, axis=1)], axis=1)
        left = left[:, : self.max_characters]
        widths = left[np.arange(count), lengths - 1] + SIZE
        joints = inside[:, 1:]
        mean = (overlaps * joints).sum(axis=1) / np.maximum(joints.sum(axis=1), 1)
        return Block(
            self._paint(glyph, left, inside),
            self._tokens(classes, lengths),
            widths.astype(np.int32),
            _texts(classes, self.max_characters),
            mean.astype(np.float32),
        )

    def _choose(self, classes: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.int64]:
        """A glyph of each character's class."""
        if self.params.fresh_glyph_per_character:
            share = rng.random(classes.shape)
        else:
            share = np.take_along_axis(rng.random((len(classes), NOTHING + 1)), classes.astype(np.int64), axis=1)
        known = np.minimum(classes, text.SPACE_CLASS)
        return self.offsets[known] + (share * self.counts[known]).astype(np.int64)

    def _overlaps(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """(count, joints): the share of each glyph that its successor covers."""
        joints = self.max_characters - 1
        drawn = joints if self.params.overlap_varies_within_line else 1
        shares = rng.uniform(self.params.min_overlap, self.params.max_overlap, (count, drawn))
        return np.broadcast_to(shares, (count, joints))

    def _paint(self, glyph: NDArray[np.int64], left: NDArray[np.int64], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Add each glyph's ink where it stands; sums saturate at 255."""
        count = len(glyph)
        canvas = np.zeros(count * self.columns * SIZE, dtype=np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(canvas, AREA, writeable=True)
        corner = (np.arange(count)[:, None] * self.columns + left) * SIZE
        for position in range(int(inside.sum(axis=1).max())):
            lines = np.flatnonzero(inside[:, position])
            at = corner[lines, position]
            ink = self.ink[glyph[lines, position]]
            under = windows[at]
            np.minimum(ink, ~under, out=ink)  # ~ is 255 - x: what still fits
            windows[at] = under + ink
        return np.ascontiguousarray(canvas.reshape(count, self.columns, SIZE).swapaxes(1, 2))

    def _tokens(self, classes: NDArray[np.uint8], lengths: NDArray[np.int64]) -> NDArray[np.uint8]:
        ids = _TOKENS[classes]
        if not self.params.with_start_end_tokens:
            return ids
        tokens = np.full((len(ids), self.params.max_length), PAD, dtype=np.uint8)
        tokens[:, 0] = START
        tokens[:, 1:-1] = ids
        tokens[np.arange(len(ids)), lengths + 1] = END
        return tokens


def _texts(classes: NDArray[np.uint8], max_characters: int) -> NDArray[np.bytes_]:
    letters = np.frombuffer((CLASSES + " \0").encode(), dtype=np.uint8)[classes]
    return np.ascontiguousarray(letters).view(h5py.string_dtype("utf-8", max_characters))[:, 0]


def composers(glyphs: Glyphs, documents: list[text.Document], params: Synthesize) -> dict[str, Composer]:
    """A composer for each split, with glyphs and documents that no other split has.

    Raises:
        UserError: there are too few glyphs or no short enough words.
    """
    glyph_rng, text_rng = (np.random.default_rng(s) for s in np.random.SeedSequence([params.seed, 0]).spawn(2))
    glyph_split = store.split(glyphs, params.split_fractions, glyph_rng)
    text_split = text.split(documents, params.split_fractions, text_rng)
    return {name: Composer(glyph_split[name], text_split[name], params) for name in SPLITS}


def blocks(total: int, split: str, seed: int) -> list[tuple[slice, np.random.Generator]]:
    """Which lines each block holds, and the block's random stream, spawned from the split's."""
    stream = np.random.SeedSequence([seed, 1 + SPLITS.index(split)])
    starts = range(0, total, BLOCK)
    return [
        (slice(start, min(start + BLOCK, total)), np.random.Generator(np.random.PCG64(child)))
        for start, child in zip(starts, stream.spawn(len(starts)), strict=True)
    ]


def synthesize(glyphs: Glyphs, documents: list[text.Document], params: Synthesize, path: Path) -> dict[str, Any]:
    """Write the lines of all splits to `path`, the same bytes on every run, and return their statistics.

    Raises:
        UserError: there are too few glyphs or no short enough words.
    """
    totals = {"train": params.num_train, "val": params.num_val, "test": params.num_test}
    makers = composers(glyphs, documents, params)
    statistics: dict[str, Any] = {"source": glyphs.source}
    with whole(path) as part, h5py.File(part, "w") as file:
        file.attrs["alphabet"] = json.dumps(SYMBOLS)
        file.attrs["params"] = json.dumps(dataclasses.asdict(params), sort_keys=True)
        file.attrs["source"] = glyphs.source
        for split, maker in makers.items():
            total = totals[split]
            group = file.create_group(split)
            group.create_dataset("images", (total, SIZE, maker.columns), "u1")
            group.create_dataset("tokens", (total, params.max_length), "u1")
            group.create_dataset("widths", (total,), "<i4")
            group.create_dataset("texts", (total,), h5py.string_dtype("utf-8", maker.max_characters))
            group.create_dataset("overlaps", (total,), "<f4")
            with tqdm(desc=f"{split} lines", total=total, unit="line") as bar:
                for where, rng in blocks(total, split, params.seed):
                    block = maker.compose(where.stop - where.start, rng)
                    for field in dataclasses.fields(Block):
                        group[field.name][where] = getattr(block, field.name)
                    bar.update(where.stop - where.start)
            statistics[split] = _statistics(group)
    return statistics


def _statistics(group: h5py.Group) -> dict[str, Any]:
    """Figures about one split's lines. What is no headline is a list, which `dvc metrics` leaves out."""
    texts, overlaps = group["texts"][:], group["overlaps"][:]
    lengths = np.char.str_len(texts)
    characters = np.frombuffer(b"".join(texts.tolist()), dtype=np.uint8)
    counts = np.bincount(characters, minlength=128)
    return {
        "lines": len(texts),
        "characters": int(lengths.sum()),
        "distributions": [
            _distribution("characters of a line", lengths),
            _distribution("share of a glyph that the next one covers", overlaps[lengths > 1]),
            _distribution("columns of a line", group["widths"][:]),
        ],
        "lines_by_length": [
            {"length": length, "lines": count} for length, count in enumerate(np.bincount(lengths).tolist()) if length
        ],
        "count_by_character": [{"character": c, "count": int(counts[ord(c)])} for c in " " + CLASSES],
    }


def _distribution(of: str, values: NDArray[Any]) -> dict[str, str | float]:
    if len(values) == 0:
        return {"of": of}
    quantiles = np.quantile(values.astype(np.float64), [0, 0.1, 0.5, 0.9, 1])
    figures = dict(zip(("min", "10%", "median", "90%", "max"), quantiles, strict=True))
    figures["mean"] = values.mean(dtype=np.float64)
    return {"of": of, **{name: round(float(value), 4) for name, value in figures.items()}}
