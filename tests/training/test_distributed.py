"""Several processes train as one would: on one machine, on two, and when one of them dies."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
import psutil
import pytest
import torch
from benchmarks.parameters import Params

from emnist_lines.evaluation.predict import evaluate
from tests.conftest import ROOT
from tests.training.test_fit import history, weights, write_params

pytestmark = pytest.mark.slow

TRAIN = str(ROOT / "stages" / "train.py")
FIGURES = ("val_loss", "val_cer", "val_ctc_cer")
LIMIT = 240  # seconds, for what takes a tenth of them


@pytest.fixture(scope="module")
def exact(small: Params) -> Params:
    """Without what is random per process, so that results can be compared."""
    model = small.model.replace(conv_dropout=0.0, fc_dropout=0.0, tf_dropout=0.0, position_dropout=0.0)
    train = small.train.replace(precision="32-true", optimizer="adam", ema_decay=0.0)
    return small.replace(model=model, train=train)


def workspace(folder: Path, lines: Path, values: Params) -> Path:
    shutil.copytree(lines, folder / "data")
    write_params(folder, values)
    return folder


def processes(values: Params, devices: int = 1, nodes: int = 1) -> Params:
    return values.replace(machine=values.machine.replace(devices=devices, num_nodes=nodes, strategy="ddp"))


@contextmanager
def started(folder: Path, *before: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The stage; none of its processes outlives the block."""
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            [*before, sys.executable, TRAIN],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def finish(folder: Path) -> None:
    with started(folder) as process:
        assert process.wait(LIMIT) == 0, (folder / "log").read_text()


