"""Where the released model lies."""

import os
from pathlib import Path

RELEASED = Path(__file__).parents[3] / "models" / "line_cnn_transformer.safetensors"
"""Where the repository keeps the released model."""


def model_path(model: str | Path | None = None) -> Path:
    """The model file to read with: `model`, else what EMNIST_LINES_MODEL names, else the released one."""
    return Path(model or os.environ.get("EMNIST_LINES_MODEL") or RELEASED)
