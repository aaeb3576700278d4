"""A stage that finds no room on the disk says so in one sentence, and leaves what was there as it was."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from benchmarks.parameters import Params

from emnist_lines.common.glyphs import Glyphs, write_glyphs
from emnist_lines.sources import brown
from tests.conftest import ROOT
from tests.servers import Site, serve

pytestmark = pytest.mark.slow

OUTS = {
    "download": ["data/glyphs.h5", "data/brown.zip"],
    "synthesize": ["data/lines/train.h5", "data/lines/val.h5", "data/lines/test.h5", "data/train_documents.txt"],
    "language": ["models/language.safetensors"],
    "train": ["models/line_cnn_transformer.safetensors"],
    "evaluate": ["metrics/test.json", "metrics/predictions.csv", "metrics/plots/predictions.png"],
}


FULL = "error: the disk is full, or a quota is; make room and run this again"


def stage(name: str, folder: Path, most: int | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a stage whose files may have so many bytes at most, as a quota or a full disk would have it."""

    def limit() -> None:
        if most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return subprocess.run(
        [sys.executable, str(ROOT / "stages" / f"{name}.py")],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def folder(glyphs: Glyphs, small: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace where all stages have run."""
    folder = tmp_path_factory.mktemp("workspace")
    values = small.replace(
        download=small.download.replace(source="drawn", drawn_per_class=12),
        train=small.train.replace(max_epochs=1, curriculum=()),
    )
    (folder / "params.yaml").write_text(yaml.safe_dump(values.model_dump(mode="json")))
    write_glyphs(glyphs, folder / "data" / "glyphs.h5")
    brown.write_builtin(folder / "data" / "brown.zip")
    for name in ("synthesize", "language", "train", "evaluate"):
        done = stage(name, folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    ("name", "most"),
    [("download", 100_000), ("synthesize", 3_000), ("language", 3_000), ("train", 30_000), ("evaluate", 500)],
)
def test_no_room_is_one_sentence(folder: Path, tmp_path: Path, name: str, most: int) -> None:
    workspace = tmp_path / "workspace"
    shutil.copytree(folder, workspace)
    outs = [workspace / out for out in OUTS[name]]
    for path in outs:
        path.write_bytes(b"as it was")
    done = stage(name, workspace, most)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == FULL
    assert "Traceback" not in done.stderr
    assert all(path.read_bytes() == b"as it was" for path in outs)
    assert not list(workspace.rglob("*.part"))
    done = stage(name, workspace)
    assert done.returncode == 0, done.stderr
    assert all(path.stat().st_size > most for path in outs[:1])


def test_no_room_for_a_download_is_one_sentence(tmp_path: Path, small: Params) -> None:
    values = small.replace(download=small.download.replace(source="emnist"))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values.model_dump(mode="json")))
    with serve(Site({"emnist-byclass/test.json": bytes(300_000)})) as site:
        folders = {"EMNIST_LINES_MIRROR": site.url, "EMNIST_LINES_CACHE": str(tmp_path / "cache")}
        done = stage("download", tmp_path, 100_000, **folders)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == FULL
    assert not (tmp_path / "data" / "glyphs.h5").exists()
    assert not (tmp_path / "cache" / "emnist-byclass" / "test.json").exists()
