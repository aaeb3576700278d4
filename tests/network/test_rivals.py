"""What a beam drops lowers the confidence of the hypothesis at the position where the two part."""

import torch
from torch import Tensor

from emnist_lines.network.rivals import Rivals


def logs(*probabilities: float) -> Tensor:
    """(1, W) float64, one line."""
    return torch.tensor([probabilities], dtype=torch.float64).log()


def test_what_is_dropped_counts_where_it_parts() -> None:
    """Of x (0.6), y (0.3) and z (0.1), then xu (0.4), xv (0.15), xw (0.05) and all of y: shares of one whole."""
    rivals = Rivals.none(1, 2, 3, torch.device("cpu"))
    dropped, total = logs(0.1, 0), logs(1, 0)
    rivals = rivals.after(torch.tensor([[0, 0]]), logs(0.6, 0.3), dropped, total, 0)
    torch.testing.assert_close(rivals.ratios[0, :, 0].tolist(), [1 / 6, 1 / 3])
    rivals = rivals.after(torch.tensor([[0, 0]]), logs(0.4, 0.15), logs(0.05, 0.3), logs(0.6, 0.3), 1)
    torch.testing.assert_close(rivals.ratios[0].tolist(), [[1.0, 1 / 8, 0.0], [8 / 3, 1 / 3, 0.0]])
    found = rivals.log_probs(logs(0.4, 0.15)).exp()  # at last xv is dropped as well
    torch.testing.assert_close(found.tolist(), [[0.6, 0.4 / 0.6, 1.0]])


def test_where_all_texts_stay_to_the_end_confidences_are_their_shares() -> None:
    """Of xu (0.4), xv (0.2), yu (0.3) and yv (0.1)."""
    rivals = Rivals.none(1, 4, 2, torch.device("cpu"))
    rivals = rivals.after(torch.tensor([[0, 0, 0, 0]]), logs(0.6, 0.4, 0, 0), logs(0, 0, 0, 0), logs(1, 0, 0, 0), 0)
    scores = logs(0.4, 0.3, 0.2, 0.1)
    rivals = rivals.after(torch.tensor([[0, 1, 0, 1]]), scores, logs(0, 0, 0, 0), logs(0.6, 0.4, 0, 0), 1)
    torch.testing.assert_close(rivals.log_probs(scores).exp().tolist(), [[0.6, 0.4 / 0.6]])


def test_places_without_a_hypothesis_count_nothing() -> None:
    rivals, scores = Rivals.none(1, 2, 2, torch.device("cpu")), logs(1, 0)
    for position in range(2):
        rivals = rivals.after(torch.tensor([[0, 1]]), scores, logs(0, 0), scores, position)
    assert rivals.log_probs(scores).tolist() == [[0, 0]]
