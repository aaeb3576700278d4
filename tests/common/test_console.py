"""A run says nothing of its dependencies' own affairs, and moves progress bars for people alone."""

import logging
import sys
import warnings
from collections.abc import Iterator

import pytest

from emnist_lines.common import console


@pytest.fixture
def _as_before() -> Iterator[None]:
    """Warnings and loggers are the process's; leave them as they were."""
    levels = {name: logging.getLogger(name).level for name in console.CHATTY}
    with warnings.catch_warnings():
        yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("_as_before")
@pytest.mark.parametrize(
    ("category", "module", "shown"),
    [
        (UserWarning, "pytorch_lightning.trainer", False),
        (UserWarning, "torch", False),
        (DeprecationWarning, "anything", False),
        (FutureWarning, "anything", False),
        (UserWarning, "torchvision.io", True),
        (UserWarning, "emnist_lines.training.fit", True),
        (RuntimeWarning, "numpy", True),
    ],
)
def test_warnings_of_dependencies_are_hidden(category: type[Warning], module: str, shown: bool) -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        console.quiet_dependencies()
        warnings.warn_explicit("a warning", category, "file.py", 1, module)
    assert bool(found) == shown


@pytest.mark.usefixtures("_as_before")
def test_hints_of_dependencies_are_hidden_and_their_errors_shown() -> None:
    console.quiet_dependencies()
    for name in console.CHATTY:
        logger = logging.getLogger(name)
        assert not logger.isEnabledFor(logging.INFO)
        assert logger.isEnabledFor(logging.WARNING)


@pytest.mark.parametrize(("out", "err"), [(True, True), (True, False), (False, True)])
def test_a_person_watches_where_both_streams_are_a_terminal(
    monkeypatch: pytest.MonkeyPatch, out: bool, err: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: out)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: err)
    assert console.on_terminal() == (out and err)
