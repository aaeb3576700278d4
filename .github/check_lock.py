"""Whether dvc.lock belongs to the code, the parameters and the metrics beside it: `make check-lock`.

Needs no data: what Git does not keep (`data/`, `models/`) may be missing, but what is there must be what the lock says,
and each stage must have run on what the stages before it made. A model that was released before its training changed is
no error, but it is told.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from emnist_lines.common import config
from emnist_lines.common.errors import UserError, run
from emnist_lines.network import model_file
from emnist_lines.network.config import ModelConfig
from emnist_lines.training.config import TrainConfig


def changes(status: dict[str, list[Any]], absent: set[str]) -> list[str]:
    """What `dvc status --json` says of each stage, without the files that may be `absent`."""
    found = []
    for stage, entries in status.items():
        for entry in entries:
            if isinstance(entry, str):
                found.append(f"{stage}: {entry}")
                continue
            for what, files in entry.items():
                for path, how in _flat(files).items():
                    if path not in absent:
                        found.append(f"{stage}: {what}: {path} ({how})")
    return found


def _flat(files: dict[str, Any], key: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in files.items():
        path = f"{key}.{name}" if key else name
        flat |= _flat(value, path) if isinstance(value, dict) else {path: str(value)}
    return flat


def broken_chain(lock: dict[str, Any]) -> list[str]:
    """Deps whose hash is not that of the out which another stage made."""
    made = {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage.get("outs", [])}
    return [
        f"{name}: it ran on another {dep['path']} than the lock says was made"
        for name, stage in lock["stages"].items()
        for dep in stage.get("deps", [])
        if made.get(dep["path"], dep["md5"]) != dep["md5"]
    ]


def absent(paths: list[str]) -> set[str]:
    """Those of the paths that Git ignores and that are not here."""
    found = subprocess.run(["git", "check-ignore", *paths], capture_output=True, text=True, check=False)
    return {path for path in found.stdout.split() if not Path(path).exists()}


def trained_otherwise(lock: dict[str, Any]) -> list[str]:
    """Parameters that the locked model was not trained with as `params.yaml` has them, by the model file itself."""
    (out,) = (out for out in lock["stages"]["train"]["outs"] if out["path"].endswith(".safetensors"))
    kept = Path("released", "files", "md5", out["md5"][:2], out["md5"][2:])
    path = next((path for path in (Path(out["path"]), kept) if path.is_file()), None)
    if path is None:
        return []
    provenance = model_file.load(path)[1].provenance
    model, train = config.load(Path("params.yaml"), model=ModelConfig, train=TrainConfig)
    found = []
    for section, values in (("model", model.model_dump(mode="json")), ("train", train.model_dump(mode="json"))):
        before = provenance.get(section, {})
        found += [f"{section}.{key}" for key in sorted({*values, *before}) if values.get(key) != before.get(key)]
    return found


def main() -> None:
    lock = yaml.safe_load(Path("dvc.lock").read_text(encoding="utf-8"))
    outs = [out["path"] for stage in lock["stages"].values() for out in stage.get("outs", [])]
    status = subprocess.run(["dvc", "status", "--json"], capture_output=True, text=True, check=False)
    if status.returncode != 0:
        raise UserError(f"dvc status failed: {' '.join(status.stderr.split())}")
    stale = changes(json.loads(status.stdout), absent(outs)) + broken_chain(lock)
    if stale:
        print("\n".join(stale), file=sys.stderr)
        raise UserError("dvc.lock is not of this code and these parameters; run `dvc repro` and commit what it changes")
    print("dvc.lock belongs to the code and the parameters beside it")
    if otherwise := trained_otherwise(lock):
        print(
            "but its model was trained before the training became what it is now "
            f"(other: {', '.join(otherwise)}); `dvc repro --force train` trains it anew"
        )


if __name__ == "__main__":
    run(main)
