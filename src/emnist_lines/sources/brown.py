"""The text that lines are written from: the Brown corpus, or this package's own sentences."""

import shutil
import zipfile
from functools import partial
from importlib import resources
from pathlib import Path

from emnist_lines.common.files import atomic_write
from emnist_lines.sources.fetching import fetch, first_served, located

BROWN_URL = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/brown.zip"
BROWN_SHA256 = "9b275f9b3b95d7bd66ccfb7cd259f445a13bbe5d1f4107aba09fd3e8364bafa6"


def fetch_brown(destination: Path, mirror: str | None, cache: Path) -> None:
    """Copy the Brown corpus (Francis and Kučera 1979, as NLTK ships it) to `destination`.

    Args:
        destination: a zip of documents; it is replaced.
        mirror: a folder or base URL that is tried first, for its `nltk/brown.zip`.
        cache: the folder that keeps the download.

    Raises:
        UserError: no address serves it.
    """
    addresses = ([located(mirror, "nltk/brown.zip")] if mirror else []) + [BROWN_URL]
    tries = [partial(fetch, address, cache / "nltk" / "brown.zip", BROWN_SHA256) for address in addresses]
    found = first_served("the Brown corpus", "nltk/brown.zip", tries)
    with atomic_write(destination) as part:
        shutil.copyfile(found, part)


def write_builtin(destination: Path) -> None:
    """Write the package's own sentences to `destination`, a zip of documents with the same bytes each time."""
    with atomic_write(destination) as part, zipfile.ZipFile(part, "w") as archive:
        for number, document in enumerate(sentences().strip().split("\n\n")):
            archive.writestr(zipfile.ZipInfo(f"plain/{number:03}.txt"), document + "\n")  # dated 1980, always


def sentences() -> str:
    """The package's own text."""
    return resources.files("emnist_lines.sources").joinpath("sentences.txt").read_text(encoding="utf-8")
