"""The section `evaluate` of `params.yaml`."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from emnist_lines.common.config import Section, Seed
from emnist_lines.network.beam_search import ScoreWeights

Weight = Annotated[float, Field(ge=0, le=10)]


class EvaluateConfig(Section):
    """How lines are read, and which figures are reported."""

    batch_size: int = Field(ge=1, description="lines read at once")
    bootstrap_samples: int = Field(ge=1, description="resamples of the lines, for the 95% intervals")
    bootstrap_seed: Seed = Field(description="of the resamples")
    pictured_lines: int = Field(ge=1, description="lines in the picture of predictions")
    beam_width: int = Field(ge=0, le=64, description="hypotheses that the beam search keeps; 0: greedy decoding alone")
    decoder_weight: Weight = Field(description="what the decoder counts in the score of a hypothesis")
    ctc_weight: Weight = Field(description="what the CTC head counts; without one, decoding is greedy")
    language_weight: Weight = Field(description="what the language model counts; 0: none is needed")
    uniform_share: float = Field(ge=0, lt=1, description="of the language model's probabilities, alike for all tokens")
    capital_bonus: Weight = Field(description="what each capital adds to the score of a hypothesis")

    def weights(self) -> ScoreWeights:
        """What each part counts in the score of a hypothesis."""
        return ScoreWeights(self.decoder_weight, self.ctc_weight, self.language_weight, self.capital_bonus)

    @field_validator("language_weight")
    @classmethod
    def _something_counts(cls, value: float, info: ValidationInfo) -> float:
        if info.data.get("decoder_weight") == 0 == info.data.get("ctc_weight"):
            raise ValueError("must go with a decoder_weight or a ctc_weight above 0, or the ink would not count")
        return value
