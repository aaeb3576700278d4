"""What the tests share: small data of rendered characters, made once, and few threads."""

import os
from pathlib import Path

import pytest
import torch
import yaml
from benchmarks.material import LAB_ALONE
from benchmarks.parameters import Params, load_all

from emnist_lines.common.glyphs import Glyphs, write_glyphs
from emnist_lines.common.written import Written
from emnist_lines.language import language_file
from emnist_lines.language.documents import read_documents
from emnist_lines.language.smoothing import build
from emnist_lines.lines.line_file import path_of
from emnist_lines.sources import brown, drawn
from emnist_lines.synthesis import documents as corpora
from emnist_lines.synthesis.config import SynthesizeConfig
from emnist_lines.synthesis.documents import Document
from emnist_lines.synthesis.synthesize import TRAIN_DOCUMENTS, synthesize

ROOT = Path(__file__).parent.parent
REAL = ROOT / "data"
needs_real = pytest.mark.skipif(
    not path_of(REAL, "test").is_file(), reason="needs the lines that `make repro` leaves in data/"
)


@pytest.fixture(scope="session", autouse=True)
def _two_threads() -> None:
    torch.set_num_threads(2)


@pytest.fixture(scope="session", autouse=True)
def _released_language() -> None:
    """A reader finds it here also where models/ is empty."""
    os.environ["EMNIST_LINES_LANGUAGE"] = str(remote_file("language"))


@pytest.fixture(scope="session")
def defaults() -> Params:
    """The repository's own params.yaml."""
    return load_all(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def small(defaults: Params) -> Params:
    """Parameters of a run that takes seconds."""
    return defaults.replace(
        synthesize=defaults.synthesize.replace(num_train=96, num_val=24, num_test=24, max_length=10, mix=LAB_ALONE),
        model=defaults.model.replace(conv_dim=8, fc_dim=32, tf_dim=16, tf_fc_dim=16, tf_layers=2, tf_heads=2),
        train=defaults.train.replace(
            start_from=None, learning_rate=0.001, max_epochs=3, validate_every=1, batch_size=16, curriculum=(4,)
        ),
        evaluate=defaults.evaluate.replace(bootstrap_samples=50),
        machine=defaults.machine.replace(accelerator="cpu", devices=1),
    )


@pytest.fixture(scope="session")
def glyphs() -> Glyphs:
    return drawn.render_glyphs(12, seed=0)


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    path = tmp_path_factory.mktemp("text") / "brown.zip"
    brown.write_builtin(path)
    return corpora.read_documents(path)


@pytest.fixture(scope="session")
def lines(glyphs: Glyphs, documents: list[Document], small: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data with a few lines."""
    return made(glyphs, documents, small.synthesize, tmp_path_factory.mktemp("lines"))


def made(
    glyphs: Glyphs, documents: list[Document], config: SynthesizeConfig, data: Path, written: Written | None = None
) -> Path:
    """The folder `data` with these glyphs, and lines of them."""
    write_glyphs(glyphs, data / "glyphs.h5")
    synthesize(glyphs, documents, config, data, written)
    return data


@pytest.fixture(scope="session")
def language(lines: Path, small: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model of the few lines' train documents."""
    path = tmp_path_factory.mktemp("language") / "language.safetensors"
    language_file.save(path, build(read_documents(lines / TRAIN_DOCUMENTS), small.language))
    return path


@pytest.fixture(scope="session")
def released() -> Path:
    """The released model, where the repository's own DVC remote keeps it."""
    return remote_file("train")


def remote_file(stage: str) -> Path:
    """The model that a stage wrote, in the repository's own DVC remote or, if it is not pushed yet, in DVC's cache."""
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))
    (md5,) = (out["md5"] for out in lock["stages"][stage]["outs"] if out["path"].endswith(".safetensors"))
    kept = [folder / "files" / "md5" / md5[:2] / md5[2:] for folder in (ROOT / "released", ROOT / ".dvc" / "cache")]
    return next((path for path in kept if path.exists()), kept[0])


@pytest.fixture(scope="session")
def drawn_lines(
    glyphs: Glyphs, documents: list[Document], small: Params, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder of data with lines as long as those that the released model was trained on."""
    wanted = small.synthesize.replace(max_length=32, num_train=1, num_val=1, num_test=64)
    return made(glyphs, documents, wanted, tmp_path_factory.mktemp("drawn_lines"))
