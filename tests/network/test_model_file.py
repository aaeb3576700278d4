"""A model file holds all that inference needs, and stays readable when training changes."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.parameters import Params
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from emnist_lines.common.alphabet import SYMBOLS
from emnist_lines.common.errors import FileError
from emnist_lines.network import model_file
from emnist_lines.network.model_file import FORMAT, ModelCard
from emnist_lines.network.recognizer import Recognizer

PROVENANCE = {"model": {"conv_dropout": 0.1}, "train": {"seed": 0}, "source": "drawn", "data_sha256": {"a.h5": "hash"}}


def card_of(small: Params) -> ModelCard:
    return ModelCard(small.model.architecture(), 10, True, 0.1, PROVENANCE)


def recognizer_of(small: Params, with_ctc: bool = True) -> Recognizer:
    torch.manual_seed(0)
    recognizer = Recognizer.build(small.model, 10, 0.1, with_ctc)
    recognizer.modules().eval()
    return recognizer


@pytest.fixture
def path(small: Params, tmp_path: Path) -> Path:
    """A model file."""
    path = tmp_path / "model.safetensors"
    model_file.save(path, recognizer_of(small).modules().state_dict(), card_of(small))
    return path


def about(path: Path) -> dict[str, Any]:
    """What a model file says, as it stands there."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert list(metadata) == ["about"]
    content: dict[str, Any] = json.loads(metadata["about"])
    return content


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what a model file says."""
    content = about(path)
    change(content)
    save_file(load_file(path), path, {"about": json.dumps(content)})


def refusal(path: Path) -> str:
    """Why a model file is not read."""
    with pytest.raises(FileError) as raised:
        model_file.load(path)
    assert raised.value.path == path
    told = str(raised.value)
    assert told.startswith(f"{path} ")
    assert "\n" not in told
    return told.removeprefix(f"{path} ")


@pytest.mark.parametrize("with_ctc", [True, False])
def test_round_trip(small: Params, tmp_path: Path, with_ctc: bool) -> None:
    before, path = recognizer_of(small, with_ctc), tmp_path / "model"
    model_file.save(path, before.modules().state_dict(), card_of(small))
    after, card = model_file.load(path)
    assert card == card_of(small)
    assert (after.max_length, after.label_smoothing) == (10, 0.1)
    assert (after.ctc_head is not None) == with_ctc
    weights, kept = before.modules().state_dict(), after.modules().state_dict()
    assert weights.keys() == kept.keys()
    assert all(torch.equal(weights[name], kept[name]) for name in weights)
    assert not any(module.training for part in after.modules().values() for module in part.modules())
    images, widths = torch.randint(0, 256, (2, 28, 128), dtype=torch.uint8), torch.tensor([100, 60])
    assert after.greedy(after.encode(images, widths)) == before.greedy(before.encode(images, widths))


def test_the_weights_have_the_names_of_the_modules(path: Path) -> None:
    names = set(load_file(path))
    assert {name.partition(".")[0] for name in names} == {"model", "ctc_head"}
    assert "model.line_cnn.convs.0.conv.weight" in names


def test_what_inference_needs_is_apart_from_provenance(path: Path, small: Params) -> None:
    content = about(path)
    assert content.pop("format") == FORMAT == 2
    assert tuple(content.pop("alphabet")) == SYMBOLS
    assert content == {
        "network": small.model.architecture().model_dump(),
        "max_length": 10,
        "start_end_tokens": True,
        "label_smoothing": 0.1,
        "provenance": PROVENANCE,
    }


@pytest.mark.parametrize(
    "provenance",
    [
        {},
        {**PROVENANCE, "train": {"seed": 0, "option_of_next_year": [1, {"a": None}]}},
        {**PROVENANCE, "section_of_next_year": 1},
        {"train": None, "model": 3, "source": ["a"]},
    ],
)
def test_nothing_in_provenance_matters(path: Path, small: Params, provenance: dict[str, Any]) -> None:
    """A new training option never makes a released model unreadable, nor does one that is gone."""
    expected, _ = model_file.load(path)
    rewrite(path, lambda content: content.update(provenance=provenance))
    found, card = model_file.load(path)
    assert card.provenance == provenance
    assert card.architecture == small.model.architecture()
    weights = expected.modules().state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in found.modules().state_dict().items())


def test_a_further_remark_does_not_matter(path: Path, small: Params) -> None:
    rewrite(path, lambda content: content.update(licence="MIT"))
    assert model_file.load(path)[1] == card_of(small)


@pytest.mark.parametrize("key", ["window_width", "tf_heads", "normalize_features"])
def test_a_missing_network_key_is_named(path: Path, key: str) -> None:
    rewrite(path, lambda content: content["network"].pop(key))
    assert refusal(path) == f"holds no model of this project (network.{key} is missing)"


def test_a_network_key_that_is_not_known_is_named(path: Path) -> None:
    """It may change what the network computes."""
    rewrite(path, lambda content: content["network"].update(attention="linear"))
    assert refusal(path).startswith("holds no model of this project (network has an unknown key 'attention'; known are")


def test_a_wrong_network_value_is_named(path: Path) -> None:
    rewrite(path, lambda content: content["network"].update(tf_heads=3))
    assert refusal(path).startswith("holds no model of this project (network.tf_heads must be a divisor of ")


@pytest.mark.parametrize("key", ["network", "max_length", "start_end_tokens", "label_smoothing", "alphabet"])
def test_what_else_inference_needs_is_named_where_it_is_missing(path: Path, key: str) -> None:
    rewrite(path, lambda content: content.pop(key))
    assert refusal(path) == f"holds no model of this project ('{key}')"


def test_an_older_format_is_one_sentence(path: Path, small: Params) -> None:
    """The first had no number, and the network's parameters among those of training."""

    def first(content: dict[str, Any]) -> None:
        del content["format"], content["network"], content["provenance"]
        content.update(model=small.model.model_dump(), train=small.train.model_dump(), source="drawn")

    rewrite(path, first)
    assert refusal(path) == "has the format 1 of model files, not 2"


