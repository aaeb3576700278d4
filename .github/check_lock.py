"""Whether dvc.lock belongs to the code, the parameters and the metrics beside it: `make check-lock`.

Needs no data: what Git does not keep (`data/`, `models/`) may be missing, but what is there must be what the lock says,
and each stage must have run on what the stages before it made.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from emnist_lines.common.errors import UserError, run


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


if __name__ == "__main__":
    run(main)
