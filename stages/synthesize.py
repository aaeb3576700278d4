"""Compose data/lines.h5 from data/glyphs.h5 and data/brown.zip. Run by DVC: `dvc repro synthesize`."""

import json
import os
from pathlib import Path

import h5py

from emnist_lines.common import errors, params
from emnist_lines.common import glyphs as store
from emnist_lines.common.files import whole
from emnist_lines.figures import line_pictures as report
from emnist_lines.synthesis import documents as text
from emnist_lines.synthesis import synthesize as synthesis

PICTURED = 12


def main() -> None:
    values = params.load(Path("params.yaml"))
    glyphs = store.read(Path("data/glyphs.h5"))
    documents = text.read_documents(Path("data/brown.zip"))
    lines = Path("data/lines.h5")
    processes = values.machine.synthesis_processes or os.cpu_count() or 1
    statistics = synthesis.synthesize(glyphs, documents, values.synthesize, lines, processes)
    with whole(Path("metrics/synthesize.json")) as part:
        part.write_text(json.dumps(statistics, indent=1) + "\n")
    with h5py.File(lines, "r") as file:
        group = file["train"]
        images, widths, texts = (group[name][:PICTURED] for name in ("images", "widths", "texts"))
    with whole(Path("metrics/lines.png")) as part:
        report.preview(images, widths, [line.decode() for line in texts]).save(part, "png")


if __name__ == "__main__":
    errors.run(main)
