"""Dropout drops as many as it should, each independently, and never when reading."""

import pytest
import torch
from benchmarks.parameters import Params
from torch import nn

from emnist_lines.network.dropout import Dropout
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_that_is_dropped_and_the_mean_that_stays(p: float) -> None:
    torch.manual_seed(0)
    out = Dropout(p)(torch.ones(1001, 999))
    dropped = (out == 0).float()
    assert float(dropped.mean()) == pytest.approx(p, abs=0.002)
    assert float(out.mean()) == pytest.approx(1, abs=0.01 / (1 - p))
    assert out.unique().tolist() == pytest.approx([0, 1 / (1 - p)])
    for axis in (0, 1):  # neighbours know nothing of each other
        one, other = dropped.narrow(axis, 0, 998), dropped.narrow(axis, 1, 998)
        assert float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]) == pytest.approx(0, abs=0.005)


def test_the_gradient_goes_where_the_value_went() -> None:
    x = torch.randn(50, 7, requires_grad=True)
    out = Dropout(0.3)(x)
    out.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad * x.detach(), out.detach())


def test_the_seed_decides_and_reading_drops_nothing() -> None:
    x, dropout = torch.randn(9, 5), Dropout(0.5)
    outs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outs.append(dropout(x))
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])
    assert torch.equal(dropout.eval()(x), x)


def test_the_network_has_no_other(defaults: Params) -> None:
    kinds = {type(module) for module in LineCNNTransformer(defaults.model).modules() if isinstance(module, nn.Dropout)}
    assert kinds == {Dropout}
