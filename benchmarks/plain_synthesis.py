"""Lines composed one at a time from torch tensors, as the lab does: what synthesis is measured against.

The random numbers are those of the fast side in the same order, so both give the same.
"""

import math
from dataclasses import dataclass

import h5py
import numpy as np
import torch
from torch import Tensor

from emnist_lines.common.alphabet import CLASSES, encode, frame
from emnist_lines.common.glyphs import SIZE
from emnist_lines.synthesis.composer import Composer
from emnist_lines.synthesis.synthesize import Task


@dataclass(frozen=True)
class Material:
    """What lines are composed from: the text, and each character's glyphs, (n, 28, 28) uint8."""

    composer: Composer
    text: str
    glyphs: dict[str, Tensor]

    @classmethod
    def of(cls, composer: Composer) -> "Material":
        text = "".join((CLASSES + " ")[index] for index in composer.sampler.classes)
        ink = composer.ink.reshape(-1, SIZE, SIZE).swapaxes(1, 2)
        places = zip(CLASSES + " ", composer.offsets, composer.counts, strict=True)
        return cls(composer, text, {letter: torch.from_numpy(ink[at : at + count]) for letter, at, count in places})

    def texts(self, count: int, rng: np.random.Generator) -> list[str]:
        """Strings of whole words that fit into a line."""
        sampler = self.composer.sampler
        picks = [int(rng.integers(len(sampler.first))) for _ in range(count)]
        words = [math.floor(rng.random() * int(sampler.choices[pick])) for pick in picks]
        ends = [int(sampler.ends[int(sampler.first[pick]) + more]) for pick, more in zip(picks, words, strict=True)]
        return [self.text[int(sampler.starts[pick]) : end] for pick, end in zip(picks, ends, strict=True)]


def compose_lines(material: Material, count: int, rng: np.random.Generator) -> list[tuple[Tensor, Tensor]]:
    """Image (28, columns) uint8 and tokens (max_length,) long of each line, as `Composer` samples and composes them."""
    config, characters = material.composer.config, material.composer.max_characters
    letters = CLASSES + " \0"
    texts = material.texts(count, rng)
    choices = characters if config.fresh_glyph_per_character else len(letters)
    shares = [[rng.random() for _ in range(choices)] for _ in range(count)]
    joints = characters - 1 if config.overlap_varies_within_line else 1
    overlaps = [[rng.uniform(config.min_overlap, config.max_overlap) for _ in range(joints)] for _ in range(count)]
    lines = []
    for text, share, overlap in zip(texts, shares, overlaps, strict=True):
        image = torch.zeros(SIZE, SIZE * config.max_length, dtype=torch.int16)
        left = 0
        for place, character in enumerate(text):
            glyphs = material.glyphs[character]
            chosen = share[place] if config.fresh_glyph_per_character else share[letters.index(character)]
            image[:, left : left + SIZE] += glyphs[int(chosen * len(glyphs))]
            left += SIZE - int(overlap[min(place, joints - 1)] * SIZE)
        tokens = frame(encode(text), config.max_length, config.with_start_end_tokens)
        lines.append((torch.clamp(image, max=255).to(torch.uint8), torch.tensor(tokens)))
    return lines


def fill(group: h5py.Group, material: Material, tasks: list[Task]) -> None:
    """As `synthesize.fill`, images and tokens alone."""
    lines: list[tuple[Tensor, Tensor]] = []
    for where, rng in tasks:
        lines += compose_lines(material, where.stop - where.start, rng)
    group["images"] = torch.stack([image for image, _ in lines]).numpy()
    group["tokens"] = torch.stack([tokens for _, tokens in lines]).to(torch.uint8).numpy()
