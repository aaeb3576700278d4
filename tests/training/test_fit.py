"""Training learns, keeps its best weights, and goes on where it was killed."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
import yaml
from safetensors.torch import load_file

from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.common.params import Params
from emnist_lines.lines.dataset import Batch, BucketSampler, LinesDataset
from emnist_lines.network import model_file
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.synthesis.documents import Document
from emnist_lines.training import fit as training
from emnist_lines.training import lit_recognizer as learning
from emnist_lines.training.lit_recognizer import LineLearner
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, lines: Path, small: Params) -> Path:
    """A folder in which `stages/train.py` runs on small data."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "data").mkdir()
    shutil.copy(lines, folder / "data" / "lines.h5")
    write_params(folder, small)
    return folder


def write_params(folder: Path, values: Params) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(asdict(values)))))


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
    assert "going on from checkpoints/" in output
    resumed = weights(killed)
    assert expected.keys() == resumed.keys()
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)
    for name in ("train_loss", "val_loss", "val_cer", "val_ctc_cer", "learning_rate"):
        pd.testing.assert_frame_equal(history(killed, name), history(workspace, name))
    assert history(killed, "minutes")["step"].tolist() == [1, 2, 3]


def test_other_parameters_start_afresh_and_say_so(workspace: Path, tmp_path: Path, small: Params) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(workspace, folder, ignore=shutil.ignore_patterns("metrics", "models"))
    stale = folder / "checkpoints" / "0123456789abcdef" / "last.ckpt"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"of another run")
    write_params(folder, replace(small, train=replace(small.train, max_epochs=2)))
    output = finish(folder)
    assert "belong to other parameters, data or code: training starts afresh" in output
    assert "going on" not in output
    assert stale.read_bytes() == b"of another run"


@pytest.mark.parametrize("ctc_weight", [0.0, 0.3])
def test_lines_of_one_character_without_tokens_leave_nothing_to_find(
    glyphs: Glyphs, documents: list[Document], small: Params, tmp_path: Path, ctc_weight: float
) -> None:
    """Whole batches of them, as the lab's flags make."""
    synthesize = replace(small.synthesize, max_length=3, with_start_end_tokens=False)
    train = replace(small.train, max_epochs=1, batch_size=4, ctc_weight=ctc_weight, precision="32-true")
    values = replace(small, synthesize=synthesize, train=train)
    synthesis.synthesize(glyphs, documents, synthesize, tmp_path / "lines.h5")
    dataset = LinesDataset(tmp_path / "lines.h5", "train", step=8)
    batches = [piece.indices for piece in BucketSampler(dataset.widths, 4)]
    assert any((dataset.lengths[batch] == 1).all() for batch in batches)
    training.train(values, tmp_path / "lines.h5", "", tmp_path / "c", tmp_path / "live", tmp_path / "model")
    row = json.loads((tmp_path / "live" / "metrics.json").read_text())["best"]
    assert all(math.isfinite(value) for value in row.values())
    assert row["val_loss"] > 0


def test_a_missing_file_of_lines_is_one_sentence(tmp_path: Path, small: Params) -> None:
    write_params(tmp_path, small)
    process = start(tmp_path)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output == "error: data/lines.h5 is missing; make it with `dvc repro synthesize`\n"


