"""What benchmarks need of `make repro`. Without torch, as the synthesis that is measured."""

from pathlib import Path

from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import Glyphs, read_glyphs
from emnist_lines.synthesis.config import VariationConfig
from emnist_lines.synthesis.documents import Document, read_documents

GLYPHS, CORPUS = Path("data/glyphs.h5"), Path("data/brown.zip")
LINES, MODEL = Path("data/lines.h5"), Path("models/line_cnn_transformer.safetensors")
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
