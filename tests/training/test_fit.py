"""Training learns, keeps its best weights, and goes on where it was killed."""

import importlib.util
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
import yaml
from benchmarks.parameters import Params
from safetensors.torch import load_file
from torchmetrics.text import CharErrorRate

from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.lines.dataset import Batch, BucketSampler, LinesDataset
from emnist_lines.lines.line_file import path_of
from emnist_lines.network import model_file
from emnist_lines.synthesis.documents import Document
from emnist_lines.training import fit as training
from emnist_lines.training.lit_recognizer import LitRecognizer
from tests.conftest import ROOT, made
from tests.training_run import trained


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, lines: Path, small: Params) -> Path:
    """A folder in which `stages/train.py` runs on small data."""
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copytree(lines, folder / "data")
    write_params(folder, small)
    return folder


def write_params(folder: Path, values: Params) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump(values.model_dump(mode="json")))


def start(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "stages" / "train.py")],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(folder: Path) -> str:
    process = start(folder)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "models" / "line_cnn_transformer.safetensors")


def history(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "metrics" / "train" / "plots" / "metrics" / f"{name}.tsv", sep="\t")


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_as_an_unbroken_one(workspace: Path, tmp_path: Path) -> None:
    output = finish(workspace)
    assert "3.8 M" not in output  # the small network …
    assert "LineCNNTransformer" in output  # … whose table is printed
    expected = weights(workspace)
    assert not list((workspace / "checkpoints").glob("*"))  # a finished run needs none

    killed = tmp_path / "killed"
    shutil.copytree(workspace, killed, ignore=shutil.ignore_patterns("metrics", "models"))
    process = start(killed)
    deadline = time.monotonic() + 240
    while not list(killed.glob("checkpoints/*/last.ckpt")):
        assert process.poll() is None, "it ended before its first checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (killed / "models").exists()
    shutil.rmtree(killed / "metrics")  # as DVC does before it runs the stage again

    output = finish(killed)
    assert "continuing from checkpoints/" in output
    resumed = weights(killed)
    assert expected.keys() == resumed.keys()
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)
    for name in ("train_loss", "val_loss", "val_cer", "val_ctc_cer", "learning_rate"):
        pd.testing.assert_frame_equal(history(killed, name), history(workspace, name))
    assert history(killed, "minutes")["step"].tolist() == [1, 2, 3]


@pytest.mark.slow
def test_a_training_that_is_asked_to_end_fails_and_can_be_continued(workspace: Path, tmp_path: Path) -> None:
    """As Kubernetes and SLURM ask; `training && dvc commit` must not record the old model as the new one."""
    folder = tmp_path / "asked"
    shutil.copytree(workspace, folder, ignore=shutil.ignore_patterns("metrics", "models"))
    process = start(folder)
    deadline = time.monotonic() + 240
    while not list(folder.glob("checkpoints/*/last.ckpt")):
        assert process.poll() is None, "it ended before its first checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert output.splitlines()[-1] == "error: training was asked to end (SIGTERM); start it again to continue it"
    assert "Traceback" not in output
    assert not (folder / "models").exists()
    assert "continuing from checkpoints/" in finish(folder)


@pytest.mark.slow
def test_other_parameters_start_afresh_and_say_so(workspace: Path, tmp_path: Path, small: Params) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(workspace, folder, ignore=shutil.ignore_patterns("metrics", "models"))
    stale = folder / "checkpoints" / "0123456789abcdef" / "last.ckpt"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"of another run")
    write_params(folder, small.replace(train=small.train.replace(max_epochs=2)))
    output = finish(folder)
    assert "belong to another run (parameters, data, precision or code differ)" in output
    assert "continuing" not in output
    assert stale.read_bytes() == b"of another run"


