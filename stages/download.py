"""Fetch, or draw, the glyphs and the text to write with them. Run by DVC: `dvc repro download`."""

import os
from pathlib import Path

from emnist_lines.common import errors, params
from emnist_lines.common import glyphs as store
from emnist_lines.sources import brown as corpus
from emnist_lines.sources import drawn, emnist

GLYPHS, CORPUS = Path("data/glyphs.h5"), Path("data/brown.zip")


def main() -> None:
    values = params.load(Path("params.yaml")).download
    if values.source == "drawn":
        store.write(drawn.draw(values.drawn_per_class, values.drawn_seed), GLYPHS)
        corpus.write_builtin(CORPUS)
        return
    mirror = os.environ.get("EMNIST_LINES_MIRROR")
    cache = Path(os.environ.get("EMNIST_LINES_CACHE") or Path.home() / ".cache" / "emnist-lines")
    store.write(emnist.load(values.parts, mirror, cache), GLYPHS)
    corpus.fetch_brown(CORPUS, mirror, cache)


if __name__ == "__main__":
    errors.run(main)
