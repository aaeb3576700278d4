"""The released model: a safetensors file of weights, with all that is needed to build the network as metadata."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from emnist_lines.common.alphabet import SYMBOLS
from emnist_lines.common.errors import UserError
from emnist_lines.common.files import UNREADABLE, reason, whole
from emnist_lines.common.params import Model, Train, build
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer

PREFIX = "model."
"""Of the network's weights; others belong to what only training and evaluation need (`LineLearner`)."""
REMEDY = "`dvc pull train` fetches the released one, `dvc repro -f train` trains another"


@dataclass(frozen=True)
class ModelFile:
    """What a model file says of itself.

    Attributes:
        model: the network's parameters.
        train: how it was trained.
        max_length: tokens of a line, `<S>` and `<E>` among them.
        source: who made the glyphs it saw.
        lines_sha256: of the file of lines it was trained on.
    """

    model: Model
    train: Train
    max_length: int
    source: str
    lines_sha256: str


def save(path: Path, weights: dict[str, Tensor], about: ModelFile) -> None:
    """Write weights named as in `LineLearner` (`model.…`, `ctc_head.…`), the same bytes for the same model."""
    content = {"alphabet": SYMBOLS, **dataclasses.asdict(about)}
    metadata = {"about": json.dumps(content, sort_keys=True)}  # one entry: safetensors keeps no order of several
    with whole(path) as part:
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, part, metadata)


def read(path: Path) -> tuple[dict[str, Tensor], ModelFile]:
    """The weights by name, and what the file says of itself.

    Raises:
        UserError: the file is missing, damaged, or of another alphabet.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        content = json.loads(metadata["about"])
        alphabet = content.pop("alphabet")
        about = build(ModelFile, content, "about")
    except (*UNREADABLE, SafetensorError) as error:
        raise UserError(f"{path} is no model of this project ({reason(error)}); {REMEDY}") from None
    if tuple(alphabet) != SYMBOLS:
        raise UserError(f"{path} was trained for another alphabet; {REMEDY}")
    return weights, about


def fill(module: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Put weights, by name, into a network that was built as their file `path` says.

    Raises:
        UserError: they are of other layers.
    """
    try:
        module.load_state_dict(weights)
    except RuntimeError:
        raise UserError(f"{path} has other layers than its parameters say; {REMEDY}") from None


def load(path: Path) -> tuple[LineCNNTransformer, ModelFile]:
    """The network alone, in evaluation mode, and what its file says.

    Raises:
        UserError: the file is missing, damaged, or of another alphabet or network.
    """
    weights, about = read(path)
    network = LineCNNTransformer(about.model)
    inside = {name.removeprefix(PREFIX): tensor for name, tensor in weights.items() if name.startswith(PREFIX)}
    fill(network, inside, path)
    return network.eval(), about
