"""A classifier of single glyphs: what can be told without the characters around.

A small CNN learns the train glyphs, sampled as often as the text needs each class and varied as in training; the test
glyphs' accuracy, weighted by the classes' frequency in the test lines, is how many of their characters can be told on
their own.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, default_collate

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.glyphs import SIZE
from emnist_lines.lines import variation
from emnist_lines.lines.config import VariationConfig
from emnist_lines.synthesis.composer import Composer

BATCH = 128
EPOCH = 80_000
"""Glyphs of an epoch."""
EPOCHS = 12
RATE = 2e-3


class Classifier(pl.LightningModule):
    """(B, 784) or (B, 28, 28) uint8 glyphs → (B, 62) logits."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

        def block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
            )

        self.layers = nn.Sequential(
            *(block(1, 32, 1), block(32, 32, 2), block(32, 64, 1), block(64, 64, 2), block(64, 128, 1)),
            *(nn.Flatten(), nn.Dropout(0.3), nn.Linear(128 * 49, 256), nn.ReLU(), nn.Dropout(0.3)),
            nn.Linear(256, len(CLASSES)),
        )

    def forward(self, ink: Tensor) -> Tensor:
        out: Tensor = self.layers(ink.view(-1, 1, SIZE, SIZE).float() / 255)
        return out

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        ink, labels = batch
        return F.cross_entropy(self(ink), labels, label_smoothing=0.05)

    def predict_step(self, batch: Tensor, batch_index: int) -> Tensor:
        return self(batch).argmax(dim=1)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=RATE)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


@dataclass
class SampledGlyphs(Dataset[tuple[Tensor, Tensor]]):
    """Train glyphs (784,) uint8 and labels, sampled anew each time: classes as often as in the text, glyphs varied."""

    glyphs: NDArray[np.uint8]
    composer: Composer
    varied: VariationConfig
    rng: np.random.Generator

    def __post_init__(self) -> None:
        self.shares = frequencies(self.composer.sampler.classes)

    def __len__(self) -> int:
        return EPOCH

    def __getitems__(self, indices: list[int]) -> list[tuple[Tensor, Tensor]]:
        labels = self.rng.choice(len(CLASSES), len(indices), p=self.shares)
        within = (self.rng.random(len(labels)) * self.composer.counts[labels]).astype(np.int64)
        ink = self.glyphs[self.composer.index[self.composer.offsets[labels] + within]].reshape(-1, variation.AREA)
        ink = variation.vary(ink, variation.sample_amounts((len(labels),), self.varied, self.rng))
        return list(zip(torch.from_numpy(ink), torch.from_numpy(labels), strict=True))


def frequencies(classes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(62,) the share of each class among the characters of a text, spaces left out."""
    counts = np.bincount(classes, minlength=len(CLASSES))[: len(CLASSES)]
    return counts / counts.sum()


def confusions(
    glyphs: NDArray[np.uint8], train: Composer, test: Composer, varied: VariationConfig
) -> NDArray[np.float64]:
    """(62, 62): for each class of test glyphs, the share that is taken for each class.

    Args:
        glyphs: (G, 28, 28) uint8, all of the glyph file.
        train: which of them are learned, and how often the text needs each class.
        test: which of them are told.
        varied: how far those of train are bent.
    """
    pl.seed_everything(0, verbose=False)
    sampled = SampledGlyphs(glyphs, train, varied, np.random.default_rng(0))
    batches = DataLoader(sampled, BATCH, collate_fn=default_collate)
    learner = Classifier(EPOCHS * len(batches))
    trainer = pl.Trainer(max_epochs=EPOCHS, logger=False, enable_checkpointing=False, precision="bf16-mixed")
    trainer.fit(learner, batches)
    told = torch.from_numpy(glyphs[test.index[:-1]])  # the last one stands for the space
    found = trainer.predict(learner, DataLoader(told, 1000))  # type: ignore[arg-type]
    predicted = torch.cat([batch for batch in found or [] if isinstance(batch, torch.Tensor)])
    labels = np.repeat(np.arange(len(CLASSES)), test.counts[:-1])
    table = np.zeros((len(CLASSES), len(CLASSES)))
    np.add.at(table, (labels, predicted.numpy()), 1)
    return table / table.sum(axis=1, keepdims=True)
