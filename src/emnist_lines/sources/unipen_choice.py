"""Which of UNIPEN's words and texts are kept: those on one line, labelled as they were written."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CHARACTERS
from emnist_lines.common.written import TEXT, WORD
from emnist_lines.sources.unipen_format import Component, Segment, strokes_of

LEFT_OUT = frozenset(("att", "atu", "kai", "cea", "ceb", "cec", "ced", "apc", "apd", "ape", "kar", "imt"))
"""Providers of program code, of other alphabets, of labels whose case is not the ink's, of lists, of boxes."""
LISTS = frozenset(("apb",))
"""Providers whose texts, not their words, are lists of several rows."""
FAMILIES = {"apa": "ap", "apb": "ap", "app": "ap", "hpb": "hp", "hpp": "hp"}
"""Providers that share people, and their common name."""
LONGEST = 30
"""Characters."""
LEAST_PITCH, MOST_PITCH = 0.17, 1.6
"""Width over height, per character, of what stands on one line. Fewer characters than `FEW` may be narrower."""
FEW = 4
LEAST_DRAWN = 1.0
"""Length of the ink, in the larger of its width and height: less is left of a word whose strokes are elsewhere."""
_SPACED = re.compile(r"(^| )[^0-9A-Za-z&+]( |$)|(^| )\d \d( |$)|(^| )'")
"""Labels whose spaces are not in the ink: punctuation marks and digits that stand alone, and endings such as 'll."""


@dataclass(frozen=True)
class Item:
    """A word or text; see `Written`. `strokes`: (points, 2) int32, y down. `place`: of its first component."""

    text: str
    level: int
    writer: str
    provider: str
    sheet: str
    place: int
    strokes: list[NDArray[np.int32]]


def chosen(
    provider: str, components: list[Component], segments: list[Segment], seen: set[tuple[str, str]]
) -> list[Item]:
    """The items of a file of segments.

    Args:
        provider: who collected them.
        components: of the file.
        segments: of the file.
        seen: the ink of items that other files have labelled; the new ones' is added.
    """
    offsets: dict[str, int] = {}
    for number, component in enumerate(components):
        offsets.setdefault(component.file, number)
    items = []
    for segment in sorted(segments, key=lambda one: one.level == "WORD"):  # texts first: their words are not told twice
        level = {"WORD": WORD, "TEXT": TEXT}.get(segment.level)
        if level is None or segment.quality == "BAD" or (level == TEXT and provider in LISTS):
            continue
        if not 1 <= len(segment.label) <= LONGEST or not set(segment.label) <= set(CHARACTERS):
            continue
        if _SPACED.search(segment.label) or (level == WORD and " " in segment.label):
            continue
        found = strokes_of(segment, components)
        if not found or len({component.file for component in found}) > 1:
            continue
        offset = offsets[found[0].file]
        ink = _ink(segment, found[0].file, offset)
        if seen & ink.keys():
            continue
        strokes = [_thinned(component) for component in found]
        if not _on_one_line(strokes, len(segment.label)):
            continue
        seen.update(*ink.values())
        writer = f"{FAMILIES.get(provider, provider)}/{found[0].writer or found[0].file}"
        place = segment.parts[0][0] - offset
        items.append(Item(segment.label, level, writer, provider, found[0].file, place, strokes))
    return items


def _ink(segment: Segment, file: str, offset: int) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """What must not have been labelled before, and for each what will have been then.

    A component is labelled as a whole (`7`), or from one of its points on (`7:20`); then part of it is (`7:`).
    """
    ink = {}
    for first, first_point, last, last_point in segment.parts:
        for number in range(first, last + 1):
            cut = (number == first and first_point >= 0) or (number == last and last_point >= 0)
            whole, part = (file, f"{number - offset}"), (file, f"{number - offset}:")
            point = (file, f"{number - offset}:{first_point if number == first else 0}")
            ink[whole] = [] if cut else [whole]
            ink[point if cut else part] = [point, part] if cut else []
    return ink


def _thinned(component: Component) -> NDArray[np.int32]:
    """The stroke, y down and in units of x, without points that change nothing."""
    points = np.stack([component.points[:, 0], np.rint(-component.points[:, 1] * component.scale)], axis=1)
    points = points.astype(np.int64)
    points = points[np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))]
    if len(points) > 2:
        before, after = points[1:-1] - points[:-2], points[2:] - points[1:-1]
        straight = before[:, 0] * after[:, 1] == before[:, 1] * after[:, 0]
        onward = (before * after).sum(axis=1) > 0
        points = points[np.concatenate([[True], ~(straight & onward), [True]])]
    return points.astype(np.int32)


def _on_one_line(strokes: list[NDArray[np.int32]], characters: int) -> bool:
    """Whether the ink is as wide and as high as so many characters on one line are."""
    points = np.concatenate(strokes)
    width, height = (points.max(axis=0) - points.min(axis=0)).tolist()
    if width == height == 0:
        return False
    pitch = width / max(height, 1) / characters
    if characters >= FEW and not LEAST_PITCH < pitch < MOST_PITCH:
        return False
    if characters < FEW and pitch > 2 * MOST_PITCH + 2:
        return False
    drawn = sum(float(np.hypot(*np.diff(stroke, axis=0).T).sum()) for stroke in strokes)
    if characters > 1 and drawn < LEAST_DRAWN * max(width, height):
        return False
    # A pen that goes back to the left and down begins another row.
    boxes = np.array([(*stroke.min(axis=0), *stroke.max(axis=0)) for stroke in strokes])
    middle = (boxes[:, 1] + boxes[:, 3]) / 2
    back = boxes[1:, 0] < boxes[:-1, 0] - 0.5 * width
    down = middle[1:] > middle[:-1] + 0.4 * height
    return not bool((back & down).any()) or characters < FEW
