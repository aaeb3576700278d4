"""The CTC head's probability of a prefix is the sum over all paths whose text begins with it."""

import itertools

import pytest
import torch

from emnist_lines.network.ctc_prefix import NEVER, Outputs, Prefixes
from emnist_lines.network.rows import Rows
from tests.network.test_beam_search import LENGTHS, LETTERS, by_all_paths, logits_of_few_letters


def test_prefix_scores_add_up_all_paths() -> None:
    """Of both lines at once, with all texts of three letters as rows."""
    logits = logits_of_few_letters(0)
    outputs = Outputs.of(logits, LENGTHS)
    texts = torch.tensor(list(itertools.product(LETTERS, repeat=3)))
    chances = [by_all_paths(logits[line, : LENGTHS[line]]) for line in range(2)]
    lines = torch.arange(2).repeat_interleave(len(texts))
    prefixes, parents = Prefixes.empty(outputs), lines
    for length in range(4):
        for row, line in enumerate(lines.tolist()):
            text = tuple(texts[row % len(texts), :length].tolist())
            found = float(prefixes.ended()[parents[row]].exp())
            assert found == pytest.approx(chances[line].get(text, 0.0), abs=1e-12)
        if length == 3:
            break
        tokens = texts[:, length].repeat(2)
        rows = Rows.of(torch.arange(2) if length == 0 else lines, 2)
        begun = prefixes.begun(outputs, rows)[parents, tokens]
        for row, line in enumerate(lines.tolist()):
            text = tuple(texts[row % len(texts), : length + 1].tolist())
            expected = sum(chance for other, chance in chances[line].items() if other[: length + 1] == text)
            assert float(begun[row].exp()) == pytest.approx(expected, abs=1e-12)
        prefixes = prefixes.extend(parents, tokens, lines, outputs)
        parents = torch.arange(len(lines))


def test_long_lines_of_unlikely_texts_have_scores() -> None:
    """Probabilities that no float holds: a prefix that each of 300 windows finds unlikely."""
    logits = torch.zeros(1, 300, 83)
    logits[:, :, LETTERS[0]] = 40.0
    outputs = Outputs.of(logits, torch.tensor([300]))
    prefixes = Prefixes.empty(outputs)
    row = torch.tensor([0])
    assert float(prefixes.ended()) == pytest.approx(-300 * 40, rel=1e-3)
    for token in (LETTERS[1], LETTERS[0], LETTERS[1]):
        begun = prefixes.begun(outputs, Rows.of(row, 1))
        assert begun.isfinite().all()
        prefixes = prefixes.extend(row, torch.tensor([token]), row, outputs)
    assert NEVER < float(prefixes.ended()) < -40


def test_windows_behind_the_text_do_not_matter() -> None:
    logits = torch.randn(1, 9, 83, generator=torch.Generator().manual_seed(0))
    row, token = torch.tensor([0]), torch.tensor([LETTERS[0]])
    scores = []
    for windows in (6, 9):
        outputs = Outputs.of(logits[:, :windows], torch.tensor([6]))
        prefixes = Prefixes.empty(outputs).extend(row, token, row, outputs)
        begun = prefixes.begun(outputs, Rows.of(row, 1))[:, 4:]
        scores.append(torch.cat([begun, prefixes.ended()[:, None]], dim=1))
    torch.testing.assert_close(*scores)
