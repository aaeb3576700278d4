"""The section `synthesize` of `params.yaml`."""

import math
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from emnist_lines.common.config import Section, Seed, Share

BLOCK = 500
"""Lines composed at a time. Part of the format: each block has its own random stream."""
LEAST_WRITTEN = 5
"""Tokens that leave room for what people wrote: four are `<S>`, `<E>` and the paper at a line's ends."""
Lines = Annotated[int, Field(ge=1, le=10**8)]


class Shares(Section):
    """Shares of something. They sum to 1."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = sum(getattr(self, name) for name in type(self).model_fields)
        if not math.isclose(total, 1, abs_tol=1e-6):
            raise ValueError(f"must be three that sum to 1 (these sum to {total:g})")
        return self


class SplitFractions(Shares):
    """Shares of each class's glyphs and of the documents."""

    train: float = Field(gt=0, description="share for training")
    val: float = Field(gt=0, description="share for validation")
    test: float = Field(gt=0, description="share for the test")


class Mix(Shares):
    """Shares of the train lines. Val and test have lines of each kind that has a share."""

    lab: float = Field(ge=0, le=1, description="glyphs side by side in their boxes, as the lab composes them")
    natural: float = Field(ge=0, le=1, description="glyphs in the proportions and places of handwriting")
    written: float = Field(ge=0, le=1, description="words as people wrote them, from pen strokes")


class SynthesizeConfig(Section):
    """How lines are composed."""

    seed: Seed = Field(description="of all random choices")
    mix: Mix = Field(description="kinds of lines")
    num_train: Lines = Field(description="train lines")
    num_val: Lines = Field(description="val lines of each kind; written ones only as many as there are")
    num_test: Lines = Field(description="likewise test lines")
    max_length: int = Field(ge=3, le=1024, description="tokens of a line, <S> and <E> included")
    min_overlap: Share = Field(description="least share of a glyph that the next one covers")
    max_overlap: Share = Field(description="largest such share")
    overlap_varies_within_line: bool = Field(description="sample the share for each pair of neighbours, not per line")
    with_start_end_tokens: bool = Field(description="put <S> and <E> around a text")
    fresh_glyph_per_character: bool = Field(description="another glyph for each occurrence of a character in a line")
    split_fractions: SplitFractions = Field(description="of each class's glyphs, and of the documents")
    shared_as_in_lab: bool = Field(description="train and val share their glyphs, and all splits their text")

    @field_validator("max_length")
    @classmethod
    def _with_room(cls, value: int, info: ValidationInfo) -> int:
        mix = info.data.get("mix")
        if value < LEAST_WRITTEN and mix is not None and mix.written > 0:
            raise ValueError(f"must be at least {LEAST_WRITTEN} where synthesize.mix.written is above 0")
        return value

    @field_validator("max_overlap")
    @classmethod
    def _at_least_the_least(cls, value: float, info: ValidationInfo) -> float:
        least = info.data.get("min_overlap", 0.0)
        if value < least:
            raise ValueError(f"must be at least synthesize.min_overlap ({least})")
        return value