@pytest.fixture(scope="module")
def alone(exact: Params, lines: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = workspace(tmp_path_factory.mktemp("alone") / "w", lines, exact)
    finish(folder)
    return folder


@pytest.fixture(scope="module")
def two(exact: Params, lines: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = workspace(tmp_path_factory.mktemp("two") / "w", lines, processes(exact, devices=2))
    finish(folder)
    return folder


def check_same(one: Path, other: Path) -> None:
    """Same figures and weights but for the order in which gradients are added up."""
    for name in FIGURES:
        pd.testing.assert_frame_equal(history(one, name), history(other, name), rtol=2e-3)
    for name, tensor in weights(one).items():
        torch.testing.assert_close(tensor, weights(other)[name], atol=2e-3, rtol=0)


def test_two_processes_learn_what_one_does(alone: Path, two: Path) -> None:
    log = (two / "log").read_text()
    assert "training on cpu, 2 processes" in log
    check_same(alone, two)
    assert history(two, "minutes")["step"].tolist() == [1, 2, 3]
    assert not list((two / "checkpoints").glob("*"))


def test_validation_of_several_processes_is_that_of_one(two: Path, exact: Params) -> None:
    model, lines = two / "models" / "line_cnn_transformer.safetensors", two / "data"
    found, _, _ = evaluate(model, None, lines, "val", exact.evaluate.replace(batch_size=7, beam_width=0), exact.machine)
    best = history(two, "val_cer")["val_cer"].idxmin()
    assert found["cer"] == pytest.approx(history(two, "val_cer")["val_cer"][best], abs=1e-5)
    assert found["ctc"]["cer"] == pytest.approx(history(two, "val_ctc_cer")["val_ctc_cer"][best], abs=1e-5)
    assert found["loss"] == pytest.approx(history(two, "val_loss")["val_loss"][best], rel=1e-4)


@pytest.mark.parametrize("victim", ["first", "second"])
def test_a_killed_process_ends_the_run_which_then_goes_on(
    two: Path, lines: Path, exact: Params, tmp_path: Path, victim: str
) -> None:
    folder = workspace(tmp_path / "w", lines, processes(exact, devices=2))
    with started(folder) as process:
        deadline = time.monotonic() + LIMIT
        while not list(folder.glob("checkpoints/*/last.ckpt")):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        children = (child.pid for child in psutil.Process(process.pid).children())
        other = next(pid for pid in children if b"stages/train.py" in cmdline(pid))
        os.kill(process.pid if victim == "first" else other, signal.SIGKILL)
        assert process.wait(60) != 0
        while cmdline(other):  # nor does the other process go on alone, or wait for ever
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert not (folder / "models").exists()
    shutil.rmtree(folder / "metrics")  # as DVC does before it runs the stage again
    finish(folder)
    assert "continuing from checkpoints/" in (folder / "log").read_text()
    resumed, unbroken = weights(folder), weights(two)
    assert all(torch.equal(resumed[name], unbroken[name]) for name in unbroken)


def cmdline(pid: int) -> bytes:
    """Empty where there is no such process, or only what is left of one."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def ip(*arguments: str) -> bool:
    if shutil.which("ip") is None:
        return False
    return subprocess.run(["ip", *arguments], capture_output=True, check=False).returncode == 0


@pytest.fixture
def hosts() -> Iterator[list[tuple[str, str]]]:
    """Two network namespaces, joined by a cable; each one's name and address."""
    names = [f"lines{os.getpid()}{end}" for end in "ab"]
    try:
        if not all(ip("netns", "add", name) for name in names):
            pytest.skip("needs the right to make network namespaces (`ip netns add`)")
        assert ip("link", "add", "cable", "netns", names[0], "type", "veth", "peer", "name", "cable", "netns", names[1])
        addresses = ["10.213.7.1", "10.213.7.2"]
        for name, address in zip(names, addresses, strict=True):
            assert ip("-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            assert ip("-n", name, "link", "set", "cable", "up")
            assert ip("-n", name, "link", "set", "lo", "up")
        yield list(zip(names, addresses, strict=True))
    finally:
        for name in names:
            ip("netns", "delete", name)


def test_two_hosts_learn_what_one_does(
    hosts: list[tuple[str, str]], alone: Path, lines: Path, exact: Params, tmp_path: Path
) -> None:
    folders = [workspace(tmp_path / name, lines, processes(exact, nodes=2)) for name, _ in hosts]
    common = {"MASTER_ADDR": hosts[0][1], "MASTER_PORT": "29500", "GLOO_SOCKET_IFNAME": "cable"}

    def node(rank: int):  # type: ignore[no-untyped-def]
        name = hosts[rank][0]
        return started(folders[rank], "ip", "netns", "exec", name, NODE_RANK=str(rank), **common)

    with node(0) as first, node(1) as second:
        for folder, process in zip(folders, (first, second), strict=True):
            assert process.wait(LIMIT) == 0, (folder / "log").read_text()
    check_same(alone, folders[0])
    assert not (folders[1] / "models").exists()  # one process writes
    assert not (folders[1] / "metrics").exists()


def test_under_torchrun(alone: Path, lines: Path, exact: Params, tmp_path: Path) -> None:
    folder = workspace(tmp_path / "w", lines, processes(exact, devices=2))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", TRAIN]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stderr
    check_same(alone, folder)


def test_under_slurm(alone: Path, lines: Path, exact: Params, tmp_path: Path) -> None:
    """With the variables that `srun --nodes=1 --ntasks-per-node=2` gives to its tasks."""
    folder = workspace(tmp_path / "w", lines, processes(exact, devices=2))
    job = {"SLURM_JOB_ID": "12345", "SLURM_JOB_NAME": "lines", "SLURM_NODELIST": "127.0.0.1", "SLURM_NODEID": "0"}
    job |= {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"}

    def task(rank: int):  # type: ignore[no-untyped-def]
        return started(folder, **job, SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank))

    with task(0) as first, task(1) as second:
        assert [first.wait(LIMIT), second.wait(LIMIT)] == [0, 0], (folder / "log").read_text()
    check_same(alone, folder)
    assert history(folder, "minutes")["step"].tolist() == [1, 2, 3]


def test_a_machine_that_is_not_there_is_one_sentence(lines: Path, exact: Params, tmp_path: Path) -> None:
    machine = exact.machine.replace(accelerator="tpu-of-tomorrow")
    folder = workspace(tmp_path / "w", lines, exact.replace(machine=machine))
    with started(folder) as process:
        assert process.wait(LIMIT) == 1
    last = (folder / "log").read_text().splitlines()[-1]
    assert last.startswith("error: this machine cannot do what params.yaml's machine says (accelerator tpu-of-tomorrow")
    assert not (folder / "models").exists()
