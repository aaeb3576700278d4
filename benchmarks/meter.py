"""Seconds and memory of a block of code."""

import multiprocessing
import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def measured(lines: int) -> Iterator[dict[str, float]]:
    """Seconds per line, and by how much this process's peak memory grew, in MB."""
    before, since = _peak(), time.perf_counter()
    found: dict[str, float] = {}
    yield found
    found["seconds_per_line"] = (time.perf_counter() - since) / lines
    found["growth_mb"] = _peak() - before


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Peak memory in MB of this process and its children, shared pages counted once. Slows the block down."""
    found, done = {"peak_mb": _shared()}, threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            found["peak_mb"] = max(found["peak_mb"], _shared())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _shared() -> float:
    """Proportional set sizes (Linux), each page divided by how many processes have it."""
    total = 0
    for process in [os.getpid(), *(child.pid for child in multiprocessing.active_children())]:
        with suppress(psutil.NoSuchProcess):  # it has ended
            total += psutil.Process(process).memory_full_info().pss
    return total / 2**20
