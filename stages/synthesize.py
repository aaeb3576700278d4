"""Compose data/lines.h5 from data/glyphs.h5 and data/brown.zip. Run by DVC: `dvc repro synthesize`."""

import json
import os
from pathlib import Path

from emnist_lines.common import config, errors
from emnist_lines.common.files import atomic_write
from emnist_lines.common.glyphs import read_glyphs
from emnist_lines.common.machine import MachineConfig
from emnist_lines.figures import line_pictures
from emnist_lines.lines.line_file import read_lines
from emnist_lines.synthesis.config import SynthesizeConfig
from emnist_lines.synthesis.documents import read_documents
from emnist_lines.synthesis.synthesize import synthesize

GLYPHS, CORPUS, LINES = Path("data/glyphs.h5"), Path("data/brown.zip"), Path("data/lines.h5")
PICTURED = 12
REMEDY = "make it with `dvc repro --force download`"


def main() -> None:
    values, machine = config.load(Path("params.yaml"), synthesize=SynthesizeConfig, machine=MachineConfig)
    processes = machine.synthesis_processes or os.cpu_count() or 1
    statistics = synthesize(read_glyphs(GLYPHS), read_documents(CORPUS), values, LINES, processes)
    with atomic_write(Path("metrics/synthesize.json")) as part:
        part.write_text(json.dumps(statistics, indent=1) + "\n")
    lines = read_lines(LINES, "train")
    picture = line_pictures.preview(lines.pixels.map[:PICTURED], lines.widths[:PICTURED], lines.texts[:PICTURED])
    with atomic_write(Path("metrics/lines.png")) as part:
        picture.save(part, "png")


if __name__ == "__main__":
    errors.run(main, {str(GLYPHS): REMEDY, str(CORPUS): REMEDY})
