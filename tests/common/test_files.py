"""Files are whole or not there; user errors are one sentence and exit code 1."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from emnist_lines.common import errors
from emnist_lines.common.files import sha256, whole


def test_a_whole_file_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    for content in ("one", "two"):
        with whole(path) as part:
            part.write_text(content)
        assert path.read_text() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail() -> None:
        with whole(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_goes_and_what_a_living_one_writes_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    script = f"""
import os, signal, pathlib
from emnist_lines.common.files import whole
with whole(pathlib.Path({str(path)!r})) as part:
    part.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    with whole(path) as part:
        assert not left.exists()
        with whole(path) as other:
            assert part.exists()
            other.write_text("by another")
        part.write_text("whole")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "whole"


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with whole(tmp_path / "file") as part:
            part.write_text("")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_sha256_of_a_known_string(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_user_s_error_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise errors.UserError("what, where, what to do")

    with pytest.raises(SystemExit) as raised:
        errors.run(fail)
    assert raised.value.code == 1
    assert capsys.readouterr().err == "error: what, where, what to do\n"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("Can't decrement id ref count (unable to extend file properly, errno = 28)"),  # h5py
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),  # safetensors
    ],
)
def test_a_full_disk_is_one_line(
    error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "_exit", sys.exit)

    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as raised:
        errors.run(fail)
    assert raised.value.code == 1
    assert capsys.readouterr().err == "error: the disk is full, or a quota is; make room and run this again\n"


def test_other_errors_keep_their_traceback() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        errors.run(fail)
