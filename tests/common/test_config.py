"""Whatever is wrong with params.yaml is one sentence that names the key."""

import copy
import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from benchmarks.parameters import Params, load_all
from dvc.utils.hydra import apply_overrides
from pydantic.fields import FieldInfo

from emnist_lines.common import config
from emnist_lines.common.config import SECTIONS, ParamError, Section
from emnist_lines.common.errors import UserError
from emnist_lines.common.machine import MachineConfig
from emnist_lines.evaluation.config import EvaluateConfig
from emnist_lines.network.config import Architecture, ModelConfig
from emnist_lines.synthesis.config import SplitFractions, SynthesizeConfig
from emnist_lines.training.config import TrainConfig
from tests.conftest import ROOT

TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")
CONTENT = yaml.safe_load(TEXT)


def load(tmp_path: Path, content: Any) -> Params:
    path = tmp_path / "params.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return load_all(path)


def changed(key: str, value: Any) -> dict[str, Any]:
    """The repository's own values with another one at `key`."""
    content = copy.deepcopy(CONTENT)
    *outer, last = key.split(".")
    target = content
    for name in outer:
        target = target[name]
    target[last] = value
    return content


def in_sections(content: Any) -> dict[str, Section]:
    """All sections of a file's content."""
    return {name: config.section_of(content, name, Params.model_fields[name].annotation) for name in SECTIONS}


def is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)