def test_a_newer_format_is_one_sentence(path: Path) -> None:
    rewrite(path, lambda content: content.update(format=3))
    assert refusal(path) == "has the format 3 of model files, not 2"


def test_another_alphabet_is_one_sentence(path: Path) -> None:
    rewrite(path, lambda content: content.update(alphabet=["a", "b"]))
    assert refusal(path) == "was trained for another alphabet"


def test_other_layers_are_one_sentence(path: Path, small: Params) -> None:
    rewrite(path, lambda content: content["network"].update(fc_dim=64))
    assert refusal(path) == "has other layers than its parameters say"
    weights = recognizer_of(small).modules().state_dict()
    for name in ("model.fc.bias", "ctc_head.bias"):
        fewer = {key: tensor for key, tensor in weights.items() if key != name}
        model_file.save(path, fewer, card_of(small))
        assert refusal(path) == "has other layers than its parameters say"
    model_file.save(path, {**weights, "model.more": torch.zeros(1)}, card_of(small))
    assert refusal(path) == "has other layers than its parameters say"


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{}      ", b"x" * 100])
def test_a_damaged_model_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert refusal(path).startswith("holds no model of this project (")


@pytest.mark.parametrize("said", ["[]", "3", "null", "{", '"about"'])
def test_metadata_of_something_else_are_one_sentence(path: Path, said: str) -> None:
    save_file(load_file(path), path, {"about": said})
    assert refusal(path).startswith("holds no model of this project (")


def test_a_missing_model_file_is_one_sentence(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing.safetensors") == "is missing"


def test_the_same_model_has_the_same_bytes(path: Path, small: Params) -> None:
    """Whatever safetensors' hash tables do: they are seeded anew each time."""
    before = path.read_bytes()
    for _ in range(5):
        model_file.save(path, recognizer_of(small).modules().state_dict(), card_of(small))
        assert path.read_bytes() == before
    backwards = dict(reversed(PROVENANCE.items()))
    card = ModelCard(small.model.architecture(), 10, True, 0.1, backwards)
    model_file.save(path, recognizer_of(small).modules().state_dict(), card)
    assert path.read_bytes() == before


AGAIN = """
import sys
from pathlib import Path
from emnist_lines.network import model_file
source, out = map(Path, sys.argv[1:])
recognizer, card = model_file.load(source)
model_file.save(out, recognizer.modules().state_dict(), card)
"""


@pytest.mark.slow
def test_a_model_file_has_the_same_bytes_in_every_process(path: Path, tmp_path: Path) -> None:
    for number in "123":
        out, environment = tmp_path / number, {"PYTHONHASHSEED": number, "PATH": "/usr/bin:/bin"}
        subprocess.run([sys.executable, "-c", AGAIN, str(path), str(out)], check=True, env=environment)
        assert out.read_bytes() == path.read_bytes()
