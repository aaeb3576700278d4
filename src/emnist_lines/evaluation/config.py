"""The section `evaluate` of `params.yaml`."""

from pydantic import Field

from emnist_lines.common.config import Section, Seed, Share


class EvaluateConfig(Section):
    """How lines are read, and which figures are reported."""

    batch_size: int = Field(ge=1, description="lines read at once")
    bootstrap_samples: int = Field(ge=1, description="resamples of the lines, for the 95% intervals")
    bootstrap_seed: Seed = Field(description="of the resamples")
    pictured_lines: int = Field(ge=1, description="lines in the picture of predictions")
    beam_width: int = Field(ge=0, le=64, description="hypotheses that the beam search keeps; 0: no beam search")
    ctc_weight: Share = Field(description="share of the CTC head in their scores")
