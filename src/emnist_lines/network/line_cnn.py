"""The encoder: a CNN that scans a line of text from left to right.

Source: the LineCNN of Full Stack Deep Learning's 2021 text-recognizer lab 4, with the names of its printed table.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emnist_lines.lines.crop import COLUMNS_PER_STEP
from emnist_lines.network.config import ModelConfig
from emnist_lines.network.dropout import Dropout, dropout

FIRST_DROPPED = 3
"""The first block whose output `conv_dropout` applies to: those before hold strokes, which neighbours tell anyway."""


class ConvBlock(nn.Module):
    """A convolution and a ReLU."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int] = 3,
        stride: int | tuple[int, int] = 1,
        padding: int = 1,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', H', W')."""
        out: Tensor = self.relu(self.conv(x))
        return out


class LineCNN(nn.Module):
    """Nine conv blocks and two linear layers: an image of a line → one feature vector per window."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.conv_dim
        self.conv_dropout = config.conv_dropout
        self.kernel = config.window_width // COLUMNS_PER_STEP
        self.stride = config.window_stride // COLUMNS_PER_STEP
        self.convs = nn.Sequential(
            ConvBlock(1, dim),
            ConvBlock(dim, dim, stride=2),
            ConvBlock(dim, dim),
            ConvBlock(dim, dim, stride=2),
            ConvBlock(dim, dim * 2),
            ConvBlock(dim * 2, dim * 2, stride=2),
            ConvBlock(dim * 2, dim * 4),
            ConvBlock(dim * 4, dim * 4),
            ConvBlock(dim * 4, config.fc_dim, (3, self.kernel), (3, self.stride), padding=0),
        )
        self.fc1 = nn.Linear(config.fc_dim, config.fc_dim)
        self.dropout = Dropout(config.fc_dropout)
        self.fc2 = nn.Linear(config.fc_dim, config.tf_dim)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                _initialize(module, config.initialization)
        # What CPUs and GPUs convolve fastest in; torch's types do not know the argument.
        self.convs.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def scan(self, images: Tensor) -> Tensor:
        """Hidden features of each window.

        Args:
            images: (B, 28, W) float, 0 (paper) to 1 (ink).

        Returns:
            (B, S, fc_dim), `S = windows(W)`: fc1's output after its ReLU.
        """
        *blocks, last = self.convs
        x = images.unsqueeze(-1).permute(0, 3, 1, 2)  # one channel, and that one last in memory
        for number, block in enumerate(blocks):
            x = block(x)
            if number >= FIRST_DROPPED:  # the channels last, as they lie in memory
                x = dropout(x.permute(0, 2, 3, 1), self.conv_dropout, self.training).permute(0, 3, 1, 2)
        # One more window, to be dropped: for 32n - 1 of them the CPU's bfloat16 gradient of the last kernel takes in
        # memory that was never written, NaN at worst (oneDNN in torch 2.13, on processors with AMX).
        x = last(F.pad(x, (0, 1))).flatten(2)[:, :, : self.windows(images.shape[2])]
        x = x.transpose(1, 2)  # (B, S, fc_dim): the last kernel leaves one row
        return torch.relu(self.fc1(x))

    def project(self, hidden: Tensor) -> Tensor:
        """(B, S, fc_dim) hidden features → (B, S, tf_dim) features for the decoder."""
        features: Tensor = self.fc2(self.dropout(hidden))
        return features

    def windows(self, columns: int) -> int:
        """How many windows fit into `columns` image columns."""
        return (-(-columns // COLUMNS_PER_STEP) - self.kernel) // self.stride + 1

    def valid_windows(self, widths: Tensor) -> Tensor:
        """For lines `widths` (B,) columns long: how many windows see their text, at least 1. (B,) long."""
        steps = torch.div(widths.long() + COLUMNS_PER_STEP - 1, COLUMNS_PER_STEP, rounding_mode="floor")
        windows = torch.div(steps - self.kernel, self.stride, rounding_mode="floor") + 1
        return windows.clamp(min=1)


def _initialize(layer: nn.Conv2d | nn.Linear, how: str) -> None:
    """He et al. 2015. The lab keeps the gradients' scale (fan_out), which leaves next to nothing of the image in the
    features of this encoder; fan_in keeps the features'."""
    assert layer.bias is not None
    if how == "fan_in":
        nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
        nn.init.zeros_(layer.bias)
        return
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    _, fan_out = nn.init._calculate_fan_in_and_fan_out(layer.weight)
    nn.init.normal_(layer.bias, -(fan_out**-0.5), fan_out**-0.5)  # the lab's, whose mean was hardly meant
