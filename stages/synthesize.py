"""Compose the lines of each split from characters and text. Run by DVC: `dvc repro synthesize`."""

import json
from pathlib import Path

from emnist_lines.common import config, errors
from emnist_lines.common.files import atomic_write
from emnist_lines.common.glyphs import read_glyphs
from emnist_lines.common.written import read_written
from emnist_lines.figures import line_pictures
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.synthesis.config import SynthesizeConfig
from emnist_lines.synthesis.documents import read_documents
from emnist_lines.synthesis.synthesize import synthesize

DATA, GLYPHS, CORPUS, WRITTEN = Path("data"), Path("data/glyphs.h5"), Path("data/brown.zip"), Path("data/written.h5")
PICTURED = 12
REMEDY = "make it with `dvc repro --force download`"


def main() -> None:
    values: SynthesizeConfig = config.load(Path("params.yaml"), synthesize=SynthesizeConfig)
    written = read_written(WRITTEN) if values.mix.written > 0 else None
    statistics = synthesize(read_glyphs(GLYPHS), read_documents(CORPUS), values, DATA, written)
    with atomic_write(Path("metrics/synthesize.json")) as part:
        part.write_text(json.dumps(statistics, indent=1) + "\n")
    lines = LinesDataset(DATA, "train")
    chosen = lines.examples(PICTURED)
    with atomic_write(Path("metrics/lines.png")) as part:
        line_pictures.preview([lines.image(n) for n in chosen], [lines.texts[n] for n in chosen]).save(part, "png")


if __name__ == "__main__":
    errors.run(main, dict.fromkeys(map(str, (GLYPHS, CORPUS, WRITTEN)), REMEDY))
