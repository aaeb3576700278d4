"""The model file: safetensors with the weights, and as metadata all that is needed to build the recognizer."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from emnist_lines.common.alphabet import SYMBOLS
from emnist_lines.common.config import ParamError, validate
from emnist_lines.common.errors import DAMAGED, FileError, reading
from emnist_lines.common.files import atomic_write
from emnist_lines.network.config import Architecture, ModelConfig
from emnist_lines.network.recognizer import Recognizer

FORMAT = 2
"""Version of the metadata. 1, without a number, mixed what inference needs with training parameters."""
CTC_HEAD = "ctc_head."
"""How the names of the CTC head's weights begin; the network's begin with `model.`."""


@dataclass(frozen=True)
class ModelCard:
    """What a model file says about its weights.

    Attributes:
        architecture: the network.
        max_length: tokens of a line, `<S>` and `<E>` included.
        start_end_tokens: whether it was trained on texts between `<S>` and `<E>`.
        label_smoothing: that it was trained with.
        provenance: how it was trained, for people. Nothing reads it.
    """

    architecture: Architecture
    max_length: int
    start_end_tokens: bool
    label_smoothing: float
    provenance: dict[str, Any] = field(default_factory=dict)


def save(path: Path, weights: dict[str, Tensor], card: ModelCard) -> None:
    """Write weights (`model.…`, `ctc_head.…`), the same bytes for the same model."""
    about = {
        "format": FORMAT,
        "alphabet": SYMBOLS,
        "network": card.architecture.model_dump(),
        "max_length": card.max_length,
        "start_end_tokens": card.start_end_tokens,
        "label_smoothing": card.label_smoothing,
        "provenance": card.provenance,
    }
    metadata = {"about": json.dumps(about, sort_keys=True)}  # one entry: safetensors keeps no order of several
    with atomic_write(path) as part:
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, part, metadata)


def load(path: Path) -> tuple[Recognizer, ModelCard]:
    """A saved recognizer in evaluation mode, and what its file says.

    Raises:
        FileError: the file is missing, damaged, or of another format, alphabet or network.
    """
    with (
        reading(path, "model of this project", (*DAMAGED, SafetensorError)),
        path.open("rb"),  # safetensors calls whatever it may not read missing
        safe_open(path, "pt") as file,
    ):
        metadata: dict[str, str] = file.metadata() or {}
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        about = json.loads(metadata["about"])
        if about.get("format") != FORMAT:
            raise FileError(path, f"has the format {about.get('format', 1)} of model files, not {FORMAT}")
        alphabet = tuple(about["alphabet"])
        card = ModelCard(
            _architecture(path, about["network"]),
            int(about["max_length"]),
            bool(about["start_end_tokens"]),
            float(about["label_smoothing"]),
            dict(about.get("provenance") or {}),
        )
    if alphabet != SYMBOLS:
        raise FileError(path, "was trained for another alphabet")
    with_ctc = any(name.startswith(CTC_HEAD) for name in weights)
    config = ModelConfig.for_inference(card.architecture)
    recognizer = Recognizer.build(config, card.max_length, card.label_smoothing, with_ctc)
    modules = recognizer.modules()
    try:
        modules.load_state_dict(weights)
    except RuntimeError:
        raise FileError(path, "has other layers than its parameters say") from None
    modules.eval()
    return recognizer, card


def _architecture(path: Path, content: Any) -> Architecture:
    try:
        return validate(Architecture, content, "network")
    except ParamError as error:
        raise FileError(path, f"holds no model of this project ({error})") from None
