"""How the characters of train lines vary: `train.variation` of `params.yaml`."""

from pydantic import Field

from emnist_lines.common.config import Section


class VariationConfig(Section):
    """How far each glyph of a train line may be bent. 0 everywhere: glyphs as they are."""

    shift: float = Field(ge=0, le=8, description="pixels that the whole glyph moves by, at most")
    stretch: float = Field(ge=0, le=8, description="pixels at the edge, for each of stretch, slant and rotation")
    bend: float = Field(ge=0, le=8, description="pixels of the longest of 13 waves per axis")
    pen: float = Field(ge=0, le=1, description="pixels that a stroke widens or narrows by on each side")

    @property
    def any(self) -> bool:
        """Whether glyphs vary at all."""
        return max(self.shift, self.stretch, self.bend, self.pen) > 0
