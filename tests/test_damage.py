"""Files that are damaged, cut off, empty or of something else: one sentence that names the file."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from benchmarks.parameters import Params

from emnist_lines.common.errors import FileError, UserError
from emnist_lines.common.glyphs import Glyphs, read_glyphs, write_glyphs
from emnist_lines.lines.line_file import path_of, read_lines
from emnist_lines.network import model_file
from emnist_lines.network.model_file import ModelCard
from emnist_lines.sources import brown
from emnist_lines.synthesis.documents import read_documents
from emnist_lines.training import fit
from emnist_lines.training.lit_recognizer import LitRecognizer

CASES = 40
KINDS = ("glyphs.h5", "brown.zip", "test.h5", "model.safetensors", "last.ckpt")
READERS: dict[str, Callable[[Path], Any]] = {
    "glyphs.h5": read_glyphs,
    "brown.zip": read_documents,
    "test.h5": read_lines,
    "model.safetensors": model_file.load,
    "last.ckpt": lambda path: fit._read_checkpoint(path, ("state_dict", "loops", "callbacks", "optimizer_states")),
}


@pytest.fixture(scope="module")
def sound(glyphs: Glyphs, lines: Path, small: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sound file of each kind."""
    folder = tmp_path_factory.mktemp("sound")
    write_glyphs(glyphs, folder / "glyphs.h5")
    brown.write_builtin(folder / "brown.zip")
    shutil.copy(path_of(lines, "test"), folder / "test.h5")
    lit = LitRecognizer(small.model, small.train, 10, total_steps=1)
    card = ModelCard(small.model.architecture(), 10, True, 0.1, {"source": "drawn"})
    model_file.save(folder / "model.safetensors", dict(lit.state_dict()), card)
    checkpoint = {"state_dict": lit.state_dict(), "loops": {}, "callbacks": {}, "optimizer_states": []}
    torch.save(checkpoint, folder / "last.ckpt")
    return folder


def told(kind: str, path: Path) -> UserError | None:
    """What reading a file ends in: one sentence that names it, or None where it can be read."""
    error = None
    try:
        READERS[kind](path)
    except UserError as raised:
        error = raised
    assert error is None or str(error).startswith(f"{path} ")
    assert "\n" not in str(error)
    return error


def require_damage(error: UserError | None, path: Path) -> None:
    """Whoever started this can say what to do about the file; of a checkpoint the sentence says it itself."""
    assert isinstance(error, FileError)
    assert error.path == path
    assert path.name != "last.ckpt" or str(error).endswith("; delete it to train from the start")


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_off_anywhere_is_one_sentence(sound: Path, tmp_path: Path, kind: str) -> None:
    content, path, rng = (sound / kind).read_bytes(), tmp_path / kind, random.Random(0)
    assert told(kind, sound / kind) is None
    for length in [0, 1, len(content) - 1, *(rng.randrange(len(content)) for _ in range(CASES))]:
        path.write_bytes(content[:length])
        error = told(kind, path)
        assert error is not None, f"cut off after {length} of {len(content)} bytes"
        require_damage(error, path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_something_else_is_one_sentence(sound: Path, tmp_path: Path, kind: str) -> None:
    others = [(sound / other).read_bytes() for other in KINDS if other != kind]
    for content in (*others, b"<html>Sign in</html>", b"\x89PNG\r\n\x1a\n", bytes(5000)):
        (tmp_path / kind).write_bytes(content)
        require_damage(told(kind, tmp_path / kind), tmp_path / kind)


@pytest.mark.parametrize("kind", ["brown.zip", "model.safetensors", "last.ckpt"])
def test_overwritten_bytes_are_no_traceback(sound: Path, tmp_path: Path, kind: str) -> None:
    """Not of HDF5 files: libhdf5 itself can crash on these; DVC's hashes find such damage before it is read."""
    content, path, rng = (sound / kind).read_bytes(), tmp_path / kind, random.Random(1)
    for _ in range(CASES):
        spoilt = bytearray(content)
        for _ in range(rng.randint(1, 50)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        path.write_bytes(spoilt)
        error = told(kind, path)
        if error is not None:
            require_damage(error, path)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("glyphs.h5", "labels", np.full(744, 62, dtype=np.uint8)),
        ("glyphs.h5", "labels", np.zeros(3, dtype=np.uint8)),
        ("glyphs.h5", "images", np.zeros((744, 27, 28), dtype=np.uint8)),
        ("glyphs.h5", "images", None),
        ("test.h5", "tokens", np.zeros((5, 10), dtype=np.uint8)),
        ("test.h5", "tokens", np.full((24, 10), 83, dtype=np.uint8)),
        ("test.h5", "tokens", np.uint8(5)),
        ("test.h5", "texts", np.array([b"\xff\xfe"] * 24)),
        ("test.h5", "texts", np.zeros(24)),
        ("test.h5", "widths", np.full(24, 281, dtype=np.int32)),
        ("test.h5", "starts", np.arange(25)[::-1].copy()),
        ("test.h5", "starts", np.zeros(25, dtype=np.int64)),
        ("test.h5", "glyphs", np.full(3, -2, dtype=np.int32)),
        ("test.h5", "boxes", np.zeros((24, 4), dtype=np.int16)),
        ("test.h5", "known", None),
    ],
)
def test_other_shapes_and_types_are_one_sentence(
    sound: Path, tmp_path: Path, kind: str, name: str, value: np.ndarray | None
) -> None:
    shutil.copy(sound / kind, tmp_path / kind)
    with h5py.File(tmp_path / kind, "r+") as file:
        del file[name]
        if value is not None:
            file[name] = value
    require_damage(told(kind, tmp_path / kind), tmp_path / kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_file_is_one_sentence(tmp_path: Path, kind: str) -> None:
    error = told(kind, tmp_path / kind)
    assert isinstance(error, FileError)
    assert str(error) == f"{tmp_path / kind} is missing"
