"""The documents of a corpus, as words in the characters that have glyphs."""

import re
import zipfile
from pathlib import Path

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import FileError, reading
from emnist_lines.common.files import atomic_write

_BROWN_DOCUMENT = re.compile(r"brown/c[a-r]\d\d")
_PLAIN_DOCUMENT = re.compile(r"plain/\d+\.txt")
_NOT_A_GLYPH = re.compile(f"[^{CLASSES}]")

Document = list[str]


def read_documents(path: Path) -> list[Document]:
    """The documents of a corpus in order of their names, each a list of words without punctuation.

    Two layouts are known: Brown's tagged files (`brown/ca01`: word/tag …) and plain text (`plain/000.txt`).

    Raises:
        FileError: the file is missing, damaged or holds fewer than three documents.
    """
    with reading(path, "documents"), zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist())
        brown = [_untagged(archive.read(name)) for name in names if _BROWN_DOCUMENT.fullmatch(name)]
        plain = [archive.read(name).decode().split() for name in names if _PLAIN_DOCUMENT.fullmatch(name)]
    documents = [words for document in brown + plain if (words := _in_glyphs(document))]
    if len(documents) < 3:
        raise FileError(path, f"holds {len(documents)} documents, too few for three splits")
    return documents


def write_documents(documents: list[Document], path: Path) -> None:
    """Write documents as text: a line each, a space between its words."""
    with atomic_write(path) as part:
        part.write_text("".join(f"{' '.join(words)}\n" for words in documents), encoding="ascii")


def _untagged(content: bytes) -> list[str]:
    return [token.rpartition("/")[0] for token in content.decode().split()]


def _in_glyphs(words: list[str]) -> Document:
    """Words without the characters that have no glyph; words that consist of such characters vanish."""
    return [kept for word in words if (kept := _NOT_A_GLYPH.sub("", word))]
