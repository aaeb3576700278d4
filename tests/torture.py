"""Faults by the hundred, at random moments: `make torture` injects them and writes `docs/reliability.md`.

A fault is survived where what is there afterwards is right or absent, and the next run ends as if nothing had happened;
it is lost where anything else is found. Small drawn data; half an hour on 2 cores.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import yaml
from benchmarks.material import LAB_ALONE

from emnist_lines.common.files import atomic_write, sha256
from tests.commands import IDENTITY, change_params, environment
from tests.servers import Site, serve

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reliability.md"
MARKS = "<!-- measured by make torture -->", "<!-- end -->"
DOWNLOADS, KILLS = 50, 20
CONTENT = random.Random(0).randbytes(2_000_000)
SMALL = {
    "download": {"source": "drawn", "drawn_per_class": 20},
    "synthesize": {"mix": LAB_ALONE.model_dump(), "num_train": 20000, "num_val": 64, "num_test": 512, "max_length": 16},
    "model": {"conv_dim": 8, "fc_dim": 32, "tf_dim": 32, "tf_fc_dim": 32, "tf_layers": 1, "tf_heads": 2},
    "train": {"start_from": None, "max_epochs": 40, "lines_per_epoch": 500, "curriculum": [3], "validate_every": 1},
    "evaluate": {"bootstrap_samples": 200},
}
OUTS = {
    "synthesize": "data/lines/train.h5",
    "train": "models/line_cnn_transformer.safetensors",
    "evaluate": "metrics/test.json",
}
RESUMED = "continuing from"
"""What training says that found a checkpoint."""
GROWTH, MANY = (10_000, 100_000), 1_000_000


@dataclass
class Row:
    """What was done how often, and what came of it."""

    fault: str
    injected: int = 0
    lost: int = 0
    note: str = ""

    def count(self, right: bool) -> None:
        self.injected += 1
        self.lost += not right
        print(f"{self.fault}: {self.injected} injected, {self.lost} lost", flush=True)


def killed(command: list[str], folder: Path, after: float) -> bool:
    """Run a command and kill it and all its children; False where it had ended before."""
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=log, stderr=log, start_new_session=True
        )
        try:
            process.wait(after)
            return False
        except subprocess.TimeoutExpired:
            return True
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def seconds(command: list[str], folder: Path) -> float:
    """How long a command takes that must succeed."""
    start = time.monotonic()
    with (folder / "log").open("a") as log:
        subprocess.run(command, cwd=folder, env=environment(), stdout=log, stderr=log, check=True)
    return time.monotonic() - start


def downloads(folder: Path, rng: random.Random) -> Row:
    """Each process is killed at some moment between its start and its usual end; what was fetched is thrown away."""
    row = Row("a download, `kill -9`")
    script = "import sys; from pathlib import Path; from emnist_lines.sources.fetching import fetch; "
    script += "fetch(sys.argv[1], Path('kept/file'), sys.argv[2])"
    right = hashlib.sha256(CONTENT).hexdigest()
    kept = folder / "kept" / "file"
    with serve(Site({"file": CONTENT}, pace=0.008)) as site:
        command = [sys.executable, "-c", script, f"{site.url}/file", right]
        usual = seconds(command, folder)
        while row.injected < DOWNLOADS:
            if rng.random() < 0.2:
                shutil.rmtree(kept.parent, ignore_errors=True)
            kept.unlink(missing_ok=True)
            if killed(command, folder, rng.uniform(0, usual)):
                row.count(not kept.exists() or sha256(kept) == right)
        seconds(command, folder)
        row.lost += kept.read_bytes() != CONTENT
        row.note = "each starts again"
    return row


def stage(repository: Path, name: str, rng: random.Random) -> Row:
    """`dvc repro` of one stage is killed, once or a few times in a row; then one runs to its end, and so on."""
    row = Row(f"`dvc repro {name}`, `kill -9`")
    out = repository / OUTS[name]
    lock, right = (repository / "dvc.lock").read_bytes(), sha256(out)
    command = ["dvc", "repro", "--force", "--single-item", name]
    usual = seconds(command, repository)
    ended = resumed = cut_off = 0
    while row.injected < KILLS:
        if not killed(command, repository, rng.uniform(0, usual)):
            continue
        survived = not out.exists() or sha256(out) == right
        if not lock_is_whole(repository, lock):
            cut_off += 1
            subprocess.run(["git", "checkout", "-q", "dvc.lock"], cwd=repository, check=True)
        if rng.random() < 0.5 or row.injected == KILLS - 1:
            before = (repository / "log").read_text().count(RESUMED)
            seconds(command, repository)  # by force, or DVC would take the outs from its cache
            ended += 1
            resumed += (repository / "log").read_text().count(RESUMED) > before
            survived &= sha256(out) == right
            if name != "train":  # of which other outs tell how long it took
                survived &= (repository / "dvc.lock").read_bytes() == lock
        row.count(survived)
    seconds(["dvc", "repro"], repository)
    row.note = f"{ended} runs to the end"
    if name == "train":
        row.note += f", {resumed} from a checkpoint on"
    row.note += f"; DVC's own `dvc.lock` was cut off {cut_off} times"
    return row


def lock_is_whole(repository: Path, before: bytes) -> bool:
    """Whether it ends as before: DVC writes its lock file in place, so that a kill can cut it off."""
    return (repository / "dvc.lock").read_bytes().splitlines()[-1:] == before.splitlines()[-1:]


def prepared(folder: Path) -> Path:
    """A repository with this one's files and small parameters, in which everything has run."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    change_params(folder, SMALL)
    seconds(["dvc", "repro"], folder)
    subprocess.run(["git", *IDENTITY, "commit", "-qam", "small parameters"], cwd=folder, check=True)
    return folder


