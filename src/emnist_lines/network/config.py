"""The section `model` of `params.yaml`."""

from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator

from emnist_lines.common.config import Section, Share
from emnist_lines.lines.crop import COLUMNS_PER_STEP


class Architecture(Section):
    """What inference needs to build the network. A model file states it."""

    window_width: int = Field(ge=8, le=28, description="columns under one window, in whole steps of 8")
    window_stride: int = Field(ge=8, le=28, description="columns from one window to the next, in whole steps of 8")
    conv_dim: int = Field(ge=1, description="channels of the first convolutions")
    fc_dim: int = Field(ge=1, description="features of a window behind the convolutions")
    tf_dim: int = Field(ge=1, multiple_of=2, description="features of a window that the decoder attends to")
    tf_fc_dim: int = Field(ge=1, description="width of a decoder layer's feed-forward part")
    tf_layers: int = Field(ge=1, description="decoder layers")
    tf_heads: int = Field(ge=1, description="attention heads; a divisor of tf_dim")
    normalize_features: bool = Field(description="layer norm before positions are added; false: scale by √tf_dim")
    mask_padding: bool = Field(description="the decoder does not attend to windows behind the text")

    @field_validator("tf_heads")
    @classmethod
    def _divides_the_features(cls, heads: int, info: ValidationInfo) -> int:
        features = info.data.get("tf_dim", heads)
        if features % heads:
            raise ValueError(f"must be a divisor of model.tf_dim ({features})")
        return heads

    def crop_step(self, wanted: int = COLUMNS_PER_STEP) -> int | None:
        """The multiple of columns that lines are cropped to; None (no crop) if the decoder sees the paper behind."""
        return wanted if self.mask_padding else None


class ModelConfig(Architecture):
    """The network and what only its training needs."""

    conv_dropout: Share = Field(description="dropout of the last five convolutions' inputs")
    fc_dropout: Share = Field(description="dropout between the encoder's linear layers")
    tf_dropout: Share = Field(description="dropout of the decoder's layers")
    position_dropout: Share = Field(description="dropout behind the positions")
    initialization: Literal["fan_in", "fan_out"] = Field(description="of the encoder, by He et al. 2015")

    @classmethod
    def for_inference(cls, architecture: Architecture) -> Self:
        """The network of a model file. It is not meant to be trained on."""
        return cls(
            **architecture.model_dump(),
            conv_dropout=0.0,
            fc_dropout=0.0,
            tf_dropout=0.0,
            position_dropout=0.0,
            initialization="fan_in",
        )

    def architecture(self) -> Architecture:
        """What inference needs of it."""
        return Architecture(**self.model_dump(include=set(Architecture.model_fields)))
