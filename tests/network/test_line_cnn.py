"""What the encoder computes does not depend on what lay in memory before."""

import ctypes

import pytest
import torch
from benchmarks.parameters import Params
from torch import Tensor

from emnist_lines.network.line_cnn import LineCNN


def litter() -> None:
    """Leave NaN in memory that is allocated next; glibc is told to keep what is freed."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(-4, 0)
        mallopt(-1, 2**31 - 1)
    rubbish = [torch.full((2**power,), torch.nan, dtype=torch.bfloat16) for power in range(8, 24) for _ in range(6)]
    del rubbish


@pytest.mark.parametrize("columns", [256, 512, 768])  # 31, 63 and 95 windows
def test_bfloat16_gradients_are_finite_and_close_to_the_exact_ones(defaults: Params, columns: int) -> None:
    torch.manual_seed(0)
    cnn = LineCNN(defaults.model).eval()  # no dropout
    images = torch.rand(8, 28, columns)
    found: list[dict[str, Tensor]] = []
    for mixed in (False, True, True, True, True):
        cnn.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            features = cnn.scan(images)
        loss = features.float().square().mean()
        litter()
        loss.backward()
        found.append({n: p.grad.clone() for n, p in cnn.named_parameters() if p.grad is not None})
    for name, exact in found[0].items():
        for gradients in found[1:]:
            assert gradients[name].isfinite().all(), name
            assert (gradients[name] - exact).norm() < 0.1 * exact.norm(), name
