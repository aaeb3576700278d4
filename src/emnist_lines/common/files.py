"""Files that are either complete or not there, and their hashes."""

import glob
import hashlib
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to. It is renamed to `path` when the block ends without an error.

    If the block fails, or the process is killed, `path` stays as it was. Temporary files of killed processes are
    removed the next time that `path` is written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = f".{path.name}.{socket.gethostname()}."
    for left_over in path.parent.glob(f"{glob.escape(mark)}*.part"):
        if not _is_running(left_over.name.removeprefix(mark).partition(".")[0]):
            left_over.unlink(missing_ok=True)
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


def _is_running(pid: str) -> bool:
    """Whether this machine runs the process."""
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError, OverflowError):
        pass
    return True
