"""Freed memory is kept where the C library can."""

import ctypes
import subprocess
import sys

import pytest

from emnist_lines.common import allocator

ARRAYS = """
import numpy
def step(): del [numpy.ones(2**18) for _ in range(20)][:]  # 40 MB, 2 at a time
"""
TRAINING = """
import torch
torch.set_num_threads(1)
network, x = torch.nn.Sequential(*[torch.nn.Conv2d(8, 8, 3, padding=1) for _ in range(4)]), torch.zeros(4, 8, 256, 256)
def step(): network(x).sum().backward()
"""
COUNT = """
import resource
from emnist_lines.common import allocator
def faults():
    step()
    step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step()
    step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
given_back = faults()
allocator.keep_freed_memory()
print(given_back, faults())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")
@pytest.mark.parametrize("step", [ARRAYS, pytest.param(TRAINING, marks=pytest.mark.slow)], ids=["arrays", "training"])
def test_a_step_uses_the_pages_of_the_one_before(step: str) -> None:
    done = subprocess.run([sys.executable, "-c", step + COUNT], check=True, capture_output=True, text=True)
    given_back, kept = map(int, done.stdout.split())
    assert kept < 0.2 * given_back


def test_another_c_library_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    allocator.keep_freed_memory()
