"""The network as ONNX: an encoder, and one step of the decoder, which a loop repeats until the line has ended.

The step sees the whole text so far and gives the next token's log probabilities, so that it keeps no state.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from emnist_lines.common.alphabet import SPACE, START
from emnist_lines.common.errors import UserError
from emnist_lines.common.files import atomic_write
from emnist_lines.common.glyphs import SIZE
from emnist_lines.network import model_file
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer
from emnist_lines.reading.released import model_path

OPSET = 18


class Encoder(nn.Module):
    """(B, 28, W) uint8 images and (B,) int64 widths → (B, S, E) features and (B, S) bool, True behind the text."""

    def __init__(self, network: LineCNNTransformer) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, widths: Tensor) -> tuple[Tensor, Tensor]:
        features, mask, _ = self.network.encode(images, widths)
        if mask is None:
            mask = torch.zeros(features.shape[:2], dtype=torch.bool, device=features.device)
        return features, mask


class Step(nn.Module):
    """(B, T) int64 tokens so far, features and mask → (B, 83) log probabilities of the next token."""

    def __init__(self, network: LineCNNTransformer) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        logits = self.network.decode(tokens, features, mask)
        return logits[:, -1].log_softmax(dim=-1)


def export(path: Path, model: Path | None = None) -> tuple[Path, Path]:
    """Write the encoder to `path` and the decoder's step beside it, with batch, width and text of any size.

    Returns:
        Both files.

    Raises:
        UserError: the packages that write ONNX are missing, or the model is; or `path` is no file's.
    """
    if not path.name:
        raise UserError(f"{path} is a folder; name a file in it, such as {path / 'lines.onnx'}")
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise UserError(
            "ONNX files need packages that are not here; install them with `pip install --editable '.[onnx]'`"
        ) from None
    network = model_file.load(model_path(model))[0].network
    step = path.with_suffix(f".decoder{path.suffix}")
    any_size = torch.export.Dim.DYNAMIC
    images, widths = torch.zeros(2, SIZE, 10 * SIZE, dtype=torch.uint8), torch.tensor([200, 250])
    with torch.inference_mode():
        features, mask = Encoder(network)(images, widths)
    _write(
        Encoder(network),
        {"images": images, "widths": widths},
        {"images": {0: any_size, 2: any_size}, "widths": {0: any_size}},
        ["features", "mask"],
        path,
    )
    _write(
        Step(network),
        {"tokens": torch.tensor([[START, SPACE, SPACE]] * 2), "features": features.clone(), "mask": mask.clone()},
        {
            "tokens": {0: any_size, 1: any_size},
            "features": {0: any_size, 1: any_size},
            "mask": {0: any_size, 1: any_size},
        },
        ["log_probs"],
        step,
    )
    return path, step


def _write(
    module: nn.Module, inputs: dict[str, Tensor], shapes: dict[str, Any], outputs: list[str], path: Path
) -> None:
    program = torch.onnx.export(
        module.eval(), kwargs=inputs, dynamic_shapes=shapes, output_names=outputs, opset_version=OPSET, verbose=False
    )
    assert program is not None
    with atomic_write(path) as part:
        program.save(part)
