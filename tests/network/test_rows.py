"""Rows are laid out by line and taken back."""

import pytest
import torch

from emnist_lines.network.rows import Rows


@pytest.mark.parametrize("lines", [[0, 0, 2, 3, 3, 3], [0, 1, 2, 3], [1, 1], [0, 0, 1, 1, 2, 2, 3, 3]])
def test_pad_and_take(lines: list[int]) -> None:
    rows = Rows.of(torch.tensor(lines), 4)
    x = torch.randn(len(lines), 5)
    padded = rows.pad(x)
    assert padded.shape == (4, rows.width, 5)
    assert rows.counts.tolist() == [lines.count(line) for line in range(4)]
    assert torch.equal(rows.take(padded), x)
    for line in range(4):
        count = lines.count(line)
        assert torch.equal(padded[line, :count], x[torch.tensor(lines) == line])
        assert not padded[line, count:].any()
