"""UNIPEN's archive is read as its format says; what is kept is on one line, and labelled as it was written."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from emnist_lines.common.errors import UserError
from emnist_lines.common.written import TEXT, WORD
from emnist_lines.sources import unipen
from emnist_lines.sources.unipen_format import parse, strokes_of

PEN = """.VERSION 1.0
.COORD Y X T
.X_POINTS_PER_INCH 200
.Y_POINTS_PER_INCH 100
.WRITER_ID {writer}
.PEN_DOWN
0 10 1
20 10 2
20 40 3
.PEN_UP
.PEN_UP
30 50 1
.DT 100
.PEN_DOWN
5 60 1
5 60 2
5 80 3
5 100 3
25 100 4
.PEN_DOWN
0 120 1
20 150 2
.PEN_DOWN
not numbers
"""


def segments(*labels: str, pen: str = "abc/data/pen0.dat") -> str:
    return "\n".join([".VERSION 1.0", f".INCLUDE {pen}", *(f".SEGMENT {label}" for label in labels)]) + "\n"


def archive(path: Path, files: dict[str, str], kind: str = "xz") -> Path:
    """A packed folder of these files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, f"w:{kind}") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(f"folder-1/{name}")
            member.size = len(content.encode())
            packed.addfile(member, io.BytesIO(content.encode()))
    return path


FILES = {
    "README.md": "UNIPEN",
    "include/abc/data/pen0.dat": PEN.format(writer="jo"),
    "include/app/data/pen1.dat": PEN.format(writer="al"),
    "include/apb/data/pen2.dat": PEN.format(writer="al"),
    "data/8/abc/one.dat": segments('TEXT 0-3 OK "to go"', 'WORD 0 BAD "no"'),
    "data/7/abc/one.dat": segments('WORD 0 OK "to"', 'WORD 2-3 OK "go"', 'CHARACTER 0 OK "t"'),
    "data/7/app/two.dat": segments('WORD 0,2 ? "a \\"b"', 'WORD 3:0-3:1 GOOD "Go\\"d"', pen="app/data/pen1.dat"),
    "data/6/apb/three.dat": segments('WORD 0 OK "ja"', 'WORD 7 OK "none"', 'WORD 2 OK "ü"', pen="apb/data/pen2.dat"),
    "data/6/abc/gone.dat": segments('WORD 0 OK "lost"', pen="abc/data/gone.dat"),
    "data/7/att/code.dat": segments('WORD 0 OK "code"'),
    "data/1a/abc/digits.dat": segments('CHARACTER 0 OK "1"'),
}


def test_components_are_those_with_numbers_and_their_points_lie_as_the_file_says() -> None:
    text = segments('WORD 1-2:1 ? "ab, \\"c\\\\"', 'TEXT 0,3 OK "two\n rows"')
    components, labels, missing = parse(text.encode(), {"abc/data/pen0.dat": PEN.format(writer="jo").encode()}.get, {})
    assert [one.ink for one in components] == [True, False, True, True]  # those without numbers do not count
    assert components[0].points.tolist() == [[10, 0], [10, 20], [40, 20]]
    assert {one.writer for one in components} == {"jo"}
    assert {one.scale for one in components} == {2.0}
    assert missing == set()
    assert [(one.level, one.quality, one.label) for one in labels] == [
        ("WORD", "?", 'ab, "c\\'),
        ("TEXT", "OK", "two rows"),
    ]
    word, both = (strokes_of(one, components) for one in labels)
    assert word is not None
    assert [one.points.tolist() for one in word] == [[[60, 5], [60, 5]]]  # the second component is no ink
    assert both is not None
    assert [len(one.points) for one in both] == [3, 2]


def test_files_with_pen_data_of_their_own_are_not_taken_for_one_another() -> None:
    known: dict = {}
    for writer in ("jo", "al"):
        (one, *_), _, _ = parse(PEN.format(writer=writer).encode(), {}.get, known)
        assert one.writer == writer
    included = {"abc/data/pen0.dat": PEN.format(writer="jo").encode()}.get
    first, again = (parse(segments(label).encode(), included, known)[0] for label in ('WORD 0 OK "a"', 'WORD 2 OK "b"'))
    assert first is again  # what both include is parsed once


def test_what_is_kept(tmp_path: Path) -> None:
    written = unipen.decode(archive(tmp_path / "some.tar.xz", FILES))
    found = list(zip(written.texts.tolist(), written.levels.tolist(), written.providers.tolist(), strict=True))
    assert found == [
        (b"to go", TEXT, b"abc"),  # its words are not told again
        (b"ja", WORD, b"apb"),
        (b'Go"d', WORD, b"app"),  # a word with a space in its label is left out
    ]
    assert written.writers.tolist() == [0, 1, 1]  # who writes for two providers of a family is one person
    assert len(set(written.sheets.tolist())) == 3
    strokes = written.of(0)
    # y down, and as many units to an inch as x has; the point in the middle of a straight line is gone
    assert strokes[0].tolist() == [[10, 0], [10, -40], [40, -40]]
    assert strokes[1].tolist() == [[60, -10], [100, -10], [100, -50]]
    assert np.array_equal(written.points, [0, 3, 6, 8, 11, 13])


def test_every_packing_gives_the_same_and_another_content_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = tmp_path / "mirror"
    path = archive(mirror / unipen.NAME, FILES)
    expected = unipen.decoded_sha256(unipen.decode(path))
    assert unipen.decoded_sha256(unipen.decode(archive(tmp_path / "other.tar.gz", FILES, "gz"))) == expected
    monkeypatch.setattr(unipen, "URL", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="other strokes than UNIPEN's, with the SHA-256"):
        unipen.load(str(mirror), tmp_path / "cache")
    monkeypatch.setattr(unipen, "DECODED_SHA256", expected)
    assert unipen.load(str(mirror), tmp_path / "cache").source == "unipen"
    whole = path.read_bytes()
    for place in range(16, len(whole) - 16, 97):
        path.write_bytes(whole[:place] + bytes(8) + whole[place + 8 :])
        with pytest.raises(UserError, match="UNIPEN's pen strokes could not be fetched"):
            unipen.load(str(mirror), tmp_path / "cache")
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="UNIPEN's pen strokes could not be fetched"):
        unipen.load(str(mirror), tmp_path / "cache")
