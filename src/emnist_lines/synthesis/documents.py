"""Text to write: documents of words in the glyphs' characters, and strings sampled from them."""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import UserError
from emnist_lines.common.files import UNREADABLE, reason
from emnist_lines.common.params import SplitFractions

_BROWN_DOCUMENT = re.compile(r"brown/c[a-r]\d\d")
_PLAIN_DOCUMENT = re.compile(r"plain/\d+\.txt")
_NOT_A_GLYPH = re.compile(f"[^{CLASSES}]")
SPACE_CLASS = len(CLASSES)
"""What stands for a space where characters are class indices."""

Document = list[str]


def read_documents(path: Path) -> list[Document]:
    """The documents of a corpus in order of their names, each a list of words without punctuation.

    Two layouts are known: Brown's tagged files (`brown/ca01`: word/tag …) and plain text (`plain/000.txt`).

    Raises:
        UserError: the file is missing, damaged or holds no documents.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
            brown = [_untagged(archive.read(name)) for name in names if _BROWN_DOCUMENT.fullmatch(name)]
            plain = [archive.read(name).decode().split() for name in names if _PLAIN_DOCUMENT.fullmatch(name)]
    except UNREADABLE as error:
        raise UserError(
            f"{path} is no readable corpus ({reason(error)}); remake it with `dvc repro -f download`"
        ) from None
    documents = [words for document in brown + plain if (words := _bare(document))]
    if len(documents) < 3:
        raise UserError(
            f"{path} holds {len(documents)} documents, too few for three splits; remake it with `dvc repro -f download`"
        )
    return documents


def _untagged(content: bytes) -> list[str]:
    return [token.rpartition("/")[0] for token in content.decode().split()]


def _bare(words: list[str]) -> Document:
    """Words without the characters that have no glyph; words that were nothing else vanish."""
    return [bare for word in words if (bare := _NOT_A_GLYPH.sub("", word))]


def split(documents: list[Document], fractions: SplitFractions, rng: np.random.Generator) -> dict[str, list[Document]]:
    """Train, val and test documents, disjoint, at least one each."""
    order = rng.permutation(len(documents))
    val = max(1, round(len(documents) * fractions.val))
    test = max(1, round(len(documents) * fractions.test))
    parts = {"val": order[:val], "test": order[val : val + test], "train": order[val + test :]}
    return {name: [documents[index] for index in sorted(parts[name])] for name in ("train", "val", "test")}


@dataclass(frozen=True)
class Sampler:
    """Strings of whole words: the first word uniform, then how many words uniform among those that fit (as the lab).

    Attributes:
        classes: (C,) uint8, all text as class indices, one space between words.
        starts: (W,) where each word that can begin a string starts in `classes`.
        ends: (all words,) where each word ends.
        first: (W,) index into `ends` of those words.
        choices: (W,) how many runs of whole words from there fit.
    """

    classes: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    first: NDArray[np.int64]
    choices: NDArray[np.int64]

    @classmethod
    def build(cls, documents: list[Document], max_characters: int) -> "Sampler":
        """A sampler of strings up to `max_characters` long that never crosses from one document into another.

        Raises:
            UserError: no word is that short.
        """
        words = [word for document in documents for word in document]
        lengths = np.array([len(word) for word in words])
        ends = np.cumsum(lengths + 1) - 1
        starts = ends - lengths
        document_end = np.repeat(np.cumsum([len(d) for d in documents]), [len(d) for d in documents])
        fitting_end = np.minimum(np.searchsorted(ends, starts + max_characters, side="right"), document_end)
        choices = fitting_end - np.arange(len(words))
        first = np.flatnonzero(choices > 0)
        if len(first) == 0:
            raise UserError(f"the text has no word of at most {max_characters} characters; raise synthesize.max_length")
        table = np.full(128, SPACE_CLASS, dtype=np.uint8)
        table[np.frombuffer(CLASSES.encode(), dtype=np.uint8)] = np.arange(len(CLASSES))
        classes = table[np.frombuffer(" ".join(words).encode("ascii"), dtype=np.uint8)]
        return cls(classes, starts[first], ends, first, choices[first])

    def sample(self, count: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(count,) where strings begin in `classes`, and (count,) their lengths."""
        pick = rng.integers(len(self.first), size=count)
        words = np.floor(rng.random(count) * self.choices[pick]).astype(np.int64)
        return self.starts[pick], self.ends[self.first[pick] + words] - self.starts[pick]