def peak(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds that a command takes, and the most memory that its processes held at a time, in MB.

    Pages of files that are mapped do not count: the system takes them back when it needs them.
    """
    start, most = time.monotonic(), 0.0
    with (
        (folder / "log").open("a") as log,
        psutil.Popen(command, cwd=folder, env=environment(), stdout=log, stderr=log) as process,
    ):
        while process.poll() is None:
            most = max(most, held(process))
            time.sleep(0.05)
    if process.returncode != 0:
        raise SystemExit((folder / "log").read_text())
    return time.monotonic() - start, most


def held(process: psutil.Process) -> float:
    """MB of a process and its children that no file holds."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                memory = one.memory_info()
                total += memory.rss - memory.shared
    return total / 1e6


def growth(folder: Path) -> list[str]:
    """Rows of a table: what lines cost to compose, and a pass over them to learn from, by their number."""
    stages = {
        name: [sys.executable, str(ROOT / "stages" / f"{name}.py")] for name in ("download", "synthesize", "train")
    }
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["download"].update(source="drawn", drawn_per_class=200)
    values["train"].update(curriculum=[], start_from=None)
    values["synthesize"].update(mix=LAB_ALONE.model_dump())
    rows, each = [], {}
    for count in GROWTH:
        epochs = count // 10_000
        values["synthesize"].update(num_train=count, num_val=500, num_test=500)
        values["train"].update(max_epochs=epochs, lines_per_epoch=10_000, validate_every=epochs)
        (folder / "params.yaml").write_text(yaml.safe_dump(values))
        seconds(stages["download"], folder)
        took, memory = peak(stages["synthesize"], folder)
        trained, most = peak(stages["train"], folder)
        size = (folder / "data" / "lines" / "train.h5").stat().st_size / 1e9
        each = {"took": took / count, "trained": trained / count, "size": size / count}
        cells = (f"{count:,}", f"{took:.0f} s", f"{memory:.0f} MB", f"{size:.1f} GB")
        rows.append(_row(*cells, f"{trained / 60:.1f} min", f"{most:.0f} MB", "measured"))
        print(rows[-1], flush=True)
    cells = (f"{MANY:,}", f"{each['took'] * MANY:.0f} s", "as above", f"{each['size'] * MANY:.0f} GB")
    return [
        *rows,
        _row(*cells, f"{each['trained'] * MANY / 60:.0f} min", "as above", "extrapolated from the row above"),
    ]


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def git(*arguments: str) -> str:
    """What a command of Git says of this repository."""
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def page(rows: list[Row], grown: list[str], minutes: float) -> str:
    """What is put between the marks of the page."""
    commit = git("describe", "--always")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    out = [
        f"`make torture` on {today}, commit `{commit}`, {os.cpu_count()} cores, {minutes:.0f} minutes:",
        "",
        _row("fault", "injected", "survived", "lost", ""),
        "|---|---|---|---|---|",
        *(_row(r.fault, r.injected, r.injected - r.lost, f"**{r.lost}**", r.note) for r in rows),
        "",
        _row("train lines", "synthesis", "memory", "on disk", "training, one pass", "memory", ""),
        "|---|---|---|---|---|---|---|",
        *grown,
        "",
        "Memory is the most that all processes of the stage held at a time, without the pages of files that they map:",
        "the system takes those back when it needs them.",
    ]
    return "\n".join(out)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill stages and downloads at random moments; see what is left.")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6, help="of the moments (default: the time's)")
    seed = parser.parse_args().seed
    if git("status", "--porcelain", "--untracked-files=no"):
        raise SystemExit("commit your changes first: stages are killed in a clone of what is committed")
    print(f"seed {seed}", flush=True)
    start, rng = time.monotonic(), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="torture-") as name:
        folder = Path(name)
        (folder / "downloads").mkdir()
        rows = [downloads(folder / "downloads", rng)]
        repository = prepared(folder / "repository")
        rows += [stage(repository, stage_name, rng) for stage_name in OUTS]
        (folder / "growth").mkdir()
        grown = growth(folder / "growth")
    content = PAGE.read_text(encoding="utf-8")
    head, tail = content.split(MARKS[0])[0], content.split(MARKS[1])[1]
    measured = page(rows, grown, (time.monotonic() - start) / 60)
    with atomic_write(PAGE) as part:
        part.write_text(f"{head}{MARKS[0]}\n{measured}\n{MARKS[1]}{tail}", encoding="utf-8")
    print(measured)
    if sum(row.lost for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
