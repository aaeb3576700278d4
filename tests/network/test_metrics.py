"""Edit distances and rates against known strings."""

import pytest
import torch

from emnist_lines.network.metrics import CharacterErrorRate, edit_distance


@pytest.mark.parametrize(
    ("one", "two", "edits"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("kitten", "sitting", 3),
        ("flaw", "lawn", 2),
        ("intention", "execution", 5),
        ("Saturday", "Sunday", 3),
        ("same", "same", 0),
        ("ab", "ba", 2),
    ],
)
def test_known_distances(one: str, two: str, edits: int) -> None:
    assert edit_distance(one, two) == edit_distance(two, one) == edits
    assert edit_distance(one.split("t"), one.split("t")) == 0


def test_rate_is_edits_over_reference_characters_of_all_lines() -> None:
    metric = CharacterErrorRate()
    metric.update(["sitting", "a"], ["kitten", "a"])
    metric.update(["xxxx"], ["yy"])
    torch.testing.assert_close(metric.compute(), torch.tensor(7 / 9))
    metric.reset()
    metric.update(["a"], ["a"])
    assert metric.compute() == 0
