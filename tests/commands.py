"""How tests run the project's commands."""

import os
import sys
from pathlib import Path


def environment() -> dict[str, str]:
    """This process's, with its own programs first, few threads and no mirror."""
    own = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "2"}
    own.pop("EMNIST_LINES_MIRROR", None)
    return own
