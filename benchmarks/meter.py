"""Seconds and memory of a block of code."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def measured(lines: int) -> Iterator[dict[str, float]]:
    """Seconds per line, and by how much this process's peak memory grew, in MB."""
    before, since = peak_mb(), time.perf_counter()
    found: dict[str, float] = {}
    yield found
    found["seconds_per_line"] = (time.perf_counter() - since) / lines
    found["growth_mb"] = peak_mb() - before


def peak_mb() -> float:
    """The most memory that this process had (Linux), in MB. `getrusage` would count its parent's at the start too."""
    (kib,) = re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(kib) * 1024 / 1e6
