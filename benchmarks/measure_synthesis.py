"""One measurement of synthesis; ours without torch in its process, as the stage runs.

Run by `benchmarks.run` as `benchmarks.measure` is.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import h5py

from benchmarks.material import UNVARIED, material
from benchmarks.meter import measured, watched
from benchmarks.parameters import load_all
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.synthesis.composer import Composer

DEFAULTS = load_all().synthesize
PLAIN = DEFAULTS.replace(train_variation=UNVARIED)
"""The lab does not vary its glyphs, so neither side does where both are measured."""


def compose(side: str, count: int, processes: int, out: str) -> dict[str, float]:
    """Compose train lines into an HDF5 file, their glyphs as they are; glyphs and text lie ready."""
    values = PLAIN.replace(num_train=count)
    composer = synthesis.composers(*material(), values)["train"]
    fill = _plain(composer) if side == "plain" else None
    found: dict[str, float] = {}
    for _ in range(2):  # the first is not counted: a virtual machine has to get the file's memory from its host
        Path(out).unlink(missing_ok=True)
        os.sync()  # no page of an earlier file waits to be written
        tasks = synthesis.blocks(count, "train", values.seed)
        with h5py.File(out, "w") as file:
            group = file.create_group("train")
            with measured(count) as found:
                if fill is None:
                    synthesis.fill(group, composer, tasks, Path(out), processes)
                else:
                    fill(group, tasks)
    return found


def _plain(composer: Composer) -> Callable[[h5py.Group, list[synthesis.Task]], None]:
    from benchmarks import plain_synthesis  # brings torch, which ours goes without

    material = plain_synthesis.Material.of(composer)
    return lambda group, tasks: plain_synthesis.fill(group, material, tasks)


def whole_file(count: int, max_length: int, processes: int, out: str) -> dict[str, float]:
    """All of a synthesis with so many train lines, from glyphs and text on; its memory."""
    values = DEFAULTS.replace(num_train=count, num_val=1, num_test=1, max_length=max_length)
    with watched() as found:
        synthesis.synthesize(*material(), values, Path(out), processes)
    return found


if __name__ == "__main__":
    function, arguments = sys.argv[1:]
    print(json.dumps(globals()[function](**json.loads(arguments))))
