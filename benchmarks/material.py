"""What benchmarks compose lines of. Without torch, as the synthesis that is measured."""

from pathlib import Path

from emnist_lines.common import glyphs as store
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.common.params import Variation
from emnist_lines.synthesis import documents as text

UNVARIED = Variation(shift=0, stretch=0, bend=0, pen=0)
"""Glyphs as they are, as the lab's."""


def material() -> tuple[Glyphs, list[text.Document]]:
    """All glyphs and documents, before they are split."""
    return store.read(Path("data/glyphs.h5")), text.read_documents(Path("data/brown.zip"))
