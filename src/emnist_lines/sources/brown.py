"""The text that lines are written from: the Brown corpus, or this package's own sentences."""

import zipfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from emnist_lines.common.errors import UserError
from emnist_lines.common.files import whole
from emnist_lines.sources.fetching import FetchError, copy, fetch, first_served

BROWN_URL = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/brown.zip"
BROWN_SHA256 = "9b275f9b3b95d7bd66ccfb7cd259f445a13bbe5d1f4107aba09fd3e8364bafa6"


def fetch_brown(destination: Path, mirror: str | None, cache: Path) -> None:
    """Put the Brown corpus (Francis and Kučera 1979, as NLTK ships it) at `destination`.

    Raises:
        UserError: no address served it.
    """

    def attempt(address: str) -> tuple[str, Callable[[], None]]:
        return address, lambda: copy(fetch(address, cache / "nltk/brown.zip", BROWN_SHA256), destination)

    tries = [attempt(f"{mirror.rstrip('/')}/nltk/brown.zip")] if mirror else []
    tries.append(attempt(BROWN_URL))
    try:
        first_served("Brown corpus", tries)
    except FetchError as error:
        raise UserError(
            f"the Brown corpus could not be fetched ({error}); set EMNIST_LINES_MIRROR to a folder or address "
            "that has nltk/brown.zip, or run `make demo`, which needs no data"
        ) from None


def write_builtin(destination: Path) -> None:
    """Put the package's own sentences at `destination`, the same bytes each time."""
    sentences = resources.files("emnist_lines.sources").joinpath("sentences.txt").read_text(encoding="utf-8")
    with whole(destination) as part, zipfile.ZipFile(part, "w") as archive:
        for number, document in enumerate(sentences.strip().split("\n\n")):
            archive.writestr(zipfile.ZipInfo(f"plain/{number:03}.txt"), document + "\n")  # dated 1980, always
