"""Fetch, or render, the glyphs and the text to write with them. Run by DVC: `dvc repro download`."""

import os
from pathlib import Path

from emnist_lines.common import config, errors
from emnist_lines.common.glyphs import write_glyphs
from emnist_lines.common.written import write_written
from emnist_lines.sources import brown, drawn, drawn_written, emnist, unipen
from emnist_lines.sources.config import DownloadConfig

GLYPHS, CORPUS, WRITTEN = Path("data/glyphs.h5"), Path("data/brown.zip"), Path("data/written.h5")
WORDS_PER_PERSON = 60
"""Of the stand-in for what people wrote."""


def main() -> None:
    download: DownloadConfig = config.load(Path("params.yaml"), download=DownloadConfig)
    if download.source == "drawn":
        write_glyphs(drawn.render_glyphs(download.drawn_per_class, download.drawn_seed), GLYPHS)
        brown.write_builtin(CORPUS)
        write_written(drawn_written.render_written(WORDS_PER_PERSON, download.drawn_seed), WRITTEN)
        return
    mirror = os.environ.get("EMNIST_LINES_MIRROR")
    cache = Path(os.environ.get("EMNIST_LINES_CACHE") or "~/.cache/emnist-lines").expanduser()
    write_glyphs(emnist.load(download.parts, mirror, cache), GLYPHS)
    brown.fetch_brown(CORPUS, mirror, cache)
    write_written(unipen.load(mirror, cache), WRITTEN)


if __name__ == "__main__":
    errors.run(main)
