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
@pytest.mark.parametrize("masked", [True, False])
def test_rows_continue_what_others_have_seen(network: LineCNNTransformer, masked: bool) -> None:
    """Hypotheses of lines, as a beam search has them: more and fewer of each, until lines have none and are forgotten.

    The three lines are 0, 1 and 2; `rows` tells which row of the step before each one continues.
    """
    features, mask = encoded(masked)
    cache = KeyValueCache(network, features, mask, STEPS)
    lines, prefixes = torch.arange(3), torch.empty(3, 0, dtype=torch.long)
    steps = [None, [0, 0, 0, 1, 2, 2], [2, 0, 3, 3, 4, 5], [1, 1, 0, 4], [0, 2, 3, 3, 3], [2, 3, 4, 4], [1, 0, 3]]
    for position, rows in enumerate(steps):
        if rows is not None:
            lines, prefixes = lines[rows], prefixes[rows]
        tokens = torch.randint(4, len(SYMBOLS), (len(lines),))
        prefixes = torch.cat([prefixes, tokens[:, None]], dim=1)
        found = cache.step(tokens, position, None if rows is None else torch.tensor(rows))
        expected = whole_prefix(network, prefixes, features[lines], None if mask is None else mask[lines])[:, -1]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert len(lines) == 3
    assert set(lines.tolist()) == {2}
    assert len(cache.layers[0].keys) == 1


@torch.no_grad()
def test_there_is_room_for_as_many_rows_as_there_are(network: LineCNNTransformer) -> None:
    """Forty rows of one line at each step, in a cache that first makes room for one."""
    features = encoded(masked=False)[0][:1]
    cache = KeyValueCache(network, features, None, STEPS)
    prefixes = torch.full((1, 1), 5)
    cache.step(prefixes[:, 0], 0)
    for position in range(1, STEPS):
        rows = torch.randint(0, len(prefixes), (40,))
        prefixes = torch.cat([prefixes[rows], torch.randint(4, len(SYMBOLS), (40, 1))], dim=1)
        found = cache.step(prefixes[:, -1], position, rows)
        expected = whole_prefix(network, prefixes, features.expand(40, -1, -1), None)[:, -1]
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
