"""What benchmarks need of `make repro`."""

from pathlib import Path

from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import Glyphs, read_glyphs
from emnist_lines.lines.config import VariationConfig
from emnist_lines.lines.line_file import path_of
from emnist_lines.synthesis.config import Mix
from emnist_lines.synthesis.documents import Document, read_documents

DATA, LANGUAGE = Path("data"), Path("models/language.safetensors")
MODEL, START = Path("models/line_cnn_transformer.safetensors"), Path("released/start.safetensors")
GLYPHS, CORPUS, TEST = DATA / "glyphs.h5", DATA / "brown.zip", path_of(DATA, "test")
WRITTEN, TRAIN, VAL = DATA / "written.h5", path_of(DATA, "train"), path_of(DATA, "val")
LAB_ALONE = Mix(lab=1.0, natural=0.0, written=0.0)
"""Lines as the lab composes them, no others."""
UNVARIED = VariationConfig(shift=0, stretch=0, bend=0, pen=0)
"""Glyphs as they are, as the lab's."""


def require(*paths: Path) -> None:
    """
    Raises:
        UserError: a file is missing.
    """
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise UserError(f"{', '.join(missing)} missing; make them with `make repro`")


def material() -> tuple[Glyphs, list[Document]]:
    """All glyphs and documents, before they are split."""
    return read_glyphs(GLYPHS), read_documents(CORPUS)


def with_sources(data: Path) -> Path:
    """The folder `data`, made to hold what other lines than the default ones are rendered from: glyphs and strokes."""
    data.mkdir(parents=True, exist_ok=True)
    for source in (GLYPHS, WRITTEN):
        if source.exists() and not (data / source.name).exists():
            (data / source.name).symlink_to(source.resolve())
    return data
