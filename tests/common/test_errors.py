"""Errors that a person can mend are one sentence with its remedy, and exit code 1; only damage is called damage."""

import ast
import errno
import os
import pickle
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import pytest

from emnist_lines.common import errors
from emnist_lines.common.errors import FileError, UserError
from emnist_lines.common.glyphs import Glyphs, read_glyphs, write_glyphs
from emnist_lines.lines import line_file
from emnist_lines.network import model_file
from emnist_lines.synthesis.documents import read_documents
from emnist_lines.training import fit
from tests.conftest import ROOT

READERS: dict[str, Callable[[Path], Any]] = {
    "glyphs": read_glyphs,
    "documents": read_documents,
    "lines": line_file.read_lines,
    "model of this project": model_file.load,
    "checkpoint": lambda path: fit._read_checkpoint(path, ()),
}
"""What reads a file, by what it should hold."""


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's right to read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def caught(call: Callable[[], object]) -> UserError:
    with pytest.raises(UserError) as raised:
        call()
    assert "\n" not in str(raised.value)
    return raised.value


def test_an_error_of_a_file_names_it(tmp_path: Path) -> None:
    error = FileError(tmp_path / "file", "is empty")
    assert isinstance(error, UserError)
    assert str(error) == f"{tmp_path}/file is empty"
    assert error.path == tmp_path / "file"


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_missing_file_is_called_missing(tmp_path: Path, reader: Callable[[Path], Any]) -> None:
    error = caught(lambda: reader(tmp_path / "file"))
    assert isinstance(error, FileError)
    assert str(error) == f"{tmp_path}/file is missing"
    assert error.path == tmp_path / "file"


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path: Path, reader: Callable[[Path], Any]) -> None:
    """Nor missing; making it anew would not help."""
    path = tmp_path / "file"
    path.write_bytes(b"its content does not matter")
    path.chmod(0)
    tmp_path.chmod(0o711)
    with as_nobody():
        error = caught(lambda: reader(path))
    assert str(error) == f"{path} cannot be read (Permission denied)"
    assert not isinstance(error, FileError)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_folder_in_place_of_a_file_is_called_one(tmp_path: Path, reader: Callable[[Path], Any]) -> None:
    error = caught(lambda: reader(tmp_path))
    assert str(error) == f"{tmp_path} cannot be read (Is a directory)"


@pytest.mark.parametrize("name", ["glyphs", "documents", "lines", "model of this project", "checkpoint"])
def test_another_file_is_called_damaged(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"<html>Sign in</html>" * 10)
    error = caught(lambda: READERS[name](path))
    assert isinstance(error, FileError)
    assert re.match(rf"{path} holds no {name} \(.+\)", str(error))
    assert error.path == path


def test_hdf5_s_words_for_damage_are_the_reason(glyphs: Glyphs, tmp_path: Path) -> None:
    """h5py raises an OSError without a number; with one it means that the system did not let it read."""
    path = tmp_path / "glyphs.h5"
    write_glyphs(glyphs, path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(OSError, match="truncated file") as raised:
        h5py.File(path)
    assert raised.value.errno is None
    error = caught(lambda: read_glyphs(path))
    assert isinstance(error, FileError)
    assert str(error) == f"{path} holds no glyphs ({errors.one_line(raised.value)})"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("of a bad header"),
        KeyError("images"),
        zipfile.BadZipFile("no zip"),
        EOFError(),
        OverflowError("int too large"),
        RuntimeError("over\n  two lines"),
        OSError("without a number"),
        OSError(errno.EINVAL, "Invalid argument"),  # a size led to a place before the file's beginning
    ],
)
def test_damage_ends_with_its_remedy(error: Exception, tmp_path: Path) -> None:
    def read(remedy: str = "") -> None:
        with errors.reading(tmp_path, "glyphs", remedy=remedy):
            raise error

    plain = str(caught(read))
    assert re.fullmatch(rf"{tmp_path} holds no glyphs \(.+\)", plain)
    assert str(caught(lambda: read("delete it"))) == f"{plain}; delete it"


