"""Reading lines of handwriting: synthesis of EMNIST lines, the network, its training and its evaluation."""

import importlib
from typing import Any

__all__ = ["Reader"]


def __getattr__(name: str) -> Any:
    """`Reader` is imported when it is asked for: it brings torch along, which not every stage needs."""
    if name in __all__:
        return importlib.import_module("emnist_lines.reading.reader").Reader
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
