"""Train LineCNNTransformer on the train lines. Run by DVC from the repository's root: `dvc repro train`."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import torch

from emnist_lines.common import config, errors
from emnist_lines.common.files import sha256
from emnist_lines.common.machine import MachineConfig
from emnist_lines.network.config import ModelConfig
from emnist_lines.training.config import TrainConfig
from emnist_lines.training.fit import fit, precision

CHECKPOINTS, DATA = Path("checkpoints"), Path("data")
GLYPHS, WRITTEN = Path("data/glyphs.h5"), Path("data/written.h5")
TRAIN, VAL = Path("data/lines/train.h5"), Path("data/lines/val.h5")
MODEL = Path("models/line_cnn_transformer.safetensors")


def fingerprint(model: ModelConfig, train: TrainConfig, precision: str, data: dict[str, str]) -> str:
    """A hash of all that decides how training goes: parameters, precision, data, and the code that runs."""
    code = [module.__file__ for name, module in sys.modules.items() if name.startswith("emnist_lines")]
    digest = hashlib.sha256(json.dumps([model.model_dump(), train.model_dump(), precision, data]).encode())
    for path in sorted(Path(name) for name in [__file__, *filter(None, code)]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def main() -> None:
    model, train, machine = config.load(
        Path("params.yaml"), model=ModelConfig, train=TrainConfig, machine=MachineConfig
    )
    if machine.threads is not None:
        torch.set_num_threads(machine.threads)
    written = [WRITTEN] if WRITTEN.is_file() else []  # lines of the kind lab alone need none
    inputs = {str(path.relative_to(DATA)): path for path in (GLYPHS, *written, TRAIN, VAL)}
    if train.start_from is not None:
        inputs["start_from"] = Path(train.start_from)
    for path in inputs.values():
        if not path.is_file():
            raise errors.FileError(path, "is missing")
    hashes = {name: sha256(path) for name, path in inputs.items()}
    checkpoints = CHECKPOINTS / fingerprint(model, train, precision(train.precision, machine), hashes)
    if not checkpoints.exists() and any(CHECKPOINTS.glob("*/last.ckpt")):
        print(f"the checkpoints in {CHECKPOINTS} belong to another run (parameters, data, precision or code differ)")
    if fit(model, train, machine, DATA, hashes, checkpoints, Path("metrics/train"), MODEL):
        shutil.rmtree(checkpoints, ignore_errors=True)


if __name__ == "__main__":
    remedies = dict.fromkeys(map(str, (TRAIN, VAL)), "make it with `dvc repro --force synthesize`")
    remedies |= dict.fromkeys(map(str, (GLYPHS, WRITTEN)), "make it with `dvc repro --force download`")
    errors.run(main, remedies)
