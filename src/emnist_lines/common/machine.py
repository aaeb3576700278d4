"""The section `machine` of `params.yaml`."""

from typing import Any

from pydantic import Field, field_validator

from emnist_lines.common.config import Section


class MachineConfig(Section):
    """What differs between machines, not between experiments. No stage depends on it."""

    accelerator: str = Field(description="where to compute: auto, cpu, gpu, or another that Lightning knows")
    devices: int | str = Field(description="how many of them, or auto")
    num_nodes: int = Field(ge=1, description="machines")
    strategy: str = Field(description="how processes share the work: auto, ddp, or another that Lightning knows")
    workers: int = Field(ge=0, description="processes that load batches; 0: the training process itself")
    compile: bool = Field(description="torch.compile the encoder")
    threads: int | None = Field(ge=1, description="CPU threads of torch; null: torch's own choice")

    @field_validator("devices", mode="before")
    @classmethod
    def _a_number_or_a_word(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError("must be a whole number or a word")
        return value
