"""What a run prints: its own lines and progress bars, and nothing of its dependencies."""

import logging
import sys
import warnings

CHATTY = ("pytorch_lightning.utilities.rank_zero", "lightning_fabric.utilities.rank_zero")
"""Loggers that tell of the hardware, of Lightning's other products and of limits that were set on purpose."""
DEPENDENCIES = r"(pytorch_lightning|lightning_fabric|torch|torchmetrics|dvclive|onnxscript)\b"


def quiet_dependencies() -> None:
    """Hide advice and deprecation warnings of dependencies; their errors stay."""
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
        warnings.filterwarnings("ignore", category=category)
    warnings.filterwarnings("ignore", module=DEPENDENCIES)


def on_terminal() -> bool:
    """Whether a person watches, so that a progress bar may move. In a file it would leave carriage returns."""
    return sys.stdout.isatty() and sys.stderr.isatty()
