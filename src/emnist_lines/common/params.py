"""`params.yaml` as frozen dataclasses, one per section. What each value means stands in that file.

A key that is unknown or missing, a value of the wrong type or out of range: each is an error of one sentence that
names the key.
"""

import dataclasses
import math
import reprlib
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from emnist_lines.common.errors import UserError

T = TypeVar("T")
MOST_LINES = 10**8
BLOCK = 500
"""Lines composed at a time. Part of the format: each block has its own random stream, and lies in one file."""
_short = reprlib.Repr()
"""How a value is told: aliases can make a small file hold a list of billions."""
_short.maxlevel, _short.maxstring, _short.maxother = 3, 60, 60


UNREADABLE = (yaml.YAMLError, RecursionError, ValueError, LookupError, TypeError, AttributeError)
"""What PyYAML ends in: besides its own errors, those of what it calls for numbers, dates and tags that are none."""


class ParamError(ValueError):
    """Which key is wrong, and how."""


def _require(holds: bool, key: str, rule: str, value: Any) -> None:
    if not holds:
        raise ParamError(f"{key} must be {rule}, not {_short.repr(value)}")


def _positive(section: str, params: Any, *names: str) -> None:
    for name in names:
        value = getattr(params, name)
        _require(value is None or value > 0, f"{section}.{name}", "greater than 0", value)


def _fraction(section: str, params: Any, *names: str) -> None:
    """A share or a probability that may be 0 but not 1."""
    for name in names:
        value = getattr(params, name)
        _require(0 <= value < 1, f"{section}.{name}", "at least 0 and less than 1", value)


def _seed(section: str, value: int) -> None:
    _require(0 <= value < 2**32, f"{section}.seed", "at least 0 and less than 2^32", value)


@dataclass(frozen=True)
class Download:
    source: Literal["emnist", "drawn"]
    parts: tuple[Literal["train", "test"], ...]
    drawn_per_class: int
    drawn_seed: int

    def __post_init__(self) -> None:
        parts = list(self.parts)
        _require(len(parts) > 0, "download.parts", "a list of train, test or both", parts)
        _require(len(set(parts)) == len(parts), "download.parts", "free of repeats", parts)
        _require(self.drawn_per_class >= 10, "download.drawn_per_class", "at least 10", self.drawn_per_class)
        _require(0 <= self.drawn_seed < 2**32, "download.drawn_seed", "at least 0 and less than 2^32", self.drawn_seed)


@dataclass(frozen=True)
class SplitFractions:
    train: float
    val: float
    test: float

    def __post_init__(self) -> None:
        _positive("synthesize.split_fractions", self, "train", "val", "test")
        total = self.train + self.val + self.test
        _require(math.isclose(total, 1, abs_tol=1e-6), "synthesize.split_fractions", "three that sum to 1", total)


@dataclass(frozen=True)
class Variation:
    shift: float
    stretch: float
    bend: float
    pen: float

    def __post_init__(self) -> None:
        for name in ("shift", "stretch", "bend"):
            value = getattr(self, name)
            _require(0 <= value <= 8, f"synthesize.train_variation.{name}", "from 0 to 8 pixels", value)
        _require(0 <= self.pen <= 1, "synthesize.train_variation.pen", "from 0 to 1 pixel", self.pen)

    @property
    def any(self) -> bool:
        """Whether glyphs vary at all."""
        return max(self.shift, self.stretch, self.bend, self.pen) > 0


@dataclass(frozen=True)
class Synthesize:
    seed: int
    num_train: int
    num_val: int
    num_test: int
    lines_per_file: int | None
    max_length: int
    min_overlap: float
    max_overlap: float
    overlap_varies_within_line: bool
    with_start_end_tokens: bool
    fresh_glyph_per_character: bool
    train_variation: Variation
    split_fractions: SplitFractions
    shared_as_in_lab: bool

    def __post_init__(self) -> None:
        _seed("synthesize", self.seed)
        _positive("synthesize", self, "num_train", "num_val", "num_test")
        for name in ("num_train", "num_val", "num_test"):
            value = getattr(self, name)
            _require(value <= MOST_LINES, f"synthesize.{name}", f"at most {MOST_LINES:,}", value)
        _positive("synthesize", self, "lines_per_file")
        _require(
            (self.lines_per_file or 0) % BLOCK == 0,
            "synthesize.lines_per_file",
            f"a multiple of {BLOCK}, or null",
            self.lines_per_file,
        )
        _require(3 <= self.max_length <= 1024, "synthesize.max_length", "from 3 to 1024", self.max_length)
        _fraction("synthesize", self, "min_overlap", "max_overlap")
        _require(
            self.min_overlap <= self.max_overlap,
            "synthesize.min_overlap",
            f"at most max_overlap ({self.max_overlap})",
            self.min_overlap,
        )