@pytest.mark.parametrize("ctc_weight", [0.0, 0.3])
def test_lines_of_one_character_without_tokens_leave_nothing_to_find(
    glyphs: Glyphs, documents: list[Document], small: Params, tmp_path: Path, ctc_weight: float
) -> None:
    """Whole batches of them, as the lab's flags make."""
    synthesize = small.synthesize.replace(max_length=3, with_start_end_tokens=False)
    train = small.train.replace(max_epochs=1, batch_size=4, ctc_weight=ctc_weight, precision="32-true")
    values = small.replace(synthesize=synthesize, train=train)
    data = made(glyphs, documents, synthesize, tmp_path / "data")
    dataset = LinesDataset(data, "train", step=8)
    batches = [piece.indices for piece in BucketSampler(dataset.widths, 4)]
    assert any((dataset.lengths[batch] == 1).all() for batch in batches)
    trained(values, data, tmp_path)
    row = json.loads((tmp_path / "live" / "metrics.json").read_text())["best"]
    assert all(math.isfinite(value) for value in row.values())
    assert row["val_loss"] > 0


def test_a_missing_file_of_data_is_one_sentence(tmp_path: Path, lines: Path, small: Params) -> None:
    write_params(tmp_path, small)
    process = start(tmp_path)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output == "error: data/glyphs.h5 is missing; make it with `dvc repro --force download`\n"
    shutil.copytree(lines, tmp_path / "data")
    path_of(tmp_path / "data", "val").unlink()
    output, _ = start(tmp_path).communicate(timeout=60)
    assert output == "error: data/lines/val.h5 is missing; make it with `dvc repro --force synthesize`\n"


