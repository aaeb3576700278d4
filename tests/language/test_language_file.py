"""A language model's file: the same bytes on every run, and nothing else is taken for one."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from emnist_lines.common.errors import FileError
from emnist_lines.language import language_file
from emnist_lines.language.config import DEEPEST
from emnist_lines.language.counts import KNOWN
from emnist_lines.language.model import LanguageModel
from emnist_lines.language.smoothing import build
from tests.language.helpers import CONFIG, DOCUMENTS

PACKED = build(DOCUMENTS, CONFIG)
ABOUT = {"format": language_file.FORMAT, "characters": KNOWN}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A language model's file."""
    path = tmp_path / "language.safetensors"
    language_file.save(path, PACKED)
    return path


def rewrite(path: Path, about: dict[str, Any], **changes: NDArray[Any]) -> None:
    save_file({**load_file(path), **changes}, path, {"about": json.dumps(about)})


def test_the_same_bytes_on_every_run(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    language_file.save(again, build(DOCUMENTS, CONFIG))
    assert again.read_bytes() == path.read_bytes()


def test_the_same_scores(path: Path) -> None:
    loaded, made = language_file.load(path), LanguageModel.of(PACKED)
    for field in dataclasses.fields(made):
        one, other = getattr(loaded, field.name), getattr(made, field.name)
        assert one.equal(other) if isinstance(one, torch.Tensor) else one == other


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is missing"):
        language_file.load(tmp_path / "none.safetensors")


@pytest.mark.parametrize("content", [b"", b"some text", bytes(1000), b"\x08\0\0\0\0\0\0\0{}      "])
def test_another_file(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(FileError, match="holds no language model"):
        language_file.load(path)


def test_a_cut_file(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(FileError, match="holds no language model"):
        language_file.load(path)


def test_another_format(path: Path) -> None:
    rewrite(path, {**ABOUT, "format": 99})
    with pytest.raises(FileError, match="format 99 of language models"):
        language_file.load(path)


def test_another_alphabet(path: Path) -> None:
    rewrite(path, {**ABOUT, "characters": KNOWN[::-1]})
    with pytest.raises(FileError, match="another alphabet"):
        language_file.load(path)


def changed(array: NDArray[Any], at: int, value: float) -> NDArray[Any]:
    array = array.copy()
    array[at] = value
    return array


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"symbols": PACKED.symbols[:-1]}, "not of one tree"),
        ({"symbols": PACKED.symbols.astype(np.int16)}, "other types"),
        ({"symbols": changed(PACKED.symbols, 3, 63)}, "not those of a tree"),
        ({"symbols": changed(PACKED.symbols, 3, PACKED.symbols[2])}, "in disorder"),
        ({"symbols": changed(PACKED.symbols, -1, 62)}, "is missing"),
        ({"children": changed(PACKED.children, 0, 200)}, "not those of a tree"),
        ({"children": np.roll(PACKED.children, 1)}, "no parent"),
        ({"shares": changed(PACKED.shares, 5, np.nan)}, "probabilities are none"),
        ({"escapes": changed(PACKED.escapes, 5, 0)}, "probabilities are none"),
        ({"escapes": changed(PACKED.escapes, 5, np.nan)}, "probabilities are none"),
        ({name: np.zeros(0, kind) for name, kind in language_file.KINDS.items()}, "not of one tree"),
    ],
)
def test_n_grams_of_no_text(path: Path, changes: dict[str, NDArray[Any]], problem: str) -> None:
    rewrite(path, ABOUT, **changes)
    with pytest.raises(FileError, match=problem):
        language_file.load(path)


def test_n_grams_longer_than_any(path: Path) -> None:
    ones = np.ones(DEEPEST + 2, np.uint8)
    logs = np.full(DEEPEST + 1, -1, np.float16)
    rewrite(path, ABOUT, symbols=ones, children=changed(ones, -1, 0), shares=logs, escapes=logs)
    with pytest.raises(FileError, match="longer than 16"):
        language_file.load(path)


def test_changed_bytes_are_found_or_harmless(path: Path) -> None:
    """Whatever a file holds, no search fails over it."""
    rng = np.random.default_rng(0)
    whole = path.read_bytes()
    refused = 0
    for _ in range(200):
        content = bytearray(whole)
        content[rng.integers(len(content))] = rng.integers(256)
        path.write_bytes(content)
        try:
            model = language_file.load(path)
        except FileError:
            refused += 1
            continue
        state = model.start(1)
        for _ in range(6):
            log_probs, states = model.extend(state, torch.arange(83)[None])
            assert torch.isfinite(log_probs).all()
            state = states[:, int(log_probs.argmax())]
    assert refused > 50
