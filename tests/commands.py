"""How tests run the project's commands."""

import os
import sys
from pathlib import Path
from typing import Any

import yaml

IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@localhost")
"""Git's options for whoever commits."""


def environment() -> dict[str, str]:
    """This process's, with its own programs first, few threads and no mirror."""
    own = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "2"}
    own.pop("EMNIST_LINES_MIRROR", None)
    return own


def change_params(folder: Path, changes: dict[str, dict[str, Any]]) -> None:
    """Set values in the params.yaml of `folder`, section by section."""
    path = folder / "params.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    for section, changed in changes.items():
        values[section].update(changed)
    path.write_text(yaml.safe_dump(values))