def test_a_damaged_checkpoint_is_one_sentence(lines: Path, small: Params, tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    (checkpoints / "last.ckpt").write_bytes(b"PK, cut off")
    with pytest.raises(UserError, match=r"last.ckpt holds no checkpoint \(.*\); delete it to train from the start"):
        trained(small, lines, tmp_path)
    assert not (tmp_path / "model").exists()


def test_the_saved_weights_are_those_of_the_best_validation(
    lines: Path, small: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}
    validate = LitRecognizer.validation_step

    def watch(self: LitRecognizer, batch: Batch, batch_index: int) -> None:
        seen[self.current_epoch] = {n: t.clone() for n, t in self.state_dict().items()}
        validate(self, batch, batch_index)

    monkeypatch.setattr(LitRecognizer, "validation_step", watch)
    monkeypatch.setattr(CharErrorRate, "compute", lambda self: torch.tensor([0.5, 0.2, 0.9][max(seen)]))
    hashes = {"lines/train.h5": "hash"}
    out = trained(small, lines, tmp_path, hashes)
    saved = load_file(out)
    assert all(torch.equal(saved[name], seen[1][name]) for name in saved)
    metrics = json.loads((tmp_path / "live" / "metrics.json").read_text())
    assert metrics["precision"] == training.precision("auto", small.machine)
    assert (metrics["source"], metrics["epochs"], metrics["best"]["epoch"]) == ("drawn", 3, 2)
    recognizer, card = model_file.load(out)
    assert card.architecture == small.model.architecture()
    assert (card.max_length, card.start_end_tokens, card.label_smoothing) == (10, True, small.train.label_smoothing)
    assert card.provenance["source"] == "drawn"
    assert card.provenance["data_sha256"] == hashes
    assert card.provenance["train"]["max_epochs"] == 3
    assert not recognizer.network.training


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_the_released_weights_are_the_mean_of_the_last_steps(
    lines: Path, small: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decay: float
) -> None:
    """Kept by hand beside it: after step n the mean forgets by (1 + n) / (10 + n), at most by `decay`."""
    name = "model.fc.weight"
    steps: list[torch.Tensor] = []
    step = LitRecognizer.optimizer_step

    def watch(self: LitRecognizer, *arguments: object, **named: object) -> None:
        step(self, *arguments, **named)
        steps.append(self.state_dict()[name].clone())

    monkeypatch.setattr(LitRecognizer, "optimizer_step", watch)
    values = small.replace(train=small.train.replace(max_epochs=1, curriculum=(), ema_decay=decay))
    trained(values, lines, tmp_path)
    assert len(steps) == 6
    mean = steps[0]
    for number, weight in enumerate(steps[1:], start=1):
        keep = min(decay, (1 + number) / (10 + number))
        mean = keep * mean + (1 - keep) * weight
    torch.testing.assert_close(load_file(tmp_path / "model")[name], mean)


def test_a_loss_that_is_no_number_ends_training_in_one_sentence(
    lines: Path, small: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = LitRecognizer.loss

    def spoil(self: LitRecognizer, batch: Batch) -> tuple[torch.Tensor, ...]:
        own, *others = loss(self, batch)
        return own * (torch.nan if self.current_epoch == 1 else 1), *others

    with monkeypatch.context() as patch:
        patch.setattr(LitRecognizer, "loss", spoil)
        with pytest.raises(UserError, match=r"the loss of epoch 2 is nan: training has diverged; lower train.learning"):
            trained(small, lines, tmp_path)
    assert not (tmp_path / "model").exists()
    saved = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["epoch"] == 0  # what is gone on from is sound


def test_the_last_epoch_is_validated_whatever_comes_between(lines: Path, small: Params, tmp_path: Path) -> None:
    trained(small.replace(train=small.train.replace(max_epochs=3, validate_every=2)), lines, tmp_path)
    validated = pd.read_csv(tmp_path / "live" / "plots" / "metrics" / "val_cer.tsv", sep="\t")["step"].tolist()
    assert validated == [2, 3]


def test_lines_that_the_ctc_loss_leaves_out_are_counted(
    glyphs: Glyphs, documents: list[Document], small: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With strides of 24 columns and glyphs that nearly cover each other there are fewer windows than characters."""
    synthesize = small.synthesize.replace(min_overlap=0.8, max_overlap=0.8)
    data = made(glyphs, documents, synthesize, tmp_path / "data")
    model = small.model.replace(window_width=24, window_stride=24)
    values = small.replace(model=model, train=small.train.replace(max_epochs=1, curriculum=()))
    trained(values, data, tmp_path)
    dataset = LinesDataset(data, "train", step=8)
    doubled = [sum(a == b for a, b in pairwise(text)) for text in dataset.texts]
    needed = np.array([len(text) + twice for text, twice in zip(dataset.texts, doubled, strict=True)])
    assert np.array_equal(dataset.ctc_windows, needed)
    windows = (-(-dataset.widths // 8) - 3) // 3 + 1
    narrow = int((np.maximum(windows, 1) < needed).sum())
    assert narrow > 10
    assert f"{narrow} of 96 train lines have fewer windows than their text needs" in capsys.readouterr().out


def test_checkpoints_of_another_precision_are_another_run_s(small: Params) -> None:
    """`auto` may find bfloat16 on one machine and not on the next."""
    spec = importlib.util.spec_from_file_location("train_stage", ROOT / "stages" / "train.py")
    assert spec is not None
    assert spec.loader is not None
    stage = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stage)
    found = {stage.fingerprint(small.model, small.train, p, "hash") for p in ("32-true", "bf16-mixed", "32-true")}
    assert len(found) == 2


@pytest.mark.parametrize(
    ("wanted", "cuda", "mps", "ctc_weight", "expected"),
    [
        ("auto", False, False, 0.3, "auto"),
        ("auto", False, True, 0.3, "cpu"),
        ("auto", True, True, 0.3, "auto"),
        ("auto", False, True, 0.0, "auto"),
        ("cpu", False, True, 0.3, "cpu"),
        ("gpu", True, False, 0.3, "gpu"),
        ("gpu", False, True, 0.3, None),
        ("mps", False, True, 0.3, None),
    ],
)
def test_a_ctc_loss_keeps_off_apple_s_gpus(
    monkeypatch: pytest.MonkeyPatch, wanted: str, cuda: bool, mps: bool, ctc_weight: float, expected: str | None
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    if expected is None:
        with pytest.raises(UserError, match=r"have no CTC loss; set machine.accelerator to cpu"):
            training.accelerator(wanted, ctc_weight)
    else:
        assert training.accelerator(wanted, ctc_weight) == expected


def test_the_moving_average_lies_where_the_network_will(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's device without memory stands for a GPU."""
    module = pl.LightningModule()
    module.layer = torch.nn.Linear(2, 2)
    trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("meta")))
    average = training.MovingAverage(0.9)
    average.setup(trainer, module, "fit")  # type: ignore[arg-type]
    assert {parameter.device.type for parameter in average._average_model.parameters()} == {"meta"}


def test_early_stopping_and_rare_validation(
    lines: Path, small: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = small.train.replace(max_epochs=40, validate_every=2, early_stopping_patience=1, learning_rate=1e-9)
    train = train.replace(schedule="constant", optimizer="adam", ctc_weight=0.0, gradient_clip=None)
    trained(small.replace(train=train), lines, tmp_path)
    epochs = pd.read_csv(tmp_path / "live" / "plots" / "metrics" / "train_loss.tsv", sep="\t")["step"].tolist()
    validated = pd.read_csv(tmp_path / "live" / "plots" / "metrics" / "val_cer.tsv", sep="\t")["step"].tolist()
    assert len(epochs) < 40
    assert validated == [epoch for epoch in epochs if epoch % 2 == 0]


def test_an_epoch_of_few_lines_takes_as_many_steps_as_its_batches(
    lines: Path, small: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The curriculum's short lines are fewer than the pieces of a batch, and so come in fewer pieces."""
    lengths = LinesDataset(lines, "train", step=64).lengths
    shortest = int(lengths.min())
    assert (lengths == shortest).sum() < 96
    train = small.train.replace(batch_size=96, micro_batch_size=1, max_epochs=2, curriculum=(shortest,))
    steps = []
    end = training.History.on_train_epoch_end

    def count(self: training.History, trainer: pl.Trainer, module: LitRecognizer) -> None:
        steps.append((trainer.global_step, module.total_steps))
        end(self, trainer, module)

    monkeypatch.setattr(training.History, "on_train_epoch_end", count)
    folder = tmp_path
    trained(small.replace(train=train), lines, folder)
    assert steps == [(1, 2), (2, 2)]


@pytest.mark.slow
def test_a_compiled_encoder_learns_the_same(
    lines: Path, small: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []

    def compile_(function: object, dynamic: bool) -> object:
        compiled.append(function)
        return real(function, dynamic=dynamic, backend="aot_eager")  # the same graphs, without a C++ compiler

    real = torch.compile
    monkeypatch.setattr(torch, "compile", compile_)
    found = []
    for wanted in (False, True):
        values = small.replace(train=small.train.replace(max_epochs=1), machine=small.machine.replace(compile=wanted))
        folder = tmp_path / str(wanted)
        trained(values, lines, folder)
        found.append(load_file(folder / "model"))
    assert len(compiled) == 1
    for name, weight in found[0].items():
        torch.testing.assert_close(found[1][name], weight, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_few_lines_are_learned_by_heart(lines: Path, small: Params, tmp_path: Path) -> None:
    model = small.model.replace(conv_dim=16, fc_dim=64, tf_dim=64, tf_fc_dim=64, fc_dropout=0.0, tf_dropout=0.0)
    train = small.train.replace(max_epochs=40, curriculum=(), label_smoothing=0.0, learning_rate=0.003)
    trained(small.replace(model=model, train=train), lines, tmp_path)
    loss = pd.read_csv(tmp_path / "live" / "plots" / "metrics" / "train_loss.tsv", sep="\t")["train_loss"]
    assert loss.iloc[-1] < 0.25 * loss.iloc[0]


@pytest.mark.parametrize(
    ("wanted", "gpu", "bf16", "expected"),
    [
        ("auto", False, False, "32-true"),
        ("auto", False, True, "bf16-mixed"),
        ("auto", True, True, "bf16-mixed"),
        ("auto", True, False, "16-mixed"),
        ("32-true", True, True, "32-true"),
    ],
)
def test_precision_follows_the_machine(
    defaults: Params, monkeypatch: pytest.MonkeyPatch, wanted: str, gpu: bool, bf16: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert training.precision(wanted, defaults.machine) == expected
