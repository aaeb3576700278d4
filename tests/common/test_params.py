"""Whatever is wrong with params.yaml is one sentence that names the key."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from emnist_lines.common import params
from emnist_lines.common.errors import UserError
from tests.conftest import ROOT

CONTENT = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def load(tmp_path: Path, content: Any) -> params.Params:
    path = tmp_path / "params.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return params.load(path)


def changed(key: str, value: Any) -> dict[str, Any]:
    content = copy.deepcopy(CONTENT)
    *outer, last = key.split(".")
    target = content
    for name in outer:
        target = target[name]
    target[last] = value
    return content


def test_the_repository_s_own_values() -> None:
    values = params.load(ROOT / "params.yaml")
    synthesize = values.synthesize
    assert (synthesize.num_train, synthesize.num_val, synthesize.num_test) == (400_000, 2_000, 2_000)
    assert (synthesize.max_length, synthesize.min_overlap, synthesize.max_overlap) == (32, 0.0, 0.33)
    assert values.download.parts == ("test",)
    assert hash(values) == hash(params.load(ROOT / "params.yaml"))  # frozen all the way down


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("download.source", "mnist"),
        ("download.parts", []),
        ("download.parts", ["test", "test"]),
        ("download.parts", "test"),
        ("download.parts", ["val"]),
        ("download.drawn_per_class", 0),
        ("download.drawn_seed", -1),
        ("synthesize.seed", -1),
        ("synthesize.seed", 1.5),
        ("synthesize.num_train", 0),
        ("synthesize.num_val", True),
        ("synthesize.max_length", 2),
        ("synthesize.max_length", 2000),
        ("synthesize.max_overlap", 1.0),
        ("synthesize.min_overlap", 0.5),
        ("synthesize.min_overlap", float("nan")),
        ("synthesize.with_start_end_tokens", "no"),
        ("synthesize.split_fractions", {"train": 0.7, "val": 0.2, "test": 0.2}),
        ("synthesize.split_fractions.train", -0.7),
        ("synthesize.split_fractions", 3),
        ("model.window_width", 7),
        ("model.tf_heads", 3),
        ("model.tf_dim", 255),
        ("model.tf_dropout", 1.0),
        ("model.initialization", "xavier"),
        ("train.learning_rate", "1e-3"),
        ("train.learning_rate", 0),
        ("train.bucket_width", 60),
        ("train.batch_size", None),
        ("train.gradient_clip", 0.0),
        ("train.curriculum", [8, -1]),
        ("train.weight_decay", -0.1),
        ("train.validate_every", 10_000),
        ("train.precision", 16),
        ("train.ctc_weight", 1.0),
        ("evaluate.bootstrap_samples", 0),
        ("evaluate.bootstrap_seed", 2**32),
        ("machine.workers", -1),
        ("machine.devices", None),
        ("machine.threads", 0),
    ],
)
def test_a_wrong_value_names_its_key(tmp_path: Path, key: str, value: Any) -> None:
    with pytest.raises(UserError) as raised:
        load(tmp_path, changed(key, value))
    message = str(raised.value)
    assert key in message
    assert "must be" in message
    assert "\n" not in message


@pytest.mark.parametrize("key", ["train.max_epochs", "synthesize.split_fractions.val", "machine"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    content = copy.deepcopy(CONTENT)
    *outer, last = key.split(".")
    target = content
    for name in outer:
        target = target[name]
    del target[last]
    with pytest.raises(UserError, match=rf"{key} is missing$"):
        load(tmp_path, content)


@pytest.mark.parametrize("key", ["train.max_epoch", "trian", "synthesize.split_fractions.dev"])
def test_an_unknown_key_is_named(tmp_path: Path, key: str) -> None:
    with pytest.raises(UserError, match=rf"unknown key '{key.rpartition('.')[2]}'; known are "):
        load(tmp_path, changed(key, 1))


@pytest.mark.parametrize("content", ["", "[]", "a: [", "- 1", "\t", "a: !!python/object:os.system {}"])
def test_no_mapping_is_one_sentence(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError) as raised:
        load(tmp_path, content)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read .* run from the repository's root"):
        params.load(tmp_path / "params.yaml")


def test_whole_numbers_pass_for_floats(tmp_path: Path) -> None:
    assert load(tmp_path, changed("train.gradient_clip", 5)).train.gradient_clip == 5.0
    assert load(tmp_path, changed("train.gradient_clip", None)).train.gradient_clip is None


def leaves(content: dict[str, Any], key: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in content.items():
        found += leaves(value, f"{key}{name}.") if isinstance(value, dict) else [(key + name, value)]
    return found


@pytest.mark.parametrize(("key", "value"), leaves(CONTENT))
def test_dvc_can_set_each_key_again_and_again(tmp_path: Path, key: str, value: Any) -> None:
    """As `dvc exp run --set-param` does, which writes the file anew, comments and all."""
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    others = [[], [3], [1, 2, 3]] if isinstance(value, list) else [None, 7]
    for chosen in (*others, *others, value):
        word = json.dumps(chosen).replace('"', "").replace(" ", "")
        apply_overrides(path, [f"{key}={word}"])
        assert yaml.safe_load(path.read_text(encoding="utf-8")) == changed(key, chosen)