def fields(section: type[Section], key: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Each field of a section and of the sections inside it, by its key."""
    for name, field in section.model_fields.items():
        yield key + name, field
        if is_section(field):
            yield from fields(field.annotation, f"{key}{name}.")  # type: ignore[arg-type]


def test_the_repository_s_own_values() -> None:
    values = load_all(ROOT / "params.yaml")
    synthesize = values.synthesize
    assert (synthesize.num_train, synthesize.num_val, synthesize.num_test) == (300_000, 2_000, 2_000)
    assert (synthesize.max_length, synthesize.min_overlap, synthesize.max_overlap) == (32, 0.0, 0.33)
    assert values.download.parts == ("test",)
    assert hash(values) == hash(load_all(ROOT / "params.yaml"))  # frozen all the way down
    assert values.model_dump(mode="json") == CONTENT  # nothing is lost, or taken for something else


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
        ("synthesize.num_train", 10**8 + 1),
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
        ("synthesize.mix", {"lab": 0.5, "natural": 0.2, "written": 0.2}),
        ("synthesize.mix.written", -0.1),
        ("train.start_from", 3),
        ("train.variation.shift", 9),
        ("train.variation.bend", -1),
        ("train.variation.pen", 1.5),
        ("model.window_width", 7),
        ("model.window_stride", 29),
        ("model.tf_heads", 3),
        ("model.tf_dim", 255),
        ("model.tf_dropout", 1.0),
        ("model.initialization", "xavier"),
        ("train.learning_rate", "fast"),
        ("train.learning_rate", 0),
        ("train.bucket_width", 60),
        ("train.batch_size", None),
        ("train.gradient_clip", 0.0),
        ("train.curriculum", [8, -1]),
        ("train.weight_decay", -0.1),
        ("train.validate_every", 0),
        ("train.precision", 16),
        ("train.ctc_weight", 1.0),
        ("evaluate.bootstrap_samples", 0),
        ("evaluate.bootstrap_seed", 2**32),
        ("evaluate.beam_width", 65),
        ("evaluate.uniform_share", 1),
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


WRONG = [None, True, "none of these", 1.5, -1, 10**400, float("nan"), float("inf"), [], [[1]], ["a\nb"], {"a": 1}]
"""Values of every type, of which each field takes a few at most."""


@pytest.mark.parametrize("key", [key for key, field in fields(Params) if not is_section(field)])
def test_a_value_of_any_other_type_is_told_by_its_key(key: str) -> None:
    """The sentence begins with the key itself, or that of an item of its list, and ends with the value."""
    refused = 0
    for value in WRONG:
        try:
            in_sections(changed(key, value))
        except ParamError as error:
            refused += 1
            told = str(error)
            names = (key, f"{key}.0", "synthesize.split_fractions")  # the last where a share is too large for the sum
            assert told.startswith(tuple(f"{name} must be " for name in names))
            assert ", not " in told
            assert "\n" not in told
        else:
            assert not isinstance(value, float) or math.isfinite(value)
    assert refused >= len(WRONG) - 3


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


def test_each_section_is_defined_somewhere_and_each_field_described() -> None:
    assert tuple(Params.model_fields) == SECTIONS == tuple(CONTENT)
    found = dict(fields(Params))
    assert len(found) > 70
    for key, field in found.items():
        if key not in SECTIONS:  # what these are for stands in their classes' docstrings
            assert field.description, key
            assert "\n" not in field.description
            assert not field.description.endswith(".")
        if is_section(field):
            assert field.annotation is not None
            assert field.annotation.__doc__
            assert field.annotation.__doc__ != Section.__doc__


@pytest.mark.parametrize("content", ["", "[]", "a: [", "- 1", "\t", "a: !!python/object:os.system {}"])
def test_no_mapping_is_one_sentence(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError) as raised:
        load(tmp_path, content)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(str(tmp_path / "params.yaml"))


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read \(No such file .* run from the repository's root"):
        load_all(tmp_path / "params.yaml")


def test_a_stage_reads_its_own_sections_alone(tmp_path: Path) -> None:
    """In the order asked for. Unknown sections are told all the same: a misspelled one would be missed elsewhere."""
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(changed("train.learning_rate", "fast")))
    assert config.load(path, evaluate=EvaluateConfig) == load_all(ROOT / "params.yaml").evaluate
    machine, model = config.load(path, machine=MachineConfig, model=ModelConfig)
    assert (type(machine), type(model)) == (MachineConfig, ModelConfig)
    with pytest.raises(UserError, match=r"params\.yaml: train\.learning_rate must be a valid number, not 'fast'$"):
        config.load(path, machine=MachineConfig, train=TrainConfig)
    path.write_text(yaml.safe_dump({**CONTENT, "trian": {}}))
    with pytest.raises(UserError, match="the file has an unknown key 'trian'; known are download, "):
        config.load(path, evaluate=EvaluateConfig)


def test_a_value_that_another_one_rules_out_names_both(defaults: Params) -> None:
    for section, key, other, value in (
        (defaults.model, "tf_heads", "model.tf_dim", 3),
        (defaults.synthesize.replace(max_overlap=0.9, min_overlap=0.5), "max_overlap", "synthesize.min_overlap", 0.4),
    ):
        with pytest.raises(ParamError, match=rf"^{key} must be .* {other} \(.*\), not {value}$"):
            section.replace(**{key: value})
    with pytest.raises(ParamError, match=r"must be three that sum to 1 \(these sum to 1\.1\)"):
        SplitFractions(train=0.7, val=0.15, test=0.15).replace(val=0.25)


def test_a_copy_with_other_values_is_as_strict_as_the_file(defaults: Params) -> None:
    synthesize = defaults.synthesize.replace(num_train=7, max_overlap=0)
    assert (synthesize.num_train, synthesize.max_overlap, synthesize.num_val) == (7, 0.0, 2000)
    assert synthesize.split_fractions is defaults.synthesize.split_fractions
    assert type(synthesize) is SynthesizeConfig
    assert defaults.synthesize.num_train == 300_000
    with pytest.raises(ParamError, match=r"^num_train must be greater than or equal to 1, not 0$"):
        synthesize.replace(num_train=0)
    with pytest.raises(ParamError, match="unknown key 'num_trian'; known are seed, "):
        synthesize.replace(num_trian=1)
    with pytest.raises(ValueError, match="frozen"):
        synthesize.num_train = 8


def test_an_architecture_is_what_inference_needs_of_a_network(defaults: Params) -> None:
    """Dropout and initialization are not: neither changes what a trained network computes."""
    architecture = defaults.model.architecture()
    assert type(architecture) is Architecture
    left_out = set(ModelConfig.model_fields) - set(Architecture.model_fields)
    assert left_out == {"conv_dropout", "fc_dropout", "tf_dropout", "position_dropout", "initialization"}
    back = ModelConfig.for_inference(architecture)
    assert back.architecture() == architecture
    assert back.replace(**{name: getattr(defaults.model, name) for name in left_out}) == defaults.model
    assert defaults.model.crop_step(64) == 64
    assert defaults.model.crop_step() == 8
    assert defaults.model.replace(mask_padding=False).crop_step(64) is None


def test_whole_numbers_pass_for_floats(tmp_path: Path) -> None:
    assert load(tmp_path, changed("train.gradient_clip", 5)).train.gradient_clip == 5.0
    assert load(tmp_path, changed("train.gradient_clip", None)).train.gradient_clip is None


@pytest.mark.parametrize(
    ("written", "value"),
    [("1e-05", 1e-05), ("1e-3", 1e-3), ("1E-3", 1e-3), ("1.0e-05", 1e-05), ("5e+0", 5.0), ("2", 2.0), (".5", 0.5)],
)
def test_numbers_are_those_of_yaml_1_2(tmp_path: Path, written: str, value: float) -> None:
    """YAML 1.1, PyYAML's, takes `1e-05` for a word; DVC writes it."""
    text = TEXT.replace("learning_rate: 0.001 ", f"learning_rate: {written} ")
    assert text != TEXT
    assert load(tmp_path, text).train.learning_rate == value
    with pytest.raises(UserError, match=rf"learning_rate must be a valid number, not '{re.escape(written)}'"):
        load(tmp_path, TEXT.replace("learning_rate: 0.001 ", f"learning_rate: '{written}' "))


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "Yes"])
def test_words_are_those_of_yaml_1_2(tmp_path: Path, word: str) -> None:
    """In YAML 1.1 they are truth values."""
    text = TEXT.replace("accelerator: auto ", f"accelerator: {word} ")
    assert load(tmp_path, text).machine.accelerator == word
    with pytest.raises(UserError, match=rf"machine\.compile must be a valid boolean, not '{word}'"):
        load(tmp_path, TEXT.replace("compile: false ", f"compile: {word} "))


