"""Freed memory is kept where the C library can."""

import ctypes
import subprocess
import sys

import pytest

from emnist_lines.common import allocator as memory

STEPS = """
import resource, torch
from emnist_lines.common import allocator as memory
if {keep}: memory.keep_freed()
torch.set_num_threads(1)
network, x = torch.nn.Sequential(*[torch.nn.Conv2d(8, 8, 3, padding=1) for _ in range(4)]), torch.zeros(4, 8, 256, 256)
def step(): network(x).sum().backward()
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
step()
before = faults()
step()
step()
print(faults() - before)
"""


def faults(keep: bool) -> int:
    done = subprocess.run([sys.executable, "-c", STEPS.format(keep=keep)], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")
def test_a_step_uses_the_pages_of_the_one_before() -> None:
    assert faults(keep=True) < 0.2 * faults(keep=False)


def test_another_c_library_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    memory.keep_freed()
