"""Nothing from outside is run: no pickle, no code in YAML, and what is installed is pinned."""

import ast
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.parameters import load_all

from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import read_glyphs
from emnist_lines.lines.line_file import read_lines
from emnist_lines.network import model_file
from emnist_lines.synthesis.documents import read_documents
from emnist_lines.training import fit
from tests.conftest import ROOT

FORBIDDEN = {
    *("eval", "exec", "pickle.load", "pickle.loads", "yaml.load", "yaml.unsafe_load", "yaml.full_load"),
    *("numpy.load", "np.load", "os.system", "joblib.load", "dill.load", "marshal.load"),
}
CODE = [path for folder in ("src", "stages", ".github") for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_call_runs_what_a_file_says(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        assert name not in FORBIDDEN
        options = {option.arg: ast.unparse(option.value) for option in node.keywords}
        if name == "torch.load":
            assert options["weights_only"] == "True"
        if name.endswith(".fit"):
            assert options["weights_only"] == "True"
        if name.rpartition(".")[2] == "YAML":
            assert options["typ"] == "'safe'"
        assert options.get("shell", "False") == "False"


class Trap:
    """What runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


READERS: dict[str, Callable[[Path], object]] = {
    "checkpoint": lambda path: fit._read_checkpoint(path, ("state_dict",)),
    "model": model_file.load,
    "parameters": load_all,
    "glyphs": read_glyphs,
    "lines": read_lines,
    "documents": read_documents,
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_trap_is_not_sprung(tmp_path: Path, reader: Callable[[Path], object]) -> None:
    sprung = tmp_path / "sprung"
    (tmp_path / "file").write_bytes(pickle.dumps({"state_dict": Trap(sprung)}))
    with pytest.raises(UserError):
        reader(tmp_path / "file")
    assert not sprung.exists()
    pickle.loads((tmp_path / "file").read_bytes())  # the trap is one
    assert sprung.exists()


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir", "!!python/object:os.mkdir", "!os.mkdir"])
def test_a_tag_in_parameters_is_not_run(tmp_path: Path, tag: str) -> None:
    sprung, path = tmp_path / "sprung", tmp_path / "params.yaml"
    path.write_text(f"train: {tag} [{sprung}]\n", encoding="utf-8")
    with pytest.raises(UserError):
        load_all(path)
    assert not sprung.exists()


LOCKED = {"requirements.lock": 100, "requirements-dev.lock": 30}
"""The lock files, and how many packages each has at least."""
PIN = re.compile(r"([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.!+]*)( ; \S.*)?")
"""A name, an exact version, and where it is installed."""
ACCELERATORS = re.compile(r"(cuda|nvidia)-.*|triton")


def pins(name: str) -> dict[str, str]:
    """The versions that a lock file states, by package."""
    lines = [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    found = [PIN.fullmatch(line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    pairs = [(re.sub(r"[._-]+", "-", match[1]).lower(), match[2]) for match in found if match]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@pytest.mark.parametrize("name", LOCKED)
def test_every_package_is_pinned(name: str) -> None:
    assert len(pins(name)) > LOCKED[name]


def test_what_both_lock_files_name_has_one_version() -> None:
    package, dev = (pins(name) for name in LOCKED)
    both = package.keys() & dev.keys()
    assert "numpy" in both
    assert {name: package[name] for name in both} == {name: dev[name] for name in both}


@pytest.mark.parametrize("name", LOCKED)
def test_no_accelerator_s_libraries_are_locked(name: str) -> None:
    """torch's CUDA build brings its own; who has the CPU's is spared gigabytes."""
    assert {package for package in pins(name) if ACCELERATORS.fullmatch(package)} <= {"nvidia-ml-py"}
