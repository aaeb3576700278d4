"""What the tests share: small drawn data, made once, and few threads."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from emnist_lines.common import params
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.common.params import Params
from emnist_lines.sources import brown as corpus
from emnist_lines.sources import drawn
from emnist_lines.synthesis import documents as text
from emnist_lines.synthesis import synthesize as synthesis

ROOT = Path(__file__).parent.parent
REAL = ROOT / "data" / "lines.h5"
needs_real = pytest.mark.skipif(not REAL.is_file(), reason="needs the lines that `make repro` leaves in data/")


@pytest.fixture(scope="session", autouse=True)
def _two_threads() -> None:
    torch.set_num_threads(2)


@pytest.fixture(scope="session")
def defaults() -> Params:
    """The repository's own params.yaml."""
    return params.load(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def small(defaults: Params) -> Params:
    """Parameters of a run that takes seconds."""
    synthesize = replace(defaults.synthesize, num_train=96, num_val=24, num_test=24, max_length=10)
    model = replace(defaults.model, conv_dim=8, fc_dim=32, tf_dim=16, tf_fc_dim=16, tf_layers=2, tf_heads=2)
    train = replace(defaults.train, max_epochs=3, batch_size=16, curriculum=(4,))
    evaluate = replace(defaults.evaluate, bootstrap_samples=50)
    machine = replace(defaults.machine, accelerator="cpu", devices=1)
    return replace(defaults, synthesize=synthesize, model=model, train=train, evaluate=evaluate, machine=machine)


@pytest.fixture(scope="session")
def glyphs() -> Glyphs:
    return drawn.draw(12, seed=0)


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> list[text.Document]:
    path = tmp_path_factory.mktemp("text") / "brown.zip"
    corpus.write_builtin(path)
    return text.read_documents(path)


@pytest.fixture(scope="session")
def lines(
    glyphs: Glyphs, documents: list[text.Document], small: Params, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A small file of lines."""
    path = tmp_path_factory.mktemp("lines") / "lines.h5"
    synthesis.synthesize(glyphs, documents, small.synthesize, path)
    return path


@pytest.fixture(scope="session")
def released() -> Path:
    """The released model, where the repository's own DVC remote keeps it."""
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))
    (md5,) = (out["md5"] for out in lock["stages"]["train"]["outs"] if out["path"].endswith(".safetensors"))
    return ROOT / "released" / "files" / "md5" / md5[:2] / md5[2:]


@pytest.fixture(scope="session")
def drawn_lines(
    glyphs: Glyphs, documents: list[text.Document], small: Params, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A file of drawn lines as long as those that the released model was trained on."""
    path = tmp_path_factory.mktemp("drawn_lines") / "lines.h5"
    wanted = replace(small.synthesize, max_length=32, num_train=1, num_val=1, num_test=64)
    synthesis.synthesize(glyphs, documents, wanted, path)
    return path
