"""Training may start from a model file, and tells each kind of lines' validation error apart."""

from pathlib import Path

import pytest
import torch
from benchmarks.parameters import Params
from safetensors.torch import load_file

from emnist_lines.common.errors import UserError
from tests.training_run import trained


@pytest.fixture(scope="module")
def first(lines: Path, small: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a model that one epoch has trained."""
    return trained(small.replace(train=small.train.replace(max_epochs=1)), lines, tmp_path_factory.mktemp("first"))


def going_on(small: Params, first: Path, **changes: object) -> Params:
    values = {"max_epochs": 1, "start_from": str(first), "curriculum": (), **changes}
    return small.replace(train=small.train.replace(**values))


def test_training_goes_on_from_a_model(first: Path, lines: Path, small: Params, tmp_path: Path) -> None:
    still = trained(going_on(small, first, learning_rate=1e-9), lines, tmp_path / "still")
    moved = trained(going_on(small, first), lines, tmp_path / "moved")
    before = load_file(first)
    assert all(torch.allclose(value, before[name], atol=1e-5) for name, value in load_file(still).items())
    assert not all(torch.allclose(value, before[name], atol=1e-5) for name, value in load_file(moved).items())


def test_a_model_of_another_network_is_no_start(first: Path, lines: Path, small: Params, tmp_path: Path) -> None:
    wider = going_on(small, first).replace(model=small.model.replace(tf_dim=32))
    with pytest.raises(UserError, match="holds another network than"):
        trained(wider, lines, tmp_path)
    with pytest.raises(UserError, match="is missing"):
        trained(going_on(small, tmp_path / "none"), lines, tmp_path)
