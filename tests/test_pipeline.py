"""The four stages through `dvc repro`, on small drawn data, in a repository of their own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from tests.conftest import ROOT

SMALL = {
    "download": {"source": "drawn", "drawn_per_class": 10},
    "synthesize": {"num_train": 64, "num_val": 16, "num_test": 16, "max_length": 8},
    "model": {"conv_dim": 8, "fc_dim": 32, "tf_dim": 16, "tf_fc_dim": 16, "tf_layers": 1, "tf_heads": 2},
    "train": {"max_epochs": 2, "batch_size": 16, "curriculum": [3]},
    "evaluate": {"bootstrap_samples": 20, "pictured_lines": 3},
}


def run(folder: Path, *command: str) -> str:
    """The command's output; it must succeed."""
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "OMP_NUM_THREADS": "2"}
    environment.pop("EMNIST_LINES_MIRROR", None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with this one's files and small parameters, after `dvc repro`."""
    folder = tmp_path_factory.mktemp("repository")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith("released/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    for section, values in SMALL.items():
        params[section].update(values)
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    run(folder, "git", "init", "-q")
    commit(folder, "files and small parameters")
    run(folder, "dvc", "repro")
    return folder


def commit(folder: Path, message: str) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-q", "-m", message)


def test_it_leaves_metrics_that_agree_with_each_other(repository: Path) -> None:
    metrics = json.loads((repository / "metrics" / "test.json").read_text())
    predictions = pd.read_csv(repository / "metrics" / "predictions.csv", keep_default_na=False)
    statistics = json.loads((repository / "metrics" / "synthesize.json").read_text())
    assert metrics["source"] == statistics["source"] == "drawn"
    assert metrics["lines"] == len(predictions) == statistics["test"]["lines"] == 16
    assert metrics["characters"] == predictions["length"].sum() == statistics["test"]["characters"]
    assert metrics["cer"] == pytest.approx(predictions["edits"].sum() / predictions["length"].sum(), abs=1e-5)
    assert {"cer", "cer_per_line", "wer", "exact_match", "interval", "loss"} <= metrics.keys()
    best = json.loads((repository / "metrics" / "train" / "metrics.json").read_text())["best"]
    history = pd.read_csv(repository / "metrics" / "train" / "plots" / "metrics" / "val_cer.tsv", sep="\t")
    assert history["step"].tolist() == [1, 2]
    assert history["val_cer"].min() == best["val_cer"]
    for name in ("lines.png", "readings.png"):
        with Image.open(repository / "metrics" / "plots" / name) as picture:
            assert picture.width > 100


def test_everything_is_up_to_date_and_outs_are_ignored(repository: Path) -> None:
    commit(repository, "results")
    assert "up to date" in run(repository, "dvc", "status")
    assert run(repository, "git", "status", "--porcelain") == ""
    assert "Running stage" not in run(repository, "dvc", "repro")
    tracked = run(repository, "git", "ls-files")
    assert "dvc.lock" in tracked
    assert "metrics/predictions.csv" in tracked
    assert ".h5" not in tracked
    assert ".safetensors" not in tracked


def test_the_remote_gets_the_model_alone(repository: Path) -> None:
    run(repository, "dvc", "push")
    (pushed,) = (path for path in (repository / "released").rglob("*") if path.is_file())
    assert pushed.read_bytes() == (repository / "models" / "line_cnn_transformer.safetensors").read_bytes()
    commit(repository, "the released model")


def test_a_report_s_parameter_repeats_only_the_evaluation(repository: Path) -> None:
    output = run(repository, "dvc", "exp", "run", "--name", "pictures", "--set-param", "evaluate.pictured_lines=2")
    assert "Running stage 'evaluate'" in output
    assert output.count("Running stage") == 1
    assert "pictured_lines" in run(repository, "dvc", "params", "diff")
    run(repository, "dvc", "metrics", "diff")
    run(repository, "git", "checkout", "-q", ".")


def test_plots_show_draws_the_curves(repository: Path) -> None:
    run(repository, "dvc", "plots", "show")
    page = (repository / "dvc_plots" / "index.html").read_text(encoding="utf-8")
    for title in ("Loss", "Character error rate on the validation lines", "readings.png", "lines.png"):
        assert title in page
    shutil.rmtree(repository / "dvc_plots")


def test_a_mistake_in_the_parameters_is_one_sentence(repository: Path) -> None:
    path = repository / "params.yaml"
    content = path.read_text()
    path.write_text(content.replace("max_overlap: 0.33", "max_overlap: 1.5"))
    process = subprocess.run(
        [sys.executable, "stages/synthesize.py"], cwd=repository, capture_output=True, text=True, check=False
    )
    path.write_text(content)
    assert process.returncode == 1
    expected = "error: params.yaml: synthesize.max_overlap must be at least 0 and less than 1, not 1.5\n"
    assert process.stderr == expected
