"""Lines of what people wrote: texts, neighbouring words, words set side by side; each line by one person."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import encode, frame
from emnist_lines.common.errors import UserError
from emnist_lines.common.written import TEXT, Written
from emnist_lines.lines.line_file import SPLITS, Lines
from emnist_lines.synthesis.config import SynthesizeConfig
from emnist_lines.synthesis.written_items import Ink, rows
from emnist_lines.synthesis.written_layout import lay_out

SORTS = ("text", "neighbours", "joined", "word")
"""A text of one line; words of a sheet in their own places; words of a person side by side; one word."""
WRITERS, LEAST = 40, 1500
"""People and lines that val and test have at least, if there are that many."""
ALONE = 0.2
"""Share of the words that are no one's neighbours which stay alone."""
SPACE = (0.8, 1.8)
"""Paper between words set side by side, in heights of small letters or, if these are wide apart, in letters."""
APART = 1.5
"""Times more of it between two single characters, which might be of one number otherwise."""


@dataclass(frozen=True)
class Draft:
    """A line before it has its size.

    Attributes:
        pieces: items, left to right.
        boxes: (pieces, 4) left, top, right, bottom of each one's points, y down, in units of the person's tablet.
        sort: index into SORTS.
    """

    pieces: list[int]
    boxes: NDArray[np.float64]
    sort: int


def split_writers(written: Written, rng: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """People for each split, disjoint: test and val have `WRITERS` or more, with items for `LEAST` lines.

    Raises:
        UserError: there are fewer than three.
    """
    people, items = np.unique(written.writers, return_counts=True)
    if len(people) < len(SPLITS):
        raise UserError(f"the written words are of {len(people)} people, too few for {len(SPLITS)} splits")
    order = rng.permutation(len(people))
    most = max(1, min(len(people) // len(SPLITS), max(WRITERS, len(people) // 10)))
    # some five items make two lines
    end = {}
    start = 0
    for split in ("test", "val"):
        stop = start + most
        while stop - start < len(people) // len(SPLITS) and items[order[start:stop]].sum() < 2.5 * LEAST:
            stop += 1
        end[split] = people[np.sort(order[start:stop])].astype(np.int64)
        start = stop
    return {"train": people[np.sort(order[start:])].astype(np.int64), "val": end["val"], "test": end["test"]}


def compose_written(
    written: Written,
    writers: NDArray[np.int64],
    count: int,
    config: SynthesizeConfig,
    rng: np.random.Generator,
    varied: bool,
) -> tuple[Lines, NDArray[np.uint8]]:
    """Lines of some people's items, in random order.

    Args:
        written: all items.
        writers: these people.
        count: lines.
        config: how long lines may be.
        rng: decides.
        varied: as train lines are; words are put together anew as often as it takes. Otherwise each item is used once,
            and there are no more lines than that gives.

    Returns:
        The lines; whether other splits know their texts is not told: `known` is False. (N,) uint8, the sort of each.
    """
    ink = Ink.of(written)
    most = config.max_length - (2 if config.with_start_end_tokens else 0)
    items = np.flatnonzero(np.isin(written.writers, writers) & (ink.lengths <= most))
    if len(items) == 0:
        raise UserError(f"no written word has at most {most} characters; raise synthesize.max_length")
    drafts = _pass(written, ink, items, most, rng)
    while varied and len(drafts) < count:
        drafts += _pass(written, ink, items, most, rng)
    drafts = drafts[:count]
    texts = [b" ".join(written.texts[piece] for piece in draft.pieces) for draft in drafts]
    tokens = np.array(
        [frame(encode(text.decode()), config.max_length, config.with_start_end_tokens) for text in texts],
        dtype=np.uint8,
    )
    lines = lay_out(
        written,
        [draft.pieces for draft in drafts],
        [draft.boxes for draft in drafts],
        texts,
        tokens,
        rng if varied else None,
    )
    return lines, np.array([draft.sort for draft in drafts], dtype=np.uint8)


def _pass(written: Written, ink: Ink, items: NDArray[np.int64], most: int, rng: np.random.Generator) -> list[Draft]:
    """Lines that use each item once, in random order."""
    drafts = []
    for writer in np.unique(written.writers[items]):
        own = items[written.writers[items] == writer]
        texts = own[written.levels[own] == TEXT].tolist()
        drafts += [Draft([item], ink.boxes[[item]], 0) for item in texts]
        single: list[int] = []
        for row in rows(written, ink, own[written.levels[own] != TEXT]):
            for part in _parts(row, ink, most, rng):
                if len(part) > 1:
                    drafts.append(Draft(part, ink.boxes[part], 1))
                else:
                    single += part
        rng.shuffle(single)
        alone = round(ALONE * len(single))
        drafts += [Draft([item], ink.boxes[[item]], 3) for item in single[:alone]]
        for part in _parts(single[alone:], ink, most, rng, least=2):
            drafts.append(Draft(part, _side_by_side(part, ink, rng), 2 if len(part) > 1 else 3))
    return [drafts[number] for number in rng.permutation(len(drafts))]


def _parts(row: list[int], ink: Ink, most: int, rng: np.random.Generator, least: int = 1) -> list[list[int]]:
    """A row of words cut into lines: each time a number of words, uniform among those that fit, `least` if they do."""
    parts, start = [], 0
    while start < len(row):
        ends = np.cumsum(ink.lengths[row[start:]] + 1) - 1
        fit = max(1, int(np.searchsorted(ends, most, side="right")))
        size = int(rng.integers(min(least, fit), fit + 1))
        parts.append(row[start : start + size])
        start += size
    return parts


def _side_by_side(part: list[int], ink: Ink, rng: np.random.Generator) -> NDArray[np.float64]:
    """The boxes of words on one base line."""
    boxes, body = ink.boxes[part].copy(), float(np.median(ink.body[part]))
    boxes[:, [1, 3]] -= ink.base[part][:, None]
    widths = boxes[:, 2] - boxes[:, 0]
    letter = float(widths.sum() / ink.lengths[part].sum())
    gaps = rng.uniform(*SPACE, len(part)) * max(body, letter)
    single = ink.lengths[part] == 1
    gaps[:-1] *= np.where(single[:-1] & single[1:], APART, 1)
    boxes[:, 0] = np.cumsum(np.concatenate([[0], (widths + gaps)[:-1]]))
    boxes[:, 2] = boxes[:, 0] + widths
    return boxes
