"""The file of a language model: safetensors with the tree of n-grams."""

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from emnist_lines.common.errors import DAMAGED, FileError, reading
from emnist_lines.common.files import atomic_write
from emnist_lines.language.counts import KNOWN
from emnist_lines.language.model import LanguageModel
from emnist_lines.language.tree import Packed

FORMAT = 1
"""Version of the file."""
KINDS = {"symbols": np.uint8, "children": np.uint8, "shares": np.float16, "escapes": np.float16}


def save(path: Path, packed: Packed) -> None:
    """Write a language model, the same bytes for the same one."""
    about = json.dumps({"format": FORMAT, "characters": KNOWN}, sort_keys=True)
    with atomic_write(path) as part:
        save_file({name: getattr(packed, name) for name in KINDS}, part, {"about": about})


def load(path: Path, uniform_share: float = 0.0) -> LanguageModel:
    """A saved language model, on the CPU.

    Args:
        path: the file.
        uniform_share: see `LanguageModel`.

    Raises:
        FileError: the file is missing, damaged, or of another format or alphabet.
    """
    with (
        reading(path, "language model of this project", (*DAMAGED, SafetensorError)),
        path.open("rb"),  # safetensors calls whatever it may not read missing
        safe_open(path, "np") as file,
    ):
        metadata: dict[str, str] = file.metadata() or {}
        about = json.loads(metadata["about"])
        if about["format"] != FORMAT:
            raise FileError(path, f"has the format {about['format']} of language models, not {FORMAT}")
        if about["characters"] != KNOWN:
            raise FileError(path, "counts another alphabet")
        arrays = {name: file.get_tensor(name) for name in KINDS}
        if any(arrays[name].dtype != kind for name, kind in KINDS.items()):
            raise ValueError("its arrays are of other types")
        return LanguageModel.of(Packed(**arrays), uniform_share)
