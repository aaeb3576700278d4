"""Lines composed one at a time: from torch tensors, as the lab does, or in the same loop from NumPy arrays.

What synthesis is measured against. The random numbers are those of the fast side in the same order, so all give the
same. Glyphs vary by the one function that there is for it, one at a time; the lab has nothing of the kind.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CLASSES, encode, frame
from emnist_lines.common.glyphs import SIZE
from emnist_lines.lines.config import VariationConfig
from emnist_lines.lines.dataset import VARIATION_STREAM
from emnist_lines.lines.line_file import NO_GLYPH, SPLITS
from emnist_lines.lines.variation import sample_amounts, vary
from emnist_lines.synthesis.composer import Composer
from emnist_lines.synthesis.config import BLOCK


@dataclass(frozen=True)
class Arrays:
    """Tensors or arrays.

    Attributes:
        of: one of a NumPy array or of a list.
        blank: zeros of a shape, int16.
        saturated: as uint8, at most 255.
        stack: several as one.
    """

    of: Callable[[Any], Any]
    blank: Callable[[tuple[int, int]], Any]
    saturated: Callable[[Any], Any]
    stack: Callable[[list[Any]], Any]


KINDS = {
    "torch": Arrays(
        torch.as_tensor,
        lambda shape: torch.zeros(shape, dtype=torch.int16),
        lambda image: torch.clamp(image, max=255).to(torch.uint8),
        torch.stack,
    ),
    "numpy": Arrays(
        np.asarray,
        lambda shape: np.zeros(shape, dtype=np.int16),
        lambda image: np.minimum(image, 255).astype(np.uint8),
        np.stack,
    ),
}


@dataclass(frozen=True)
class Material:
    """What lines are composed from: the text, and each character's glyphs, (n, 28, 28) uint8.

    `variation`: how much glyphs vary; None: not at all.
    """

    composer: Composer
    arrays: Arrays
    text: str
    glyphs: dict[str, Any]
    variation: VariationConfig | None

    @classmethod
    def of(
        cls, composer: Composer, images: NDArray[np.uint8], kind: str, variation: VariationConfig | None = None
    ) -> "Material":
        """The composer's material out of all glyphs (G, 28, 28) uint8, in arrays of a kind: torch or numpy."""
        text = "".join((CLASSES + " ")[index] for index in composer.sampler.classes)
        glyphs = {}
        for letter, at, count in zip(CLASSES + " ", composer.offsets, composer.counts, strict=True):
            index = composer.index[at : at + count]
            ink = images[index]
            ink[index == NO_GLYPH] = 0
            glyphs[letter] = KINDS[kind].of(ink)
        return cls(composer, KINDS[kind], text, glyphs, variation)

    def texts(self, count: int, rng: np.random.Generator) -> list[str]:
        """Strings of whole words that fit into a line."""
        sampler = self.composer.sampler
        picks = [int(rng.integers(len(sampler.first))) for _ in range(count)]
        words = [math.floor(rng.random() * int(sampler.choices[pick])) for pick in picks]
        ends = [int(sampler.ends[int(sampler.first[pick]) + more]) for pick, more in zip(picks, words, strict=True)]
        return [self.text[int(sampler.starts[pick]) : end] for pick, end in zip(picks, ends, strict=True)]


def blocks(material: Material, count: int, seed: int) -> Iterator[tuple[Any, Any]]:
    """The train lines of `synthesize.compose`, a block at a time: images (B, 28, columns) uint8, tokens (B, T) long."""
    sizes = [min(BLOCK, count - start) for start in range(0, count, BLOCK)]
    streams = np.random.SeedSequence([seed, 1 + SPLITS.index("train")]).spawn(len(sizes))
    for block, (size, stream) in enumerate(zip(sizes, streams, strict=True)):
        rng = np.random.Generator(np.random.PCG64(stream))
        images, tokens = zip(*_lines(material, block * BLOCK, size, rng), strict=True)
        yield material.arrays.stack(list(images)), material.arrays.stack(list(tokens))


def _lines(material: Material, first: int, count: int, rng: np.random.Generator) -> list[tuple[Any, Any]]:
    """Image (28, columns) uint8 and tokens (max_length,) long of each line, as `Composer` samples and composes them.

    The lines are those from number `first` on, and vary as in epoch 0.
    """
    config, characters, arrays = material.composer.config, material.composer.max_characters, material.arrays
    letters = CLASSES + " \0"
    texts = material.texts(count, rng)
    choices = characters if config.fresh_glyph_per_character else len(letters)
    shares = [[rng.random() for _ in range(choices)] for _ in range(count)]
    joints = characters - 1 if config.overlap_varies_within_line else 1
    overlaps = [[rng.uniform(config.min_overlap, config.max_overlap) for _ in range(joints)] for _ in range(count)]
    lines = []
    for number, (text, share, overlap) in enumerate(zip(texts, shares, overlaps, strict=True), first):
        amounts = _amounts(material.variation, number, len(text))
        image = arrays.blank((SIZE, SIZE * config.max_length))
        left = 0
        for place, character in enumerate(text):
            glyphs = material.glyphs[character]
            chosen = share[place] if config.fresh_glyph_per_character else share[letters.index(character)]
            glyph = glyphs[int(chosen * len(glyphs))]
            if amounts is not None and character != " ":
                glyph = arrays.of(_varied(np.asarray(glyph), amounts[place]))
            image[:, left : left + SIZE] += glyph
            left += SIZE - int(overlap[min(place, joints - 1)] * SIZE)
        tokens = frame(encode(text), config.max_length, config.with_start_end_tokens)
        lines.append((arrays.saturated(image), arrays.of(tokens)))
    return lines


def _amounts(variation: VariationConfig | None, line: int, count: int) -> NDArray[np.float32] | None:
    """By how much each character of a line varies in epoch 0, as `LinesDataset` draws it."""
    if variation is None:
        return None
    return sample_amounts((count,), variation, np.random.default_rng([0, 0, line, VARIATION_STREAM]))


def _varied(glyph: NDArray[np.uint8], amounts: NDArray[np.float32]) -> NDArray[np.uint8]:
    """One glyph (28, 28) after its variation, which takes columns first."""
    return vary(glyph.T.reshape(1, -1), amounts[None]).reshape(SIZE, SIZE).T