@dataclass(frozen=True)
class Model:
    window_width: int
    window_stride: int
    conv_dim: int
    conv_dropout: float
    fc_dim: int
    fc_dropout: float
    tf_dim: int
    tf_fc_dim: int
    tf_layers: int
    tf_heads: int
    tf_dropout: float
    position_dropout: float
    initialization: Literal["fan_in", "fan_out"]
    normalize_features: bool
    mask_padding: bool

    def __post_init__(self) -> None:
        _positive("model", self, "conv_dim", "fc_dim", "tf_dim", "tf_fc_dim", "tf_layers", "tf_heads")
        for name in ("window_width", "window_stride"):
            value = getattr(self, name)
            _require(8 <= value <= 28, f"model.{name}", "from 8 to 28 columns", value)
        _require(self.tf_dim % 2 == 0, "model.tf_dim", "even", self.tf_dim)
        _require(self.tf_dim % self.tf_heads == 0, "model.tf_dim", "a multiple of model.tf_heads", self.tf_dim)
        _fraction("model", self, "conv_dropout", "fc_dropout", "tf_dropout", "position_dropout")


@dataclass(frozen=True)
class Train:
    seed: int
    max_epochs: int
    lines_per_epoch: int | None
    batch_size: int
    micro_batch_size: int
    bucket_width: int
    optimizer: Literal["adam", "adamw"]
    learning_rate: float
    weight_decay: float
    schedule: Literal["one_cycle", "constant"]
    warmup_fraction: float
    gradient_clip: float | None
    ema_decay: float
    label_smoothing: float
    ctc_weight: float
    curriculum: tuple[int, ...]
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed"]
    validate_every: int
    early_stopping_patience: int | None

    def __post_init__(self) -> None:
        _seed("train", self.seed)
        _positive(
            "train",
            self,
            "max_epochs",
            "lines_per_epoch",
            "batch_size",
            "micro_batch_size",
            "bucket_width",
            "learning_rate",
            "gradient_clip",
            "validate_every",
            "early_stopping_patience",
        )
        _require(self.bucket_width % 8 == 0, "train.bucket_width", "a multiple of 8", self.bucket_width)
        _require(self.weight_decay >= 0, "train.weight_decay", "at least 0", self.weight_decay)
        _fraction("train", self, "warmup_fraction", "ema_decay", "label_smoothing", "ctc_weight")
        _require(all(n > 0 for n in self.curriculum), "train.curriculum", "lengths above 0", list(self.curriculum))
        _require(
            self.validate_every <= self.max_epochs,
            "train.validate_every",
            f"at most max_epochs ({self.max_epochs})",
            self.validate_every,
        )


@dataclass(frozen=True)
class Evaluate:
    batch_size: int
    bootstrap_samples: int
    bootstrap_seed: int
    pictured_lines: int
    joint_beam: int
    joint_ctc_weight: float

    def __post_init__(self) -> None:
        _positive("evaluate", self, "batch_size", "bootstrap_samples", "pictured_lines")
        _require(0 <= self.joint_beam <= 64, "evaluate.joint_beam", "from 0 to 64", self.joint_beam)
        _fraction("evaluate", self, "joint_ctc_weight")
        _require(
            0 <= self.bootstrap_seed < 2**32,
            "evaluate.bootstrap_seed",
            "at least 0 and less than 2^32",
            self.bootstrap_seed,
        )


@dataclass(frozen=True)
class Machine:
    accelerator: str
    devices: int | str
    num_nodes: int
    strategy: str
    workers: int
    synthesis_processes: int | None
    compile: bool
    threads: int | None

    def __post_init__(self) -> None:
        _positive("machine", self, "num_nodes", "synthesis_processes", "threads")
        _require(self.workers >= 0, "machine.workers", "at least 0", self.workers)


@dataclass(frozen=True)
class Params:
    download: Download
    synthesize: Synthesize
    model: Model
    train: Train
    evaluate: Evaluate
    machine: Machine


def load(path: Path) -> Params:
    """All sections of `path`.

    Raises:
        UserError: the file cannot be read, or a key or a value in it is wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); run from the repository's root") from None
    except UNREADABLE as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    try:
        return build(Params, content)
    except ParamError as error:
        raise UserError(f"{path}: {error}") from None


def build(cls: type[T], content: Any, key: str = "") -> T:
    """An instance of the dataclass `cls` from plain YAML values; `key` is where they stand, for the errors.

    Raises:
        ParamError: a key is unknown or missing, or a value is of the wrong type or out of range.
    """
    where = key or "the file"
    if not isinstance(content, dict):
        raise ParamError(f"{where} must be a mapping of keys to values, not {_short.repr(content)}")
    fields = typing.get_type_hints(cls)
    for name in content:
        if name not in fields:
            raise ParamError(f"{where} has an unknown key {_short.repr(name)}; known are {', '.join(fields)}")
    for name in fields:
        if name not in content:
            raise ParamError(f"{_join(key, name)} is missing")
    return cls(**{name: _convert(kind, content[name], _join(key, name)) for name, kind in fields.items()})


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _convert(kind: Any, value: Any, key: str) -> Any:
    origin, options = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return build(typing.cast(type, kind), value, key)
    if origin is Literal:
        _require(isinstance(value, str) and value in options, key, f"one of {', '.join(options)}", value)
        return value
    if origin is tuple:
        _require(isinstance(value, list), key, "a list", value)
        return tuple(_convert(options[0], item, f"{key}[{index}]") for index, item in enumerate(value))
    kinds = options if origin in (types.UnionType, typing.Union) else (kind,)
    if float in kinds and type(value) is int and abs(value) <= 2**53:
        value = float(value)
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", types.NoneType: "null"}
    _require(type(value) in kinds, key, " or ".join(names[k] for k in kinds), value)
    _require(not isinstance(value, float) or math.isfinite(value), key, "finite", value)
    return value
