"""Attempts that follow each other at once."""

from types import SimpleNamespace

import pytest

from emnist_lines.sources import fetching


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that pooch would have waited between attempts."""
    waited: list[float] = []
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=waited.append))
    monkeypatch.setattr(fetching, "BACK_OFF", 0.01)
    return waited
