"""All sections of params.yaml at once, and numbers on a command line."""

import argparse
from pathlib import Path

from emnist_lines.common.config import SECTIONS, Section, load
from emnist_lines.common.machine import MachineConfig
from emnist_lines.evaluation.config import EvaluateConfig
from emnist_lines.language.config import LanguageConfig
from emnist_lines.network.config import ModelConfig
from emnist_lines.sources.config import DownloadConfig
from emnist_lines.synthesis.config import SynthesizeConfig
from emnist_lines.training.config import TrainConfig


class Params(Section):
    """The content of params.yaml."""

    download: DownloadConfig
    synthesize: SynthesizeConfig
    language: LanguageConfig
    model: ModelConfig
    train: TrainConfig
    evaluate: EvaluateConfig
    machine: MachineConfig


def load_all(path: Path = Path("params.yaml")) -> Params:
    """All sections of a file; see `config.load`."""
    kinds = {name: Params.model_fields[name].annotation for name in SECTIONS}
    return Params(**dict(zip(SECTIONS, load(path, **kinds), strict=True)))  # type: ignore[arg-type]


def positive(word: str) -> int:
    """A whole number of at least 1, for argparse."""
    if not (word.isascii() and word.isdecimal() and int(word)):
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {word!r}")
    return int(word)
