"""The files of a file of lines: the train lines that it has no room for lie in others, in a folder beside it."""

import hashlib
import shutil
from pathlib import Path

import h5py

from emnist_lines.common.errors import UserError
from emnist_lines.common.files import UNREADABLE, reason, sha256

COUNT = "shards"
"""The attribute of the train lines that tells how many further files there are."""

README = "Train lines that lines.h5 has no room for, where synthesize.lines_per_file sets one.\n"


def folder(path: Path) -> Path:
    """Where the further files of the file of lines at `path` lie."""
    return path.with_name("shards")


def empty(path: Path) -> None:
    """Make the folder of further files, with nothing in it but what it is for (DVC warns of empty folders)."""
    shutil.rmtree(folder(path), ignore_errors=True)
    folder(path).mkdir(parents=True)
    (folder(path) / "README").write_text(README, encoding="utf-8")


def shard(path: Path, number: int) -> Path:
    """The further file `number`, from 1, of the file of lines at `path`."""
    return folder(path) / f"train-{number:05}.h5"


def files(path: Path) -> list[Path]:
    """The file of lines at `path`, and those in which its train lines go on.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        with h5py.File(path, "r") as file:
            count = int(file["train"].attrs.get(COUNT, 0))
    except UNREADABLE as error:
        raise damaged(path, "train", error) from None
    return [path, *(shard(path, number) for number in range(1, count + 1))]


def sha256_of_all(path: Path) -> str:
    """Hexadecimal SHA-256 of a file of lines; where it goes on in others, of the hashes of all, one behind the other.

    Raises:
        UserError: one is missing or damaged.
    """
    try:
        each = [sha256(file) for file in files(path)]
    except OSError as error:
        raise damaged(path, "train", error) from None
    return each[0] if len(each) == 1 else hashlib.sha256("".join(each).encode()).hexdigest()


def damaged(path: Path, split: str, error: Exception) -> UserError:
    """What to tell of a file that holds no lines."""
    return UserError(f"{path} holds no {split} lines ({reason(error)}); remake it with `dvc repro -f synthesize`")
