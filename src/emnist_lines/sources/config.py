"""The section `download` of `params.yaml`."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from emnist_lines.common.config import Section, Seed


class DownloadConfig(Section):
    """Which characters are fetched, or rendered."""

    source: Literal["emnist", "drawn"] = Field(description="real characters from NIST, or a stand-in")
    parts: Annotated[tuple[Literal["train", "test"], ...], Field(strict=False, min_length=1)] = Field(
        description="parts of EMNIST by-class: test (116,323 characters), train (697,932), or both"
    )
    drawn_per_class: int = Field(ge=10, description="rendered characters of each of the 62 classes")
    drawn_seed: Seed = Field(description="of their random shapes")

    @field_validator("parts")
    @classmethod
    def _without_repeats(cls, parts: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(parts)) < len(parts):
            raise ValueError("must be free of repeats")
        return parts
