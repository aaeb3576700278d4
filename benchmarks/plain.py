"""The lab's method, written straightforwardly: what the fast paths are measured against.

Full-width images, torch's default memory format, the whole batch at once, the whole prefix decoded again at each of
all steps. Weights are those of the fast side, so both give the same.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emnist_lines.common.alphabet import END, PAD, START
from emnist_lines.lines.bucket_sampler import MicroBatch
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.network.dropout import Dropout
from emnist_lines.network.line_cnn import FIRST_DROPPED, ConvBlock
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer
from emnist_lines.training.lit_recognizer import LitRecognizer


def restore(network: LineCNNTransformer) -> None:
    """Give the network, in place, torch's default memory format and dropout."""
    network.line_cnn.convs.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for module in network.modules():
        if isinstance(module, Dropout):
            module.__class__ = nn.Dropout  # type: ignore[assignment]


def encode_lines(network: LineCNNTransformer, images: Tensor, widths: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
    """`LineCNNTransformer.encode` without any care for speed, of images (B, 28, full width) uint8."""
    x = images.float().unsqueeze(1) / 255
    for number, block in enumerate(network.line_cnn.convs):
        assert isinstance(block, ConvBlock)
        x = F.relu(block.conv(x))
        if FIRST_DROPPED <= number < len(network.line_cnn.convs) - 1:
            x = F.dropout(x, network.config.conv_dropout, network.training)
    hidden = F.relu(network.line_cnn.fc1(x.squeeze(2).permute(0, 2, 1)))
    features = network.line_cnn.fc2(network.line_cnn.dropout(hidden))
    if network.config.normalize_features:
        features = F.layer_norm(features, (network.dim,))
    else:
        features = features * math.sqrt(network.dim)
    features = network.pos_encoder(features)
    if not network.config.mask_padding:
        return features, None, hidden
    valid = network.line_cnn.valid_windows(widths)
    return features, torch.arange(features.shape[1]) >= valid[:, None], hidden


def batch_of(lines: LinesDataset, indices: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Images (B, 28, full width) uint8, rendered as ours; tokens (B, max_length) long; widths (B,) long, in columns."""
    batch = lines[MicroBatch(indices, indices)]
    images = F.pad(batch.images, (0, lines.columns - batch.images.shape[2]))
    tokens = torch.from_numpy(lines.tokens[np.asarray(indices)].astype(np.int64))
    return images, tokens, batch.widths


def loss_of(lit: LitRecognizer, images: Tensor, tokens: Tensor, widths: Tensor) -> Tensor:
    """() float: the training loss of one batch, as `batch_of` returns it."""
    features, mask, hidden = encode_lines(lit.model, images, widths)
    logits = lit.model.decode(tokens[:, :-1], features, mask)
    loss: Tensor = lit.loss_fn(logits.flatten(0, 1), tokens[:, 1:].flatten())
    if lit.ctc_head is None:
        return loss
    log_probs = lit.ctc_head(hidden).log_softmax(dim=-1).transpose(0, 1)
    text = tokens > PAD
    windows = lit.model.line_cnn.valid_windows(widths)
    ctc = F.ctc_loss(log_probs, tokens[text], windows, text.sum(dim=1), zero_infinity=True)
    weight = lit.config.ctc_weight
    return (1 - weight) * loss + weight * ctc


@torch.no_grad()
def greedy(network: LineCNNTransformer, images: Tensor, widths: Tensor, max_length: int) -> Tensor:
    """Encode and decode lines; see `encode_lines` and `decode_lines`."""
    features, mask, _ = encode_lines(network, images, widths)
    return decode_lines(network, features, mask, max_length)


@torch.no_grad()
def decode_lines(network: LineCNNTransformer, features: Tensor, mask: Tensor | None, max_length: int) -> Tensor:
    """The tokens of `greedy.greedy_decode`, (B, max_length - 1) long: all steps, each over the whole prefix."""
    output = torch.full((len(features), max_length), PAD)
    output[:, 0] = START
    for position in range(1, max_length):
        logits = network.decode(output[:, :position], features, mask)
        output[:, position] = logits[:, -1].argmax(dim=-1)
    for row in output:
        ends = (row == END).nonzero()
        if len(ends):
            row[int(ends[0]) + 1 :] = PAD
    return output[:, 1:]