@pytest.mark.parametrize("given", ["1e-5", "0.00001", "1e-05", "0.001"])
def test_a_number_that_dvc_writes_is_a_number(tmp_path: Path, given: str) -> None:
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    apply_overrides(path, [f"train.learning_rate={given}"])
    assert load_all(path).train.learning_rate == float(given)


def leaves(content: dict[str, Any], key: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in content.items():
        found += leaves(value, f"{key}{name}.") if isinstance(value, dict) else [(key + name, value)]
    return found


def as_dvc_takes_it(value: Any) -> str:
    return json.dumps(value).replace('"', "").replace(" ", "")


def test_dvc_can_set_all_keys_again_and_again(tmp_path: Path) -> None:
    """As `dvc exp run --set-param` does, which writes the file anew, comments and all."""
    path, known = tmp_path / "params.yaml", leaves(CONTENT)
    shutil.copy(ROOT / "params.yaml", path)
    rounds = [([], None), ([3], 7), ([1, 2, 3], None)]
    for of_a_list, other in (*rounds, *rounds):
        values = {key: of_a_list if isinstance(value, list) else other for key, value in known}
        apply_overrides(path, [f"{key}={as_dvc_takes_it(value)}" for key, value in values.items()])
        assert dict(leaves(yaml.safe_load(path.read_text(encoding="utf-8")))) == values
    apply_overrides(path, [f"{key}={as_dvc_takes_it(value)}" for key, value in known])
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == CONTENT
    assert load_all(path) == load_all(ROOT / "params.yaml")
    assert path.read_text(encoding="utf-8").count("#") == TEXT.count("#")


@pytest.mark.slow
@pytest.mark.parametrize(("key", "value"), leaves(CONTENT))
def test_dvc_can_set_each_key_again_and_again(tmp_path: Path, key: str, value: Any) -> None:
    """One at a time, and no other changes."""
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    others = [[], [3], [1, 2, 3]] if isinstance(value, list) else [None, 7]
    for chosen in (*others, *others, value):
        apply_overrides(path, [f"{key}={as_dvc_takes_it(chosen)}"])
        assert yaml.safe_load(path.read_text(encoding="utf-8")) == changed(key, chosen)
