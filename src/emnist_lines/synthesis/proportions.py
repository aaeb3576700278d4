"""Where the ink of handwritten letters stands: their heights, their places on the base line, the gaps between them.

One unit is the height of the line's capitals; heights count upwards from the base line.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.synthesis.handwriting import PENS
from emnist_lines.synthesis.strings import SPACE_CLASS

INK = 64
"""Pixels above this are a glyph's ink, of 255."""
_WIDEST = 1.8
"""Times its height that a letter is wide, at most."""
_LEAST_GAP = -0.1


def ink_boxes(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(G, 4) left, top, right and bottom of the ink of glyphs (G, 28, 28); the whole square where there is none."""
    found = []
    for axis in (1, 2):
        ink = images.max(axis=axis) > INK
        found.append((ink.argmax(axis=1), ink.shape[1] - ink[:, ::-1].argmax(axis=1)))
    (left, right), (top, bottom) = found
    return np.stack([left, top, right, bottom], axis=1)


def dotless(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(K,) whether glyphs (K, 28, 28) are in one piece from top to bottom, as an i without its dot is."""
    ink = images.max(axis=2, initial=0) > INK
    return (ink[:, 1:] & ~ink[:, :-1]).sum(axis=1) + ink[:, 0] < 2


def _of_class(groups: dict[str, float], other: float) -> NDArray[np.float64]:
    """(64,) a number for each class, the space and what stands behind a text."""
    numbers = np.full(SPACE_CLASS + 2, other, dtype=np.float64)
    for letters, number in groups.items():
        numbers[[CLASSES.index(letter) for letter in letters]] = number
    return numbers


_SMALL = _of_class({"acegmnopqrsuvwxyz": 1}, 0) == 1
"""Letters whose upper edge is the line's x height."""
_DOTTED = _of_class({"ij": 1}, 0) == 1
_RISE = _of_class({"t": 0.85, "ij": 0.9}, 1)
_TAIL = _of_class({"gpqyj": 1}, 0)


@dataclass(frozen=True)
class Hand:
    """How each of some lines is written.

    Attributes:
        small: (N, 1) float64, height of small letters.
        depth: (N, 1) how far tails reach below the base line.
        wide: (N, 1) times wider than the glyphs that letters are.
        gap: (N, 1) between letters, in the mean.
        space: (N, 1) between words.
        climb: (N, 1) by how much the base line rises per unit.
        wave: (N, 3) height, length and begin of its slow wave.
        slant: (N,) units to the right per unit upwards.
        pen: (N,) rows of a line that a stroke takes.
    """

    small: NDArray[np.float64]
    depth: NDArray[np.float64]
    wide: NDArray[np.float64]
    gap: NDArray[np.float64]
    space: NDArray[np.float64]
    climb: NDArray[np.float64]
    wave: NDArray[np.float64]
    slant: NDArray[np.float64]
    pen: NDArray[np.float64]

    @classmethod
    def sample(cls, count: int, rng: np.random.Generator) -> "Hand":
        """The hands of `count` lines."""
        column = (count, 1)
        return cls(
            small=rng.uniform(0.5, 0.72, column),
            depth=rng.uniform(0.3, 0.5, column),
            wide=rng.uniform(0.75, 1.1, column),
            gap=rng.uniform(-0.04, 0.2, column),
            space=rng.uniform(0.45, 0.9, column),
            climb=rng.uniform(-0.02, 0.02, column),
            wave=rng.uniform((0, 4, 0), (0.05, 10, 1), (count, 3)),
            slant=np.clip(rng.normal(0.08, 0.15, count), -0.45, 0.45),
            pen=rng.uniform(*PENS, count),
        )


def layout(
    classes: NDArray[np.uint8],
    inks: NDArray[np.int64],
    bare: NDArray[np.bool_],
    hand: Hand,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Where the ink of each character goes: left, bottom, right, top, before the line is slanted.

    Args:
        classes: (N, K), see `composer.Characters`.
        inks: (N, K, 4) their glyphs' ink boxes.
        bare: (N, K) whether the glyphs are without a dot: then an i or j is a small letter.
        hand: how the lines are written.
        rng: random numbers of what differs from letter to letter.

    Returns:
        (N, K, 4) float64. A space has the columns of its gap.
    """
    shape = classes.shape
    size, width, gap, space, shift = (rng.uniform(-most, most, shape) for most in (0.06, 0.08, 0.05, 0.1, 0.03))
    top = np.where(_SMALL[classes] | (bare & _DOTTED[classes]), hand.small, _RISE[classes]) * (1 + size)
    bottom = -_TAIL[classes] * hand.depth * (1 + size)
    aspect = (inks[..., 2] - inks[..., 0]) / (inks[..., 3] - inks[..., 1])
    is_space = classes == SPACE_CLASS
    wide = np.minimum(aspect, _WIDEST) * (top - bottom) * hand.wide * (1 + width)
    wide = np.where(is_space, hand.space + space, wide)
    joint = ~is_space[:, :-1] & ~is_space[:, 1:]  # a space is the whole gap
    between = np.where(joint, np.maximum(hand.gap + gap[:, :-1], _LEAST_GAP), 0)
    left = np.cumsum(np.pad(wide[:, :-1] + between, ((0, 0), (1, 0))), axis=1)
    wave, length, begin = (hand.wave[:, one, None] for one in range(3))
    base = hand.climb * left + wave * np.sin(2 * np.pi * (left / length + begin)) + shift
    return np.stack([left, bottom + base, left + wide, top + base], axis=2)