def test_other_errors_pass_as_they_came(tmp_path: Path) -> None:
    for error in (UserError("told already"), KeyboardInterrupt(), pickle.UnpicklingError()):
        with pytest.raises(type(error)) as raised, errors.reading(tmp_path, "glyphs"):
            raise error
        assert raised.value is error
    with pytest.raises(KeyError), errors.reading(tmp_path, "glyphs", (ValueError,)):
        raise KeyError
    with pytest.raises(FileError), errors.reading(tmp_path, "checkpoint", (pickle.UnpicklingError,)):
        raise pickle.UnpicklingError
    with errors.reading(tmp_path, "glyphs"):
        pass


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_too_little_memory_is_no_damage(tmp_path: Path, error: Exception) -> None:
    with (
        pytest.raises(UserError, match=f"^there is not enough memory to read {tmp_path}$") as raised,
        errors.reading(tmp_path, "checkpoint", remedy="delete it"),
    ):
        raise error
    assert not isinstance(raised.value, FileError)


def test_an_interrupted_run_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as raised:
        errors.run(interrupted)
    assert raised.value.code == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_a_reason_is_one_line_of_160_characters() -> None:
    assert errors.one_line(ValueError("of  two\n lines")) == "of two lines"
    assert errors.one_line(KeyError()) == "KeyError"
    long = errors.one_line(ValueError("x" * 161))
    assert long == "x" * 159 + "…"
    assert errors.one_line(ValueError("x" * 160)) == "x" * 160


def raising(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def said(capsys: pytest.CaptureFixture[str], error: Exception, remedies: dict[str, str] | None = None) -> str:
    """What is printed about an error, which ends the process with exit code 1."""
    with pytest.raises(SystemExit) as raised:
        errors.run(raising(error), remedies)
    assert raised.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_a_user_s_error_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, UserError("what, where, what to do")) == "error: what, where, what to do\n"


def test_an_error_of_a_known_file_ends_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    remedies = {"data/glyphs.h5": "download it", "data/lines/test.h5": "make it"}
    lines = FileError(Path("data/lines/test.h5"), "is missing")
    assert said(capsys, lines, remedies) == "error: data/lines/test.h5 is missing; make it\n"
    assert said(capsys, lines) == "error: data/lines/test.h5 is missing\n"
    other = FileError(Path("other/test.h5"), "is missing")
    assert said(capsys, other, remedies) == "error: other/test.h5 is missing\n"
    denied = UserError("data/lines/test.h5 cannot be read (Permission denied)")
    assert said(capsys, denied, remedies) == "error: data/lines/test.h5 cannot be read (Permission denied)\n"


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
    assert said(capsys, error) == "error: the disk is full, or a quota is; make room and run this again\n"


def test_other_errors_keep_their_traceback() -> None:
    for error in (ZeroDivisionError(), OSError(errno.EIO, "Input/output error")):
        with pytest.raises(type(error)) as raised:
            errors.run(raising(error))
        assert raised.value is error


def test_what_runs_without_an_error_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    errors.run(lambda: None, {})
    assert capsys.readouterr() == ("", "")


PACKAGE = ROOT / "src" / "emnist_lines"
CLI = PACKAGE / "cli.py"
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
COMMANDS = re.compile(rf"dvc (repro|pull)|\bmake ({'|'.join(TARGETS)})\b")


def commands(path: Path) -> list[str]:
    """The strings of a module, docstrings among them, that name a command of the repository."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    strings = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [string for string in strings if COMMANDS.search(string)]


OTHERS = sorted({*PACKAGE.rglob("*.py")} - {CLI})


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_package_names_no_command_of_the_repository(path: Path) -> None:
    """It may be installed where there are none; who runs a stage adds the remedy."""
    assert commands(path) == []


def test_the_command_line_alone_names_them() -> None:
    assert {"demo", "repro", "setup"} <= set(TARGETS)
    assert COMMANDS.search("run `make demo` first")
    assert not COMMANDS.search("make smaller ones")
    assert commands(CLI)
