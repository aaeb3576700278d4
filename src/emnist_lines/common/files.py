"""Files that are either whole or not there, their hashes, and what reading a damaged one ends in."""

import glob
import hashlib
import os
import socket
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    MemoryError,
    zlib.error,
    zipfile.BadZipFile,
)
"""What libraries raise when a file is damaged or of another format: they trust sizes and types that stand in it."""


def reason(error: BaseException) -> str:
    """What an error says, in one line of at most 160 characters."""
    line = " ".join(str(error).split()) or type(error).__name__
    return line if len(line) <= 160 else f"{line[:159]}…"


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it becomes `path` when the block ends without an error.

    A block that fails, or a process that is killed, leaves `path` as it was. What the latter leaves of its own goes
    when `path` is next written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = f".{path.name}.{socket.gethostname()}."
    for part in path.parent.glob(f"{glob.escape(mark)}*.part"):
        if not _alive(part.name.removeprefix(mark).partition(".")[0]):
            part.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{mark}{os.getpid()}.", suffix=".part", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)  # mkstemp makes private files
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _alive(pid: str) -> bool:
    """Whether this machine runs the process."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError, OverflowError):
        pass
    return True
