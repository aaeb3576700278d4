"""The section `train` of `params.yaml`."""

from typing import Annotated, Literal

from pydantic import Field

from emnist_lines.common.config import Section, Seed, Share
from emnist_lines.lines.config import VariationConfig


class TrainConfig(Section):
    """Batches, losses, optimizer and schedule."""

    seed: Seed = Field(description="of all random choices")
    start_from: str | None = Field(description="model file whose weights training starts from; null: random weights")
    max_epochs: int = Field(ge=1, description="epochs")
    lines_per_epoch: int | None = Field(ge=1, description="the most lines of an epoch; null: all train lines")
    batch_size: int = Field(ge=1, description="lines of an optimizer step, over all processes")
    micro_batch_size: int = Field(ge=1, description="lines computed at once; gradients of a batch's add up")
    bucket_width: int = Field(ge=8, multiple_of=8, description="columns; lines are cropped to a multiple of it")
    optimizer: Literal["adam", "adamw"] = Field(description="Adam, or with decoupled weight decay")
    learning_rate: float = Field(gt=0, description="the schedule's peak")
    weight_decay: float = Field(ge=0, description="of the optimizer")
    schedule: Literal["one_cycle", "constant"] = Field(description="of the learning rate, per step")
    warmup_fraction: Share = Field(description="share of the steps in which one_cycle rises")
    gradient_clip: float | None = Field(gt=0, description="largest norm of the gradient; null: no limit")
    ema_decay: Share = Field(description="of the exponential moving average of the weights; 0: none")
    label_smoothing: Share = Field(description="probability shared among all 83 symbols")
    ctc_weight: Share = Field(description="share of the CTC loss on the encoder; 0: no CTC head")
    curriculum: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)] = Field(
        description="longest text, in characters, of the first epochs, one entry each"
    )
    variation: VariationConfig = Field(description="how the glyphs of train lines vary, anew in each epoch")
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed"] = Field(description="numbers to train in")
    validate_every: int = Field(ge=1, description="epochs between validations; the last epoch is validated")
    early_stopping_patience: int | None = Field(ge=1, description="validations without a better CER; null: no limit")
