"""One measurement of synthesis. Run by `benchmarks.run` as `benchmarks.measure` is."""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from benchmarks import plain_synthesis
from benchmarks.material import LAB_ALONE, material, with_sources
from benchmarks.meter import measured, peak_mb
from benchmarks.parameters import load_all
from emnist_lines.lines.bucket_sampler import MicroBatch
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.lines.line_file import path_of, read_lines, write_lines
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.synthesis.config import BLOCK

PARAMS = load_all()


def images(side: str, count: int) -> dict[str, float]:
    """Make the images of train lines, of full width; glyphs and text lie ready.

    Args:
        side: torch or numpy (see `plain_synthesis`), ours, or varied: ours, glyphs varied as training does.
        count: how many.
    """
    glyphs, documents = material()
    composer, seed = synthesis.composers(glyphs, documents, PARAMS.synthesize)["train"], PARAMS.synthesize.seed
    if side in plain_synthesis.KINDS:
        ready = plain_synthesis.Material.of(composer, glyphs.images, side)
        with measured(count) as found:
            for _ in plain_synthesis.blocks(ready, count, seed):
                pass
        return found
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        data = with_sources(Path(folder))
        with measured(count) as recipes:
            write_lines(synthesis.compose(composer, count, "train", seed), glyphs.source, path_of(data, "train"))
            read_lines(path_of(data, "train"))
        # Not counted: this reads the recipes once more, and the glyphs, which the plain sides have ready.
        lines = LinesDataset(data, "train", variation=PARAMS.train.variation if side == "varied" else None)
        with measured(count) as rendering:
            for _ in rendered(lines):
                pass
    return {"seconds_per_line": recipes["seconds_per_line"] + rendering["seconds_per_line"]}


def rendered(lines: LinesDataset) -> Iterator[Tensor]:
    """The images (B, 28, columns) uint8 of all lines, as many at a time as the plain sides compose."""
    for start in range(0, len(lines), BLOCK):
        chosen = list(range(start, min(start + BLOCK, len(lines))))
        yield lines[MicroBatch(chosen, chosen)].images


def recipes(count: int, max_length: int, folder: str) -> dict[str, float]:
    """All of a synthesis with so many train lines, from glyphs and text on: seconds, MB on disk, MB of memory."""
    sizes = {"num_train": count, "num_val": 1, "num_test": 1, "max_length": max_length}
    values = PARAMS.synthesize.replace(mix=LAB_ALONE, **sizes)
    glyphs, documents = material()
    data, since = with_sources(Path(folder)), time.perf_counter()
    synthesis.synthesize(glyphs, documents, values, data)
    seconds = time.perf_counter() - since
    return {"seconds": seconds, "file_mb": path_of(data, "train").stat().st_size / 1e6, "peak_mb": peak_mb()}


if __name__ == "__main__":
    function, arguments = sys.argv[1:]
    print(json.dumps(globals()[function](**json.loads(arguments))))
