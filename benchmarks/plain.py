"""The lab's method, written straightforwardly: what the fast paths are measured against.

Full-width images, torch's default memory format, the whole batch in one piece, the whole prefix decoded again at each
of all steps. Weights are those of the fast side, so both give the same.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emnist_lines.common.alphabet import END, PAD, START
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.network.dropout import Dropout
from emnist_lines.network.line_cnn import FIRST_DROPPED, ConvBlock
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer
from emnist_lines.training.lit_recognizer import LineLearner


def restore(learner: LineLearner) -> LineLearner:
    """Give `learner`, in place, torch's default memory format and dropout."""
    learner.model.line_cnn.convs.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for module in learner.modules():
        if isinstance(module, Dropout):
            module.__class__ = nn.Dropout  # type: ignore[assignment]
    return learner


def encode_lines(model: LineCNNTransformer, images: Tensor, widths: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
    """`LineCNNTransformer.encode` without any care for speed; (B, 28, full width) uint8 images."""
    x = images.float().unsqueeze(1) / 255
    for number, block in enumerate(model.line_cnn.convs):
        assert isinstance(block, ConvBlock)
        x = F.relu(block.conv(x))
        if FIRST_DROPPED <= number < len(model.line_cnn.convs) - 1:
            x = F.dropout(x, model.params.conv_dropout, model.training)
    hidden = F.relu(model.line_cnn.fc1(x.squeeze(2).permute(0, 2, 1)))
    features = model.line_cnn.fc2(model.line_cnn.dropout(hidden))
    if model.params.normalize_features:
        features = F.layer_norm(features, (model.dim,))
    else:
        features = features * math.sqrt(model.dim)
    memory = model.pos_encoder(features)
    if not model.params.mask_padding:
        return memory, None, hidden
    valid = model.line_cnn.valid_windows(widths)
    return memory, torch.arange(memory.shape[1]) >= valid[:, None], hidden


def batch_of(lines: LinesDataset, indices: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Full-width images, all tokens, widths."""
    chosen = np.asarray(indices)
    images = torch.from_numpy(np.stack([lines.image(index) for index in chosen]))
    tokens = torch.from_numpy(lines.tokens[chosen].astype(np.int64))
    return images, tokens, torch.from_numpy(lines.widths[chosen].astype(np.int64))


def loss_of(learner: LineLearner, images: Tensor, tokens: Tensor, widths: Tensor) -> Tensor:
    """The training loss of one batch."""
    memory, mask, hidden = encode_lines(learner.model, images, widths)
    logits = learner.model.decode(tokens[:, :-1], memory, mask)
    loss: Tensor = learner.loss_fn(logits.flatten(0, 1), tokens[:, 1:].flatten())
    if learner.ctc_head is None:
        return loss
    log_probs = learner.ctc_head(hidden).log_softmax(dim=-1).transpose(0, 1)
    text = tokens > PAD
    lengths = learner.model.line_cnn.valid_windows(widths)
    ctc = F.ctc_loss(log_probs, tokens[text], lengths, text.sum(dim=1), zero_infinity=True)
    return (1 - learner.params.ctc_weight) * loss + learner.params.ctc_weight * ctc


@torch.no_grad()
def read_lines(model: LineCNNTransformer, images: Tensor, widths: Tensor, max_length: int) -> Tensor:
    """Greedy tokens (B, max_length - 1) behind `<S>`, `<P>` behind `<E>`."""
    memory, mask, _ = encode_lines(model, images, widths)
    return decode_lines(model, memory, mask, max_length)


@torch.no_grad()
def decode_lines(model: LineCNNTransformer, memory: Tensor, mask: Tensor | None, max_length: int) -> Tensor:
    """As `models.decoding.greedy_decode`: all steps, each over the whole prefix."""
    output = torch.full((len(memory), max_length), PAD)
    output[:, 0] = START
    for position in range(1, max_length):
        logits = model.decode(output[:, :position], memory, mask)
        output[:, position] = logits[:, -1].argmax(dim=-1)
    for row in output:
        ends = (row == END).nonzero()
        if len(ends):
            row[int(ends[0]) + 1 :] = PAD
    return output[:, 1:]
