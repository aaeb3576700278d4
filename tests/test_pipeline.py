"""The five stages through `dvc repro`, on small drawn data, in a repository of their own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
import pandas as pd
import pytest
import yaml
from moto.server import ThreadedMotoServer
from PIL import Image

from emnist_lines.common.files import sha256
from tests import browsers
from tests.commands import IDENTITY, change_params, environment
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

SMALL = {
    "download": {"source": "drawn", "drawn_per_class": 10},
    "synthesize": {"num_train": 64, "num_val": 16, "num_test": 16, "max_length": 8},
    "model": {"conv_dim": 8, "fc_dim": 32, "tf_dim": 16, "tf_fc_dim": 16, "tf_layers": 1, "tf_heads": 2},
    "train": {"start_from": None, "max_epochs": 2, "batch_size": 16, "curriculum": [3], "validate_every": 1},
    "evaluate": {"bootstrap_samples": 20, "pictured_lines": 3},
    "machine": {"accelerator": "cpu", "devices": 1},
}


def run(folder: Path, *command: str, umask: int = -1, **variables: str) -> str:
    """The command's output; it must succeed."""
    done = subprocess.run(
        command, cwd=folder, env=environment() | variables, umask=umask, capture_output=True, text=True, timeout=400
    )
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
        if (ROOT / name).is_file() and not name.startswith("released/files/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    change_params(folder, SMALL)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "vega.js").symlink_to(ROOT / ".venv" / "vega.js")  # where `make setup` puts it
    run(folder, "git", "init", "-q")
    commit(folder, "files and small parameters")
    (folder.with_name("log")).write_text(run(folder, "dvc", "repro"))
    run(folder, "dvc", "push")
    commit(folder, "what it made")
    return folder


def test_the_log_holds_lines_of_the_pipeline_and_nothing_else(repository: Path) -> None:
    log = repository.with_name("log").read_text()
    assert "training on cpu, 1 process, precision " in log
    assert "epoch 2 of 2: train loss " in log
    assert "test CER " in log
    for foreign in ("\r", "Tip", "deprecated", "Warning", "GPU available", "stopped", "it/s"):
        assert foreign not in log, foreign


def commit(folder: Path, message: str) -> None:
    run(folder, "git", "add", "--all")
    run(folder, "git", *IDENTITY, "commit", "-q", "--allow-empty", "-m", message)


def test_it_leaves_metrics_that_agree_with_each_other(repository: Path) -> None:
    metrics = json.loads((repository / "metrics" / "test.json").read_text())
    predictions = pd.read_csv(repository / "metrics" / "predictions.csv", keep_default_na=False)
    statistics = json.loads((repository / "metrics" / "synthesize.json").read_text())
    assert metrics["source"] == statistics["source"] == "drawn"
    assert metrics["lines"] == len(predictions) == statistics["test"]["lines"] == 48  # 16 of each kind
    assert metrics["characters"] == predictions["length"].sum() == statistics["test"]["characters"]
    assert metrics["cer"] == pytest.approx(predictions["edits"].sum() / predictions["length"].sum(), abs=1e-5)
    assert {"cer", "cer_per_line", "wer", "exact_match", "interval", "loss"} <= metrics.keys()
    best = json.loads((repository / "metrics" / "train" / "metrics.json").read_text())["best"]
    history = pd.read_csv(repository / "metrics" / "train" / "plots" / "metrics" / "val_cer.tsv", sep="\t")
    assert history["step"].tolist() == [1, 2]
    assert history["val_cer"].min() == best["val_cer"]
    for name in ("lines.png", "plots/predictions.png"):
        with Image.open(repository / "metrics" / name) as picture:
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
    assert "models/" not in tracked


def test_the_remote_gets_the_models_alone(repository: Path) -> None:
    run(repository, "dvc", "push")
    pushed = {sha256(path) for path in (repository / "released" / "files").rglob("*") if path.is_file()}
    assert pushed == {sha256(path) for path in (repository / "models").glob("*.safetensors")}
    assert len(pushed) == 2
    commit(repository, "the released models")


def test_an_s3_bucket_serves_as_remote(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dvc_s3", reason="needs the extra s3")
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=address).create_bucket(Bucket="lines")
        clone = tmp_path / "clone"
        run(repository, "git", "clone", "-q", str(repository), str(clone))
        run(clone, "dvc", "remote", "add", "--default", "bucket", "s3://lines/models")
        run(clone, "dvc", "remote", "modify", "bucket", "endpointurl", address)
        model = repository / "models" / "line_cnn_transformer.safetensors"
        run(clone, "dvc", "pull", "--remote", "released", "--allow-missing", "language", "train")
        assert run(clone, "dvc", "push").startswith("2 files pushed")
        shutil.rmtree(clone / "models")
        shutil.rmtree(clone / ".dvc" / "cache")
        run(clone, "dvc", "pull", "--allow-missing", "language", "train")
        assert (clone / "models" / model.name).read_bytes() == model.read_bytes()
    finally:
        server.stop()


def outs(repository: Path) -> dict[str, str]:
    """The hash of every file that the stages wrote, but for those that tell times."""
    found = {}
    for folder in ("data", "models", "metrics"):
        for path in sorted((repository / folder).rglob("*")):
            name = str(path.relative_to(repository))
            if path.is_file() and name not in ("metrics/train/metrics.json", "metrics/train/plots/metrics/minutes.tsv"):
                found[name] = sha256(path)
    return found


def test_another_clone_makes_the_same_bytes(repository: Path, tmp_path: Path) -> None:
    """Under another path, locale, time zone, umask and hash seed, and with other processes that load."""
    clone = tmp_path / "another folder" / "deeper"
    run(repository, "git", "clone", "-q", str(repository), str(clone))
    content = (clone / "params.yaml").read_text()
    assert "workers: 0" in content
    (clone / "params.yaml").write_text(content.replace("workers: 0", "workers: 2"))
    odd = {"LC_ALL": "POSIX", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "77"}
    output = run(clone, "dvc", "repro", "--force", umask=0o077, **odd)
    assert output.count("Running stage") == 5
    assert outs(clone) == outs(repository)
    assert len(outs(clone)) > 20


def test_a_report_s_parameter_repeats_only_the_evaluation(repository: Path) -> None:
    output = run(repository, "dvc", "exp", "run", "--name", "pictures", "--set-param", "evaluate.pictured_lines=2")
    assert "Running stage 'evaluate'" in output
    assert output.count("Running stage") == 1
    assert "pictured_lines" in run(repository, "dvc", "params", "diff")
    run(repository, "dvc", "metrics", "diff")
    run(repository, "git", "checkout", "-q", ".")


IMAGES = ("metrics_lines_png", "metrics_plots_predictions_png")
PLOTS = {
    "Training_loss": ("epoch", "cross-entropy with label smoothing, and CTC loss (nats)"),
    "Validation_loss": ("epoch", "cross-entropy of the decoder (nats per token)"),
    "Character_error_rate_on_the_validation_lines": ("epoch", "CER (edits per character)"),
    "Accuracy_of_single_tokens": ("epoch", "share that is right"),
    "Learning_rate": ("epoch", "learning rate at its end"),
    "Time": ("epoch", "time since the start (minutes)"),
    "Characters_of_the_test_lines": ("occurrences", "character"),
    "Edits_and_length_of_the_test_lines": ("length of the line (characters)", "edits"),
    "CER_by_length": ("CER (edits per character)", "length of the line (characters)"),
    "Errors_by_character": ("share not read (of the character's occurrences)", "character"),
    "Most_frequent_confusions": ("occurrences", "text → prediction"),
    "Calibration_of_confidence": ("confidence of a character (probability)", "share that is right"),
}
"""Each plot of the page, with the labels of its axes."""


DRAWN = """plot => [...plot.querySelectorAll("svg.marks .role-mark path")].filter(path => {
    const box = path.getBBox()
    return box.width + box.height > 0
}).length"""
"""How many lines, bars and points a plot shows."""


def check_page(repository: Path, revisions: int) -> None:
    """The page of `dvc plots` draws each plot and picture, for each revision, without the network."""
    with browsers.page() as (page, problems):
        page.goto((repository / "dvc_plots" / "index.html").as_uri())
        for name, labels in PLOTS.items():
            plot = page.locator(f"#{name}")
            plot.locator("svg.marks").wait_for()
            assert plot.evaluate(DRAWN) >= revisions, f"{name} is empty"
            shown = plot.locator("svg.marks text").all_text_contents()
            assert set(labels) <= set(shown), f"{name} says nowhere {set(labels) - set(shown)}"
        for name in IMAGES:
            pictures = page.locator(f"#{name} img")
            assert pictures.count() == revisions
            assert all(pictures.nth(n).evaluate("i => i.complete && i.naturalWidth > 100") for n in range(revisions))
        assert problems == []


def test_the_page_of_plots(repository: Path) -> None:
    run(repository, "dvc", "plots", "show")
    check_page(repository, revisions=1)
    shutil.rmtree(repository / "dvc_plots")


def test_two_runs_on_one_page(repository: Path) -> None:
    commit(repository, "a run to compare with")
    run(repository, "dvc", "exp", "run", "--name", "other", "--set-param", "evaluate.pictured_lines=6")
    run(repository, "dvc", "plots", "diff", "HEAD", "workspace")
    check_page(repository, revisions=2)
    shutil.rmtree(repository / "dvc_plots")
    run(repository, "git", "checkout", "-q", ".")


def script(repository: Path, name: str, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, f".github/{name}.py", *arguments],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    return done.returncode, done.stdout, done.stderr


def test_a_stale_lock_fails_the_check(repository: Path) -> None:
    assert script(repository, "check_lock") == (0, "dvc.lock belongs to the code and the parameters beside it\n", "")
    clone = repository.with_name("clone")
    run(repository, "git", "clone", "-q", str(repository), str(clone))  # without data/ and models/
    assert script(clone, "check_lock") == (0, "dvc.lock belongs to the code and the parameters beside it\n", "")
    for name, old, new, told in (
        (
            "params.yaml",
            "max_epochs: 2",
            "max_epochs: 3",
            "train: changed deps: params.yaml.train (modified)",
        ),
        (
            "src/emnist_lines/network/greedy.py",
            "Greedy decoding",
            "Greedy  decoding",
            "train: changed deps: src/emnist_lines/network",
        ),
        ("metrics/test.json", '"lines": 48', '"lines": 49', "evaluate: changed outs: metrics/test.json (modified)"),
        ("dvc.yaml", "python stages/train.py", "python -u stages/train.py", "train: changed command"),
    ):
        content = (clone / name).read_text(encoding="utf-8")
        assert old in content
        (clone / name).write_text(content.replace(old, new), encoding="utf-8")
        code, _, error = script(clone, "check_lock")
        assert code == 1
        assert told in error
        assert "error: dvc.lock is not of this code and these parameters" in error
        (clone / name).write_text(content, encoding="utf-8")
    lock = yaml.safe_load((clone / "dvc.lock").read_text())
    (dep,) = (dep for dep in lock["stages"]["train"]["deps"] if dep["path"] == "data/lines/train.h5")
    dep["md5"] = "0" * 32
    (clone / "dvc.lock").write_text(yaml.safe_dump(lock))
    assert "train: it ran on another data/lines/train.h5 than the lock says was made" in script(clone, "check_lock")[2]


def test_a_model_that_was_trained_otherwise_is_told(repository: Path) -> None:
    """As when a released model is kept although its training has changed."""
    commit(repository, "before")
    change_params(repository, {"train": {"weight_decay": 0.01}})
    run(repository, "dvc", "commit", "--force", "train")
    code, told, _ = script(repository, "check_lock")
    assert code == 0
    assert "but its model was trained before the training became what it is now (other: train.weight_decay)" in told
    run(repository, "git", "checkout", "-q", ".")
    assert "but its model" not in script(repository, "check_lock")[1]


def test_the_report_of_a_pull_request(repository: Path) -> None:
    commit(repository, "the base")
    run(repository, "dvc", "exp", "run", "--set-param", "evaluate.bootstrap_samples=21")
    code, report, _ = script(repository, "pr_report", "HEAD")
    assert code == 0
    assert report.startswith("## What this does to the experiment\n\nAgainst `HEAD` (")
    metrics, parameters = report.split("### Parameters")
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in parameters.splitlines() if row.startswith("|")]
    assert ["params.yaml", "evaluate.bootstrap_samples", "20", "21"] in cells
    assert "### Metrics" in metrics
    run(repository, "git", "checkout", "-q", ".")
    assert script(repository, "pr_report", "HEAD")[1].count("No change.") == 2
    code, out, error = script(repository, "pr_report", "--no-such")
    assert (code, out) == (1, "")
    assert error == "error: there is no Git revision '--no-such' to compare with; give one with BASE=…\n"


def test_a_mistake_in_the_parameters_is_one_sentence(repository: Path) -> None:
    path = repository / "params.yaml"
    content = path.read_text()
    path.write_text(content.replace("max_overlap: 0.33", "max_overlap: 1.5"))
    process = subprocess.run(
        [sys.executable, "stages/synthesize.py"], cwd=repository, capture_output=True, text=True, check=False
    )
    path.write_text(content)
    assert process.returncode == 1
    expected = "error: params.yaml: synthesize.max_overlap must be less than 1, not 1.5\n"
    assert process.stderr == expected
