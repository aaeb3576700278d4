"""UNIPEN train_r01_v07 (Guyon et al. 1994; CC BY 4.0): words and lines of text that people wrote on tablets.

International Unipen Foundation 1999, doi 10.5281/zenodo.1195803. The archive is a copy of it that parses.
"""

import hashlib
import lzma
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from emnist_lines.common.errors import DAMAGED, one_line
from emnist_lines.common.written import Written
from emnist_lines.sources.fetching import FetchError, fetch, first_served, located
from emnist_lines.sources.unipen_choice import LEFT_OUT, Item, chosen
from emnist_lines.sources.unipen_format import Known, parse

URL = "https://codeload.github.com/GreenCappuccino/train_r01_v07/tar.gz/552a4d440bc94bb34710650c0826be7deb986f7c"
NAME = "unipen/train_r01_v07.tar.xz"
CATEGORIES = ("8", "7", "6")
"""Folders of texts, of words with any symbol, and of words."""
UNSERVED = (
    "att/data/att0/41412304.dat",
    "hpp/data/hpp2/hpb2-bi.dat",
    "hpp/data/hpp2/hpb2-sp.dat",
)
"""Files that not every copy has: left out, so that all copies give the same."""
DECODED_SHA256 = "cb2860b04ecde58e68646ed470371911622d459b9ad28fb96d710e1623b6dbe2"
"""Of what is decoded: the same from every copy, however it is packed."""
MOST_BYTES = 1 << 30
"""No member of the archive is larger than a small part of that, nor all together."""


def load(mirror: str | None, cache: Path) -> Written:
    """All items, from the first address that serves them.

    Args:
        mirror: a folder or base URL that is tried first, for its `unipen/train_r01_v07.tar.xz`.
        cache: the folder that keeps the download.

    Raises:
        UserError: no address serves them.
    """
    tries = [partial(_load, URL, cache / "unipen" / "train_r01_v07.tar.gz")]
    if mirror:
        tries.insert(0, partial(_load, located(mirror, NAME), cache / NAME))
    return first_served("UNIPEN's pen strokes", NAME, tries)


def _load(address: str, kept: Path) -> Written:
    path = fetch(address, kept, None)
    try:
        written = decode(path)
        found = decoded_sha256(written)
        if found != DECODED_SHA256:
            raise ValueError(f"other strokes than UNIPEN's, with the SHA-256 {found}")
    except (*DAMAGED, tarfile.TarError, lzma.LZMAError) as error:
        if path == kept:
            kept.unlink(missing_ok=True)  # no hash vouched for it
        raise FetchError(f"{address}: wrong content ({one_line(error)})") from None
    return written


def decoded_sha256(written: Written) -> str:
    """Of the texts, people and strokes, whatever a file does with them."""
    digest = hashlib.sha256()
    for values in (written.writers, written.sheets, written.strokes, written.points, written.xy):
        digest.update(values.astype("<i8").tobytes())
    for text in (*written.texts.tolist(), *written.providers.tolist()):
        digest.update(text + b"\n")
    return digest.hexdigest()


def decode(path: Path) -> Written:
    """The items of an archive.

    Raises:
        tarfile.TarError, lzma.LZMAError, OSError, ValueError: it is damaged or holds no UNIPEN.
    """
    files = _files(path)
    include = {name.removeprefix("include/"): content for name, content in files.items() if name.startswith("include/")}
    items: list[Item] = []
    seen: set[tuple[str, str]] = set()
    known: Known = {}
    for category in CATEGORIES:
        for name in sorted(name for name in files if name.startswith(f"data/{category}/")):
            provider = name.split("/")[2]
            if provider in LEFT_OUT:
                continue
            components, segments, missing = parse(files[name], include.get, known)
            if not any(path.endswith(".dat") for path in missing):
                items += chosen(provider, components, segments, seen)
    if not items:
        raise ValueError("no words in it")
    return _joined(items)


def _files(path: Path) -> dict[str, bytes]:
    """The files of data and of what they include, by their paths below the archive's one folder."""
    files, total = {}, 0
    with tarfile.open(path) as archive:
        for member in archive:
            name = member.name.partition("/")[2]
            wanted = name.startswith(("include/", *(f"data/{category}/" for category in CATEGORIES)))
            if not member.isfile() or not wanted or name.removeprefix("include/") in UNSERVED:
                continue
            total += member.size
            if total > MOST_BYTES:
                raise ValueError("it unpacks to more than UNIPEN does")
            content = archive.extractfile(member)
            if content is not None:
                files[name] = content.read()
    return files


def _joined(items: list[Item]) -> Written:
    """Items in order of their sheets, and on a sheet in the order of writing."""
    items = sorted(items, key=lambda item: (item.sheet, item.place))
    people = {name: number for number, name in enumerate(sorted({item.writer for item in items}))}
    sheets = {name: number for number, name in enumerate(sorted({item.sheet for item in items}))}
    strokes = list(_strokes(items))
    return Written(
        texts=np.array([item.text.encode() for item in items]),
        levels=np.array([item.level for item in items], dtype=np.uint8),
        writers=np.array([people[item.writer] for item in items], dtype=np.int32),
        providers=np.array([item.provider.encode() for item in items]),
        sheets=np.array([sheets[item.sheet] for item in items], dtype=np.int32),
        strokes=np.cumsum([0, *(len(item.strokes) for item in items)], dtype=np.int64),
        points=np.cumsum([0, *(len(stroke) for stroke in strokes)], dtype=np.int64),
        xy=np.concatenate(strokes),
        source="unipen",
    )


def _strokes(items: list[Item]) -> Iterator[np.ndarray]:
    for item in items:
        yield from item.strokes
