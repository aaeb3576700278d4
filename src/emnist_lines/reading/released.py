"""Where the released models lie."""

import os
from pathlib import Path

MODELS = Path(__file__).parents[3] / "models"
RELEASED = MODELS / "line_cnn_transformer.safetensors"
"""Where the repository keeps the released model."""
LANGUAGE = MODELS / "language.safetensors"
"""Where it keeps the language model."""


def model_path(model: str | Path | None = None) -> Path:
    """The model file to read with: `model`, else what EMNIST_LINES_MODEL names, else the released one."""
    return Path(model or os.environ.get("EMNIST_LINES_MODEL") or RELEASED)


def language_path(language: str | Path | None = None) -> Path:
    """The language model's file: `language`, else what EMNIST_LINES_LANGUAGE names, else the released one."""
    return Path(language or os.environ.get("EMNIST_LINES_LANGUAGE") or LANGUAGE)
