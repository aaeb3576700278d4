"""One measurement of synthesis. Run by `benchmarks.run` as `benchmarks.measure` is."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks import plain_synthesis
from benchmarks.material import DATA, GLYPHS, TRAIN, WRITTEN, material, with_sources
from benchmarks.meter import measured, peak_mb
from benchmarks.parameters import load_all
from emnist_lines.common.written import read_written
from emnist_lines.lines.bucket_sampler import MicroBatch
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.lines.line_file import path_of, read_lines, write_lines
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.synthesis.config import BLOCK

PARAMS = load_all()
WARM_UP = 64
"""Lines that each side makes before it is measured."""


def images(side: str, count: int, varied: bool) -> dict[str, float]:
    """Make the images of train lines of the lab's kind, of full width; glyphs and text lie ready.

    Args:
        side: torch or numpy (see `plain_synthesis`), or ours.
        count: how many.
        varied: whether glyphs vary as training varies them.
    """
    variation = PARAMS.train.variation if varied else None
    glyphs, documents = material()
    composer, seed = synthesis.composers(glyphs, documents, PARAMS.synthesize)["train"], PARAMS.synthesize.seed
    if side in plain_synthesis.KINDS:
        ready = plain_synthesis.Material.of(composer, glyphs.images, side, variation)
        _drain(plain_synthesis.blocks(ready, WARM_UP, seed))
        with measured(count) as found:
            _drain(plain_synthesis.blocks(ready, count, seed))
        return found
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        data = with_sources(Path(folder))
        written = path_of(data, "train")
        write_lines(synthesis.compose(composer, WARM_UP, "train", seed), glyphs.source, written)
        _drain(rendered(LinesDataset(data, "train", variation=variation)))
        with measured(count) as recipes:
            write_lines(synthesis.compose(composer, count, "train", seed), glyphs.source, written)
            read_lines(written)
        # Not counted: this reads the recipes once more, and the glyphs, which the plain sides have ready.
        lines = LinesDataset(data, "train", variation=variation)
        with measured(count) as rendering:
            _drain(rendered(lines))
    return {"seconds_per_line": recipes["seconds_per_line"] + rendering["seconds_per_line"]}


def _drain(blocks: Iterator[Any]) -> None:
    for _ in blocks:
        pass


def opening(cached: bool) -> dict[str, float]:
    """Open the default train lines, their glyphs and strokes, from memory or from the disk: seconds.

    Args:
        cached: whether the operating system holds the files in its page cache, or has been told to drop them.
    """
    for path in (GLYPHS, WRITTEN, TRAIN):
        with path.open("rb") as file:
            file.read()
            if not cached:
                os.fsync(file.fileno())  # pages that are not yet on the disk would stay
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    since = time.perf_counter()
    LinesDataset(DATA, "train")
    return {"seconds": time.perf_counter() - since}


def rendered(lines: LinesDataset) -> Iterator[Tensor]:
    """The images (B, 28, columns) uint8 of all lines, as many at a time as the plain sides compose."""
    for start in range(0, len(lines), BLOCK):
        chosen = list(range(start, min(start + BLOCK, len(lines))))
        yield lines[MicroBatch(chosen, chosen)].images


def recipes(count: int, max_length: int, folder: str) -> dict[str, float]:
    """A synthesis of all kinds of lines with so many train lines: seconds, MB on disk, MB of memory.

    Glyphs, strokes and text lie ready.
    """
    values = PARAMS.synthesize.replace(num_train=count, num_val=1, num_test=1, max_length=max_length)
    (glyphs, documents), written = material(), read_written(WRITTEN)
    data, since = with_sources(Path(folder)), time.perf_counter()
    synthesis.synthesize(glyphs, documents, values, data, written)
    seconds = time.perf_counter() - since
    return {"seconds": seconds, "file_mb": path_of(data, "train").stat().st_size / 1e6, "peak_mb": peak_mb()}


if __name__ == "__main__":
    function, arguments = sys.argv[1:]
    print(json.dumps(globals()[function](**json.loads(arguments))))
