"""Lines in the proportions of handwriting, drawn in the size that handwriting is read in (see `lines.pitch`)."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.glyphs import SIZE
from emnist_lines.lines.line_file import NATURAL, NO_GLYPH, UNIT, Lines
from emnist_lines.lines.pitch import FINE, INK_ROWS, TOP, stretch
from emnist_lines.lines.render import TOGETHER, pen_amounts, render, strokes
from emnist_lines.synthesis.composer import Characters, Choices, Composer
from emnist_lines.synthesis.handwriting import INKED, JITTER, SIDE, WIDENED
from emnist_lines.synthesis.proportions import Hand, dotless, layout


@dataclass(frozen=True)
class _Page:
    """Lines whose ink takes INK_ROWS rows, in the proportions of their writing.

    Attributes:
        lefts, tops, rights, bottoms: (N, K) float64, edges of glyphs' whole squares; columns count from the line's
            first character on. A space takes all rows.
        slant: (N,) columns to the right per row upwards.
        pen: (N,) rows that a stroke takes.
    """

    lefts: NDArray[np.float64]
    tops: NDArray[np.float64]
    rights: NDArray[np.float64]
    bottoms: NDArray[np.float64]
    slant: NDArray[np.float64]
    pen: NDArray[np.float64]


def natural_lines(
    composer: Composer,
    choices: Choices,
    images: NDArray[np.uint8],
    inks: NDArray[np.int64],
    rng: np.random.Generator,
    varied: bool,
) -> Lines:
    """The lines of these choices in natural handwriting; `known` is False.

    Args:
        composer: of the split.
        choices: which texts and glyphs; their overlaps do not count.
        images: (G, 28, 28) uint8, all glyphs.
        inks: (G, 4) as `proportions.ink_boxes` returns them.
        rng: random numbers of the hands.
        varied: whether lines are drawn wider or narrower than they will be read, as train lines are.
    """
    count = len(choices.lengths)
    characters = composer.characters(choices)
    hand = Hand.sample(count, rng)
    wider = rng.uniform(*JITTER, count) if varied else np.ones(count)
    page = _page(characters, images, inks[characters.glyphs], hand, rng)
    first, last, wanted = _measured(composer, characters, page, images)
    room = SIZE * (composer.config.max_length - 2) - 2 * SIDE
    across = np.minimum(wanted * wider, room / (last - first))
    lines = _drawn(composer, characters, page, across, SIDE - first * across)
    widths = np.minimum(np.ceil((last - first) * across), room) + 2 * SIDE
    return replace(lines, widths=widths.astype(np.int32), kinds=np.full(count, NATURAL, dtype=np.uint8))


def _page(
    characters: Characters,
    images: NDArray[np.uint8],
    inks: NDArray[np.int64],
    hand: Hand,
    rng: np.random.Generator,
) -> _Page:
    """The lines as large as INK_ROWS rows let them be."""
    written = characters.glyphs != NO_GLYPH
    own, bare = np.zeros(written.shape, dtype=np.int64), np.zeros(written.shape, dtype=bool)
    ink = images[characters.glyphs[written]]
    own[written], bare[written] = strokes(ink), dotless(ink)
    left, bottom, right, top = np.moveaxis(layout(characters.classes, inks, bare, hand, rng), 2, 0)
    pens = np.rint(hand.pen[:, None] * UNIT).astype(np.int64)
    pixels = inks[..., 3] - inks[..., 1]
    scale = np.full((len(left), 1), float(INK_ROWS))
    for _ in range(3):  # how far the pen reaches beyond its letters depends on how large they are, and the reverse
        rows = (top - bottom) * scale / pixels  # that a pixel takes
        heights = np.maximum(np.rint(SIZE * rows), 1).astype(np.int64)
        grown = pen_amounts(pens, heights, own) / UNIT * rows
        upper = np.where(written, top * scale + grown, -np.inf).max(axis=1, keepdims=True)
        lower = np.where(written, bottom * scale - grown, np.inf).min(axis=1, keepdims=True)
        scale *= INK_ROWS / (upper - lower)
    upper *= INK_ROWS / (upper - lower)
    rows = np.where(written, (top - bottom) * scale / pixels, 1)
    columns = (right - left) * scale / (inks[..., 2] - inks[..., 0])
    lefts = left * scale - np.where(written, inks[..., 0] * columns, 0)
    tops = np.where(written, TOP + upper - top * scale - inks[..., 1] * rows, 0)
    rights = np.where(written, lefts + SIZE * columns, right * scale)
    return _Page(lefts, tops, rights, tops + SIZE * rows, hand.slant, hand.pen)


def _drawn(
    composer: Composer,
    characters: Characters,
    page: _Page,
    across: NDArray[np.float64],
    begin: NDArray[np.float64],
) -> Lines:
    """Lines drawn `across` (N,) times as wide as written, whose column 0 is then at `begin` (N,)."""
    edges = [page.lefts, page.tops, page.rights, page.bottoms]
    for side in (0, 2):
        edges[side] = begin[:, None] + edges[side] * across[:, None]
    left, top, right, bottom = (np.rint(edge[characters.inside]).astype(np.int64) for edge in edges)
    sizes = np.maximum(right - left, 1), np.maximum(bottom - top, 1)
    pens = np.stack([page.pen * np.clip(across, *WIDENED), page.pen], axis=1)
    return replace(
        composer.lines(characters, np.stack([left, top, *sizes], axis=1).astype(np.int16)),
        slants=np.rint(page.slant * across * UNIT).astype(np.int16),
        pens=np.rint(pens * UNIT).astype(np.int16),
    )


def _measured(
    composer: Composer, characters: Characters, page: _Page, images: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(N,) the first column of each line's ink, the one behind its last, and how many times wider it will be drawn."""
    count = len(page.slant)
    fine = np.full(count, float(FINE))
    aside = np.abs(page.slant) * INK_ROWS + SIDE  # that slant and pen may take on either side
    lines = _drawn(composer, characters, page, fine, aside * fine)
    ends = np.where(characters.inside, page.rights, -np.inf).max(axis=1)
    columns = np.ceil((ends + 2 * aside) * fine).astype(np.int64)
    first, last, wanted = aside * fine, columns - aside * fine, np.ones(count)
    order = np.argsort(columns, kind="stable")
    for start in range(0, count, TOGETHER):
        some = order[start : start + TOGETHER]
        for line, image in zip(some, render(lines, images, some, int(columns[some[-1]])), strict=True):
            mask = image >= INKED
            inked = np.flatnonzero(mask.any(axis=0))
            if len(inked):
                first[line], last[line] = inked[0], inked[-1] + 1
            wanted[line] = stretch(mask[TOP : TOP + INK_ROWS, round(first[line]) : round(last[line])])
    return first / fine - aside, last / fine - aside, wanted
