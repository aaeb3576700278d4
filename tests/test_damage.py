"""Files that are damaged, cut off, empty or of something else: one sentence that says what to do, or what is right."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from emnist_lines.common import glyphs as store
from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.common.params import Params
from emnist_lines.lines import line_file as shards
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.network import model_file
from emnist_lines.network.model_file import ModelFile
from emnist_lines.sources import brown as corpus
from emnist_lines.synthesis import documents as text
from emnist_lines.training import fit as training
from emnist_lines.training import lit_recognizer as learning
from emnist_lines.training.lit_recognizer import LineLearner

CASES = 40
KINDS = ("glyphs.h5", "brown.zip", "lines.h5", "model.safetensors", "last.ckpt")
READERS: dict[str, Callable[[Path], Any]] = {
    "glyphs.h5": store.read,
    "brown.zip": text.read_documents,
    "lines.h5": lambda path: [
        shards.sha256_of_all(path),
        *(LinesDataset(path, s, 8) for s in ("train", "val", "test")),
    ],
    "model.safetensors": learning.load,
    "last.ckpt": training._require_sound,
}


@pytest.fixture(scope="module")
def sound(glyphs: Glyphs, lines: Path, small: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sound file of each kind."""
    folder = tmp_path_factory.mktemp("sound")
    store.write(glyphs, folder / "glyphs.h5")
    corpus.write_builtin(folder / "brown.zip")
    shutil.copy(lines, folder / "lines.h5")
    learner = LineLearner(small.model, small.train, 10, total_steps=1)
    about = ModelFile(small.model, small.train, 10, "drawn", "0")
    model_file.save(folder / "model.safetensors", dict(learner.state_dict()), about)
    checkpoint = {"state_dict": learner.state_dict(), "loops": {}, "callbacks": {}, "optimizer_states": []}
    torch.save(checkpoint, folder / "last.ckpt")
    return folder


def told(kind: str, path: Path) -> str | None:
    """What reading a file ends in: a sentence, or None where it can be read."""
    try:
        READERS[kind](path)
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_off_anywhere_is_one_sentence(sound: Path, tmp_path: Path, kind: str) -> None:
    content, path, rng = (sound / kind).read_bytes(), tmp_path / kind, random.Random(0)
    assert told(kind, sound / kind) is None
    for length in [0, 1, len(content) - 1, *(rng.randrange(len(content)) for _ in range(CASES))]:
        path.write_bytes(content[:length])
        sentence = told(kind, path)
        assert sentence is not None, f"cut off after {length} of {len(content)} bytes"
        assert str(path) in sentence
        assert "\n" not in sentence
        assert "`dvc " in sentence or "delete it" in sentence


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_something_else_is_one_sentence(sound: Path, tmp_path: Path, kind: str) -> None:
    others = [(sound / other).read_bytes() for other in KINDS if other != kind]
    for content in (*others, b"<html>Sign in</html>", b"\x89PNG\r\n\x1a\n", bytes(5000)):
        (tmp_path / kind).write_bytes(content)
        sentence = told(kind, tmp_path / kind)
        assert sentence is not None
        assert "\n" not in sentence


@pytest.mark.parametrize("kind", ["brown.zip", "model.safetensors", "last.ckpt"])
def test_overwritten_bytes_are_no_traceback(sound: Path, tmp_path: Path, kind: str) -> None:
    """Not of HDF5 files: libhdf5 itself can crash on these; DVC's hashes find such damage before it is read."""
    content, path, rng = (sound / kind).read_bytes(), tmp_path / kind, random.Random(1)
    for _ in range(CASES):
        spoilt = bytearray(content)
        for _ in range(rng.randint(1, 50)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        path.write_bytes(spoilt)
        assert "\n" not in (told(kind, path) or "")


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("glyphs.h5", "labels", np.full(744, 62, dtype=np.uint8)),
        ("glyphs.h5", "labels", np.zeros(3, dtype=np.uint8)),
        ("glyphs.h5", "images", np.zeros((744, 27, 28), dtype=np.uint8)),
        ("glyphs.h5", "images", None),
        ("lines.h5", "train/tokens", np.zeros((5, 10), dtype=np.uint8)),
        ("lines.h5", "val/images", np.zeros((24, 28, 280), dtype=np.float32)),
        ("lines.h5", "test/texts", np.array([b"\xff\xfe"] * 24)),
        ("lines.h5", "test", None),
        ("lines.h5", "val/images", np.datetime64("2020", "s").astype("int64")),
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
    sentence = told(kind, tmp_path / kind)
    assert sentence is not None
    assert "remake it with `dvc repro -f" in sentence
