"""The documents that a language model is counted in."""

import re
from pathlib import Path

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import FileError, reading

_WORDS = re.compile(f"[{CLASSES} \n]*")


def read_documents(path: Path) -> list[list[str]]:
    """The documents in a text file, a line each, as lists of words.

    Raises:
        FileError: the file is missing, damaged or holds no words.
    """
    with reading(path, "documents"):
        text = path.read_text(encoding="ascii")
    documents = [words for line in text.splitlines() if (words := line.split())]
    if not documents or not _WORDS.fullmatch(text):
        raise FileError(path, "holds no documents of words in letters and digits")
    return documents
