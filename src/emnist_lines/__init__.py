"""A network that reads lines of handwriting: its data, its training, its evaluation, and a reader."""

import importlib
from typing import Any

__all__ = ["Reader"]


def __getattr__(name: str) -> Any:
    """Import `Reader` when it is asked for: it imports torch, which not every stage needs."""
    if name in __all__:
        return importlib.import_module("emnist_lines.reading.reader").Reader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
