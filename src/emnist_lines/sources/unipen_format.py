"""UNIPEN's text format (Guyon et al. 1994): pen data as components, and segments that label some of them.

A file is a row of keywords, each a dot at the start of a line, a name, and what follows up to the next one.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_SEGMENT = re.compile(
    r'\s*(?P<level>\S+)\s+(?P<components>[\d:,\s-]+?)\s+(?P<quality>\S+)\s+"(?P<label>.*)"', re.DOTALL
)
_PART = re.compile(r"(\d+)(?::(\d+))?(?:-(\d+)(?::(\d+))?)?")
_RESOLUTIONS = ("X_POINTS_PER_INCH", "Y_POINTS_PER_INCH", "X_POINTS_PER_MM", "Y_POINTS_PER_MM")
_OF_PENS = ("PEN_DOWN", "PEN_UP", "INCLUDE", "COORD", "WRITER_ID", *_RESOLUTIONS)
"""The keywords that say what a pen did."""
_DEEPEST = 8
"""Files that include one another, at most."""

Points = NDArray[np.int64]


@dataclass(frozen=True)
class Component:
    """What the pen did between touching the tablet and leaving it, or until it came back.

    Attributes:
        points: (points, 2) int64 x and y, in the tablet's units; y as the tablet has it.
        ink: whether the pen was down.
        file: the file of pen data.
        writer: who held the pen, as the last file that says so has it; empty if none does.
        scale: units of x per unit of y.
    """

    points: Points
    ink: bool
    file: str
    writer: str
    scale: float


@dataclass(frozen=True)
class Segment:
    """A label.

    Attributes:
        level: WORD, TEXT or another.
        parts: (first component, its first point, last component, its last point) each; a point of -1: all of them.
        quality: OK, GOOD, ? or BAD.
        label: the text.
    """

    level: str
    parts: list[tuple[int, int, int, int]]
    quality: str
    label: str


@dataclass
class _Pen:
    """What keywords have said so far."""

    columns: list[str] = field(default_factory=lambda: ["X", "Y"])
    writer: str = ""
    resolution: dict[str, float] = field(default_factory=dict)

    @property
    def scale(self) -> float:
        x, y = self.resolution.get("X", 0.0), self.resolution.get("Y", 0.0)
        return x / y if x > 0 and y > 0 else 1.0


Known = dict[tuple[tuple[str, bytes], ...], tuple[list["Component"], set[str]]]
"""What files have included or said that were parsed before: other files of segments often include the same."""


def parse(
    content: bytes, included: Callable[[str], bytes | None], known: Known
) -> tuple[list[Component], list[Segment], set[str]]:
    """The components and segments of a file of segments.

    Args:
        content: of the file.
        included: the content of a file that it includes, by its path below `include/`; None: it is missing.
        known: is added to.

    Returns:
        components: in order, as segments count them: those with points.
        segments: in order.
        missing: the paths of missing files. Segments count their components too, so nothing is known about any.
    """
    keywords = list(_keywords(content))
    pens = tuple((keyword, rest) for keyword, rest in keywords if keyword in _OF_PENS)
    if pens not in known:
        components: list[Component] = []
        missing: set[str] = set()
        _parse(pens, "", included, _Pen(), components, missing, 0)
        known[pens] = components, missing
    segments = (_segment(rest.decode("latin-1")) for keyword, rest in keywords if keyword == "SEGMENT")
    return known[pens][0], [segment for segment in segments if segment is not None], known[pens][1]


def _parse(
    keywords: Iterable[tuple[str, bytes]],
    name: str,
    included: Callable[[str], bytes | None],
    pen: _Pen,
    components: list[Component],
    missing: set[str],
    depth: int,
) -> None:
    for keyword, rest in keywords:
        if keyword in ("PEN_DOWN", "PEN_UP"):
            points = _points(rest, pen.columns)
            if len(points):
                components.append(Component(points, keyword == "PEN_DOWN", name, pen.writer, pen.scale))
        elif keyword == "INCLUDE":
            path = rest.decode("latin-1").strip()
            inner = included(path) if depth < _DEEPEST else None
            if inner is None:
                missing.add(path)
            else:
                _parse(_keywords(inner), path, included, pen, components, missing, depth + 1)
        elif keyword == "COORD":
            pen.columns = rest.decode("latin-1").split()
        elif keyword == "WRITER_ID":
            pen.writer = rest.decode("latin-1").strip()
        elif keyword in _RESOLUTIONS:
            value = re.match(r"\s*([\d.]+)", rest.decode("latin-1"))
            if value:
                pen.resolution[keyword[0]] = float(value[1])


def _keywords(content: bytes) -> Iterator[tuple[str, bytes]]:
    for chunk in (b"\n" + content.replace(b"\r", b"\n")).split(b"\n.")[1:]:
        parts = chunk.split(maxsplit=1)
        if parts:
            yield parts[0].decode("latin-1"), parts[1] if len(parts) > 1 else b""


def _points(rows: bytes, columns: list[str]) -> Points:
    """The x and y of rows of numbers; none if there are none, or what there is are no numbers."""
    values = rows.split()
    try:
        numbers = np.array(values, dtype=np.float64 if b"." in rows else np.int64)
    except ValueError:
        return np.zeros((0, 2), dtype=np.int64)
    if len(numbers) == 0 or len(numbers) % len(columns):
        return np.zeros((0, 2), dtype=np.int64)
    table = numbers.reshape(-1, len(columns))
    return np.rint(table[:, [columns.index("X"), columns.index("Y")]]).astype(np.int64)


def _segment(rest: str) -> Segment | None:
    found = _SEGMENT.match(rest)
    if found is None:
        return None
    parts = []
    for first, first_point, last, last_point in _PART.findall(found["components"]):
        end = int(last or first)
        parts.append((int(first), int(first_point or -1), end, int((last_point if last else first_point) or -1)))
    label = re.sub(r"\\(.)", r"\1", found["label"])
    return Segment(found["level"], parts, found["quality"], " ".join(label.split()))


def strokes_of(segment: Segment, components: list[Component]) -> list[Component] | None:
    """The inked components that a segment labels, cut to its points; None if it names some that are not there."""
    found = []
    for first, first_point, last, last_point in segment.parts:
        if last >= len(components):
            return None
        for number in range(first, last + 1):
            one = components[number]
            start = first_point if number == first and first_point >= 0 else 0
            stop = last_point + 1 if number == last and last_point >= 0 else len(one.points)
            if one.ink and stop > start:
                found.append(Component(one.points[start:stop], True, one.file, one.writer, one.scale))
    return found
