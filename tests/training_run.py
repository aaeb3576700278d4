"""How tests train."""

from pathlib import Path

from benchmarks.parameters import Params

from emnist_lines.training.fit import fit


def trained(
    values: Params, data: Path, folder: Path, data_sha256: dict[str, str] | None = None, out: Path | None = None
) -> Path:
    """Train as `values` say, in `folder`: checkpoints/, live/ and the file model, which is returned."""
    out = out or folder / "model"
    hashes = data_sha256 or {}
    fit(values.model, values.train, values.machine, data, hashes, folder / "checkpoints", folder / "live", out)
    return out
