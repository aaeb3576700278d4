"""Nothing from outside is run: no pickle, no code in YAML, and what is installed is pinned."""

import ast
import os
import pickle
import re
from pathlib import Path

import pytest

from emnist_lines.common import params
from emnist_lines.common.errors import UserError
from emnist_lines.training import fit as training
from emnist_lines.training import lit_recognizer as learning
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
        assert options.get("shell", "False") == "False"


class Trap:
    """What runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("reader", [training._require_sound, learning.load, params.load])
def test_a_trap_is_not_sprung(tmp_path: Path, reader: object) -> None:
    sprung = tmp_path / "sprung"
    (tmp_path / "file").write_bytes(pickle.dumps({"state_dict": Trap(sprung)}))
    with pytest.raises(UserError):
        reader(tmp_path / "file")  # type: ignore[operator]
    assert not sprung.exists()
    pickle.loads((tmp_path / "file").read_bytes())  # the trap is one
    assert sprung.exists()


def test_every_package_is_pinned() -> None:
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    assert len(lines) > 100
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.!+]*", line) for line in lines)
    names = [re.sub(r"[._-]+", "-", line.partition("==")[0]).lower() for line in lines]
    assert len(set(names)) == len(names)
