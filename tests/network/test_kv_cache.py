"""The decoder one step at a time gives what the decoder gives for the whole prefix."""

import pytest
import torch
from benchmarks.parameters import Params
from torch import Tensor

from emnist_lines.common.alphabet import SYMBOLS
from emnist_lines.network.kv_cache import KeyValueCache
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer

STEPS = 7


@pytest.fixture
def network(small: Params) -> LineCNNTransformer:
    torch.manual_seed(0)
    return LineCNNTransformer(small.model).eval()


def encoded(masked: bool) -> tuple[Tensor, Tensor | None]:
    torch.manual_seed(1)
    features = torch.randn(3, 9, 16)
    return features, torch.arange(9) >= torch.tensor([[9], [5], [1]]) if masked else None


@torch.no_grad()
def whole_prefix(network: LineCNNTransformer, tokens: Tensor, features: Tensor, mask: Tensor | None) -> Tensor:
    return network.decode(tokens, features, mask).log_softmax(dim=-1)


@torch.no_grad()
@pytest.mark.parametrize("masked", [True, False])
def test_each_step_is_that_of_the_whole_prefix(network: LineCNNTransformer, masked: bool) -> None:
    features, mask = encoded(masked)
    tokens = torch.randint(0, len(SYMBOLS), (3, STEPS))
    expected = whole_prefix(network, tokens, features, mask)
    cache = KeyValueCache(network, features, mask, STEPS)
    for position in range(STEPS):
        found = cache.step(tokens[:, position], position)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected[:, position], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_row_continues_what_another_one_has_seen(network: LineCNNTransformer) -> None:
    """Rows of one line, as a beam search has them."""
    features = encoded(masked=False)[0][:1].expand(3, -1, -1).contiguous()
    tokens = torch.randint(4, len(SYMBOLS), (3, STEPS))
    cache = KeyValueCache(network, features, None, STEPS)
    for position in range(3):
        cache.step(tokens[:, position], position)
    rows = torch.tensor([2, 2, 0])
    cache.reorder(rows)
    prefixes = torch.cat([tokens[rows, :3], tokens[:, 3:]], dim=1)
    expected = whole_prefix(network, prefixes, features, None)
    assert not torch.allclose(expected, whole_prefix(network, tokens, features, None), atol=1e-4)
    for position in range(3, STEPS):
        found = cache.step(tokens[:, position], position)
        torch.testing.assert_close(found, expected[:, position], rtol=1e-4, atol=1e-5)
