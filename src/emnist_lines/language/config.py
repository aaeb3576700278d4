"""The section `language` of `params.yaml`."""

from typing import Annotated

from pydantic import Field

from emnist_lines.common.config import Section

DEEPEST = 16
"""Characters of the longest n-gram that a language model may hold."""
Length = Annotated[int, Field(ge=1, le=DEEPEST)]


class LanguageConfig(Section):
    """Which n-grams of characters the language model knows."""

    order: Length = Field(description="characters of the longest n-grams")
    once_until: Length = Field(description="n-grams of more characters are dropped if they occur only once")
