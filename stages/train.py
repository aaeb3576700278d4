"""Train LineCNNTransformer on data/lines.h5. Run by DVC from the repository's root: `dvc repro train`."""

import hashlib
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from emnist_lines.common import errors, params
from emnist_lines.lines.line_file import sha256_of_all
from emnist_lines.training.fit import train

CHECKPOINTS = Path("checkpoints")


def fingerprint(values: params.Params, lines_sha256: str) -> str:
    """A hash of all that decides how training goes: parameters, lines, and the code that runs."""
    code = [module.__file__ for name, module in sys.modules.items() if name.startswith("emnist_lines")]
    digest = hashlib.sha256(json.dumps([asdict(values.model), asdict(values.train), lines_sha256]).encode())
    for path in sorted(Path(name) for name in [__file__, *filter(None, code)]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def main() -> None:
    values = params.load(Path("params.yaml"))
    if values.machine.threads is not None:
        torch.set_num_threads(values.machine.threads)
    lines = Path("data/lines.h5")
    if not lines.is_file():
        raise errors.UserError(f"{lines} is missing; make it with `dvc repro synthesize`")
    lines_sha256 = sha256_of_all(lines)
    checkpoints = CHECKPOINTS / fingerprint(values, lines_sha256)
    if not checkpoints.exists() and any(CHECKPOINTS.glob("*/last.ckpt")):
        print(f"the checkpoints in {CHECKPOINTS} belong to other parameters, data or code: training starts afresh")
    model = Path("models/line_cnn_transformer.safetensors")
    if train(values, lines, lines_sha256, checkpoints, Path("metrics/train"), model):
        shutil.rmtree(checkpoints, ignore_errors=True)


if __name__ == "__main__":
    errors.run(main)
