"""How tests train."""

from pathlib import Path

from benchmarks.parameters import Params

from emnist_lines.training.fit import fit


def trained(values: Params, lines: Path, folder: Path, lines_sha256: str = "", out: Path | None = None) -> Path:
    """Train as `values` say, in `folder`: checkpoints/, live/ and the file model, which is returned."""
    out = out or folder / "model"
    fit(values.model, values.train, values.machine, lines, lines_sha256, folder / "checkpoints", folder / "live", out)
    return out