def test_a_damaged_checkpoint_is_one_sentence(lines: Path, small: Params, tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    (checkpoints / "last.ckpt").write_bytes(b"PK, cut off")
    with pytest.raises(UserError, match=r"last.ckpt is damaged \(.*\); delete it to train from the start"):
        training.train(small, lines, "", checkpoints, tmp_path / "live", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_the_saved_weights_are_those_of_the_best_validation(
    lines: Path, small: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}
    log = training.History.on_train_epoch_end
    validate = LineLearner.validation_step

    def spoil(self: training.History, trainer: pl.Trainer, module: LineLearner) -> None:
        trainer.callback_metrics["val_cer"] = torch.tensor([0.5, 0.2, 0.9][trainer.current_epoch])
        log(self, trainer, module)

    def watch(self: LineLearner, batch: Batch, batch_index: int) -> None:
        seen[self.current_epoch] = {n: t.clone() for n, t in self.state_dict().items()}
        validate(self, batch, batch_index)

    monkeypatch.setattr(training.History, "on_train_epoch_end", spoil)
    monkeypatch.setattr(LineLearner, "validation_step", watch)
    out = tmp_path / "model.safetensors"
    training.train(small, lines, "hash", tmp_path / "checkpoints", tmp_path / "live", out)
    saved = load_file(out)
    assert all(torch.equal(saved[name], seen[1][name]) for name in saved)
    metrics = json.loads((tmp_path / "live" / "metrics.json").read_text())
    assert metrics["precision"] == training.precision("auto", small.machine)
    assert (metrics["source"], metrics["epochs"], metrics["best"]["epoch"]) == ("drawn", 3, 2)
    learner, about = learning.load(out)
    assert (about.model, about.train, about.max_length) == (small.model, small.train, 10)
    assert (about.source, about.lines_sha256) == ("drawn", "hash")
    assert not learner.training


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_the_released_weights_are_the_mean_of_the_last_steps(
    lines: Path, small: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decay: float
) -> None:
    """Kept by hand beside it: after step n the mean forgets by (1 + n) / (10 + n), at most by `decay`."""
    name = "model.fc.weight"
    steps: list[torch.Tensor] = []
    step = LineLearner.optimizer_step

    def watch(self: LineLearner, *arguments: object, **named: object) -> None:
        step(self, *arguments, **named)
        steps.append(self.state_dict()[name].clone())

    monkeypatch.setattr(LineLearner, "optimizer_step", watch)
    values = replace(small, train=replace(small.train, max_epochs=1, curriculum=(), ema_decay=decay))
    training.train(values, lines, "", tmp_path / "checkpoints", tmp_path / "live", tmp_path / "model")
    assert len(steps) == 6
    mean = steps[0]
    for number, weight in enumerate(steps[1:], start=1):
        keep = min(decay, (1 + number) / (10 + number))
        mean = keep * mean + (1 - keep) * weight
    torch.testing.assert_close(load_file(tmp_path / "model")[name], mean)


def test_a_loss_that_is_no_number_ends_training_in_one_sentence(
    lines: Path, small: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = LineLearner.loss

    def spoil(self: LineLearner, batch: Batch) -> tuple[torch.Tensor, ...]:
        own, *others = loss(self, batch)
        return own * (torch.nan if self.current_epoch == 1 else 1), *others

    with monkeypatch.context() as patch:
        patch.setattr(LineLearner, "loss", spoil)
        with pytest.raises(UserError, match=r"the loss of epoch 2 is nan: training has diverged; lower train.learning"):
            training.train(small, lines, "", tmp_path / "checkpoints", tmp_path / "live", tmp_path / "model")
    assert not (tmp_path / "model").exists()
    saved = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["epoch"] == 0  # what is gone on from is sound


def test_early_stopping_and_rare_validation(
    lines: Path, small: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = replace(small.train, max_epochs=40, validate_every=2, early_stopping_patience=1, learning_rate=1e-9)
    train = replace(train, schedule="constant", optimizer="adam", ctc_weight=0.0, gradient_clip=None)
    training.train(
        replace(small, train=train), lines, "", tmp_path / "checkpoints", tmp_path / "live", tmp_path / "model"
    )
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
    train = replace(small.train, batch_size=96, micro_batch_size=1, max_epochs=2, curriculum=(shortest,))
    steps = []
    end = training.History.on_train_epoch_end

    def count(self: training.History, trainer: pl.Trainer, module: LineLearner) -> None:
        steps.append((trainer.global_step, module.total_steps))
        end(self, trainer, module)

    monkeypatch.setattr(training.History, "on_train_epoch_end", count)
    folder = tmp_path
    training.train(replace(small, train=train), lines, "", folder / "checkpoints", folder / "live", folder / "model")
    assert steps == [(1, 2), (2, 2)]


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
        values = replace(
            small, train=replace(small.train, max_epochs=1), machine=replace(small.machine, compile=wanted)
        )
        folder = tmp_path / str(wanted)
        training.train(values, lines, "", folder / "checkpoints", folder / "live", folder / "model")
        found.append(load_file(folder / "model"))
    assert len(compiled) == 1
    for name, weight in found[0].items():
        torch.testing.assert_close(found[1][name], weight, rtol=1e-3, atol=1e-4)


def test_a_few_lines_are_learned_by_heart(lines: Path, small: Params, tmp_path: Path) -> None:
    model = replace(small.model, conv_dim=16, fc_dim=64, tf_dim=64, tf_fc_dim=64, fc_dropout=0.0, tf_dropout=0.0)
    train = replace(small.train, max_epochs=40, curriculum=(), label_smoothing=0.0, learning_rate=0.003)
    values = replace(small, model=model, train=train)
    training.train(values, lines, "", tmp_path / "checkpoints", tmp_path / "live", tmp_path / "model")
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


def test_a_model_file_has_the_same_bytes_in_every_process(lines: Path, small: Params, tmp_path: Path) -> None:
    learner = LineLearner(small.model, small.train, 10, total_steps=1)
    about = model_file.ModelFile(small.model, small.train, 10, "drawn", "hash")
    model_file.save(tmp_path / "0", learner.state_dict(), about)
    again = "import sys; from pathlib import Path; from safetensors.torch import load_file; "
    again += "from emnist_lines.network import model_file as m; out = Path(sys.argv[1]); source = out.with_name('0'); "
    again += "m.save(out, load_file(source), m.read(source)[1])"
    for number in "123":
        subprocess.run([sys.executable, "-c", again, str(tmp_path / number)], check=True)
        assert (tmp_path / number).read_bytes() == (tmp_path / "0").read_bytes()


def test_another_alphabet_is_one_sentence(small: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = LineLearner(small.model, small.train, 10, total_steps=1)
    about = model_file.ModelFile(small.model, small.train, 10, "drawn", "hash")
    monkeypatch.setattr(model_file, "SYMBOLS", ("a", "b"))
    model_file.save(tmp_path / "model", learner.state_dict(), about)
    monkeypatch.undo()
    with pytest.raises(UserError, match="was trained for another alphabet"):
        learning.load(tmp_path / "model")


def test_a_damaged_model_file_is_one_sentence(tmp_path: Path) -> None:
    for content in (b"", b"\x08\0\0\0\0\0\0\0{}      ", b"x" * 100):
        path = tmp_path / "model.safetensors"
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"is no model of this project"):
            model_file.load(path)
    with pytest.raises(UserError, match=r"is no model of this project"):
        model_file.load(tmp_path / "missing.safetensors")


def test_a_model_file_of_other_layers_is_one_sentence(small: Params, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    weights = LineLearner(small.model, small.train, 10, total_steps=1).state_dict()
    about = model_file.ModelFile(replace(small.model, fc_dim=64), small.train, 10, "drawn", "hash")
    model_file.save(path, weights, about)
    for load in (model_file.load, learning.load):
        with pytest.raises(UserError, match="has other layers than its parameters say"):
            load(path)
