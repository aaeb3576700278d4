"""Errors that a person can mend: one sentence instead of a traceback."""

import errno
import os
import re
import signal
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from emnist_lines.common.console import quiet_dependencies

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DAMAGED = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
)
"""What libraries raise on damaged files and other formats: they trust the sizes and types that a file states."""


class UserError(Exception):
    """What was wrong, where, and what to do, in one sentence."""

    exit_code = 1


class Terminated(UserError):
    """The process was asked to end before it was done."""

    exit_code = 128 + signal.SIGTERM


class FileError(UserError):
    """A file that is missing or not what it should be.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path


def one_line(error: BaseException) -> str:
    """The message of an error, in one line of at most 160 characters."""
    line = " ".join(str(error).split()) or type(error).__name__
    return line if len(line) <= 160 else f"{line[:159]}…"


@contextmanager
def reading(
    path: Path, content: str, kinds: tuple[type[BaseException], ...] = DAMAGED, remedy: str = ""
) -> Iterator[None]:
    """Turn the errors of a block that reads `path` into sentences. Only damage is called damage.

    Args:
        path: the file.
        content: what it should hold, such as "glyphs".
        kinds: errors that a damaged file may cause in the block.
        remedy: what to do about damage.

    Raises:
        FileError: the file is missing or holds something else.
        UserError: it cannot be opened, or there is not enough memory.
    """
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError:
        raise FileError(path, "is missing") from None
    except MemoryError:
        raise UserError(f"there is not enough memory to read {path}") from None
    except kinds as error:
        if isinstance(error, RuntimeError) and "allocate memory" in str(error):  # PyTorch's way to say it
            raise UserError(f"there is not enough memory to read {path}") from None
        # h5py and Pillow report damage without a number; a wrong size may lead to a place before the file's beginning.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise UserError(f"{path} cannot be read ({os.strerror(error.errno or 0)})") from None  # h5py's is an essay
        raise FileError(path, f"holds no {content} ({one_line(error)})" + (f"; {remedy}" if remedy else "")) from None


def run(main: Callable[[], None], remedies: Mapping[str, str] | None = None) -> None:
    """Call `main`, with dependencies quiet. A `UserError`, or a full disk, is one line and exit code 1.

    Args:
        main: what to run.
        remedies: what to do about a missing or damaged file, by its path or its folder's; it ends the sentence.
    """
    quiet_dependencies()
    try:
        main()
    except UserError as error:
        remedy = _remedy(error.path, remedies or {}) if isinstance(error, FileError) else None
        print(f"error: {error}" + (f"; {remedy}" if remedy else ""), file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        raise SystemExit(128 + signal.SIGINT) from None
    except Exception as error:
        if not _no_room(error):
            raise
        print("error: the disk is full, or a quota is; make room and run this again", file=sys.stderr)
        _exit_at_once()


def _remedy(path: Path, remedies: Mapping[str, str]) -> str | None:
    """What to do about a file, or about a file in a folder."""
    return next((remedies[str(place)] for place in (path, *path.parents) if str(place) in remedies), None)


def _exit_at_once() -> NoReturn:
    """At a normal exit libhdf5 crashes over what it could not write."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _no_room(error: BaseException) -> bool:
    """Whether a write failed for want of room; HDF5 and safetensors say so in words alone."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return True
    return any(int(number) in NO_ROOM for number in re.findall(r"(?:errno =|os error) (\d+)", str(error)))
