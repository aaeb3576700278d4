"""Measure the fast paths against the plain ones: `make bench`.

Each measurement is a process of its own; plain and ours alternate; figures are medians with minimum and maximum.
Writes `benchmarks/results.json` and `benchmarks/results.md`.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch

from emnist_lines.errors import UserError, run
from emnist_lines.files import whole

FOLDER = Path(__file__).parent
NEEDED = [Path("data/glyphs.h5"), Path("data/brown.zip"), Path("models/line_cnn_transformer.safetensors")]
PROCESSES = 2
TRAINED, DECODED, COMPOSED = 2_000, 512, 10_000
GROWN = 512
"""Lines of each length whose cost is measured."""
TOKENS, LINES = (16, 32, 64), (1_000, 10_000, 100_000)
SIDES = ("plain", "ours")
Found = dict[str, list[dict[str, Any]]]


def measure(function: str, module: str = "measure", **arguments: Any) -> dict[str, Any]:
    """One measurement in a fresh process."""
    command = [sys.executable, "-m", f"benchmarks.{module}", function, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"measuring {function} failed: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(function, arguments, {name: value for name, value in found.items() if name != "readings"}, flush=True)
    return found


def both(repetitions: int, function: str, **arguments: Any) -> Found:
    """Plain and ours, by turns."""
    found: Found = {side: [] for side in SIDES}
    for _ in range(repetitions):
        for side in SIDES:
            found[side].append(measure(function, side=side, **arguments))
    return found


def spread(values: list[float]) -> dict[str, float]:
    return {name: float(f"{f(values):.4g}") for name, f in (("median", median), ("min", min), ("max", max))}


def row(found: Found, key: str = "seconds_per_line") -> dict[str, Any]:
    """Both sides and, repetition by repetition, plain over ours."""
    sides = {side: [one[key] for one in found[side]] for side in SIDES}
    ratios = [plain / ours for plain, ours in zip(sides["plain"], sides["ours"], strict=True)]
    return {**{side: spread(values) for side, values in sides.items()}, "ratio": spread(ratios)}


def grown(found: list[dict[str, Any]], key: str = "seconds_per_line") -> dict[str, float]:
    return spread([one[key] for one in found])


def bench(repetitions: int, scale: float, folder: Path) -> dict[str, Any]:
    """All measurements; `scale` below 1 measures fewer lines, to try the benchmark itself."""
    trained, decoded, composed, few = (max(8, int(n * scale)) for n in (TRAINED, DECODED, COMPOSED, GROWN))
    counts = [max(8, int(n * scale)) for n in LINES]

    def compose(count: int, side: str = "ours") -> dict[str, Any]:
        out = str(folder / "composed.h5")
        return measure("compose", "measure_synthesis", side=side, count=count, processes=PROCESSES, out=out)

    def lines(count: int, tokens: int = 32) -> tuple[str, dict[str, Any]]:
        """A file of default lines, and how its synthesis went."""
        out = str(folder / f"{count}x{tokens}.h5")
        arguments = {"count": count, "max_length": tokens, "processes": PROCESSES, "out": out}
        return out, measure("whole_file", "measure_synthesis", **arguments)

    synthesis: Found = {side: [] for side in SIDES}
    growth: dict[str, list[list[dict[str, Any]]]] = {name: [[], [], []] for name in ("lines", "train", "decode")}
    for _ in range(repetitions):
        for side in SIDES:
            synthesis[side].append(compose(composed, side))
    for _ in range(repetitions):
        compose(counts[-1])  # not counted: a virtual machine has to get the memory for a large file from its host first
        for size, count in enumerate(counts):
            growth["lines"][size].append(compose(count))
    files = [lines(count) for count in counts]
    reading: list[Found] = [both(repetitions, "read", lines=path) for path, _ in files[:2]]
    large = [measure("read", side="ours", lines=files[2][0]) for _ in range(repetitions)]
    decode = both(repetitions, "decode", lines=lines(decoded)[0])
    differing = {
        sum(one != other for one, other in zip(plain["readings"], ours["readings"], strict=True))
        for plain, ours in zip(decode["plain"], decode["ours"], strict=True)
    }
    longer = [lines(few, tokens)[0] for tokens in TOKENS]
    for _ in range(repetitions):
        for size, path in enumerate(longer):
            for name in ("train", "decode"):
                growth[name][size].append(measure(name, side="ours", lines=path))
    train = both(repetitions, "train", lines=lines(trained)[0])

    rows = {
        "train": row(train),
        "train_peak_memory": row(train, "growth_mb"),
        "decode": row(decode),
        "synthesis": row(synthesis),
        "read_1k": row(reading[0]),
        "read_10k": row(reading[1]),
    }
    step = rows["train"]["ours"]["median"]
    by_lines = {str(count): grown(found) for count, found in zip(counts, growth["lines"], strict=True)}
    return {
        "train_step_ratio": rows["train"]["ratio"]["median"],
        "decode_ratio": rows["decode"]["ratio"]["median"],
        "synthesis_ratio": rows["synthesis"]["ratio"]["median"],
        "train_peak_memory_ratio": rows["train_peak_memory"]["ratio"]["median"],
        "lines_per_second": {
            name: round(1 / rows[name]["ours"]["median"], 1) for name in ("train", "decode", "synthesis")
        },
        "lines_read_differently": max(differing),
        "reading_share_of_step_100k": grown([{"share": one["seconds_per_line"] / step} for one in large], "share"),
        "synthesis_100k_over_ten_times_10k": round(
            by_lines[str(counts[2])]["median"] / by_lines[str(counts[1])]["median"], 3
        ),
        "synthesis_100k_peak_mb": round(files[2][1]["peak_mb"]),
        "seconds_per_line": {
            "synthesis_by_lines": by_lines,
            "reading_by_lines": {
                str(count): grown(found)
                for count, found in zip(counts, [reading[0]["ours"], reading[1]["ours"], large], strict=True)
            },
            "train_by_tokens": {str(t): grown(f) for t, f in zip(TOKENS, growth["train"], strict=True)},
            "decode_by_tokens": {str(t): grown(f) for t, f in zip(TOKENS, growth["decode"], strict=True)},
        },
        "rows": rows,
        "repetitions": repetitions,
        "lines": {"train": trained, "decode": decoded, "synthesis": composed},
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "pytorch-lightning", "numpy", "h5py")},
        },
        "processor": processor(),
    }


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def table(results: dict[str, Any]) -> str:
    """The results in Markdown."""
    titles = {
        "train": (f"a training pass over {results['lines']['train']} lines, batch 128", 1e3, "ms per line"),
        "train_peak_memory": ("… its growth of peak memory", 1, "MB"),
        "decode": (f"greedy reading of {results['lines']['decode']} lines, encoder included", 1e3, "ms per line"),
        "synthesis": (f"synthesis of {results['lines']['synthesis']} lines", 1e3, "ms per line"),
        "read_1k": ("loading an epoch of 1,000 lines; plain: from memory", 1e3, "ms per line"),
        "read_10k": ("… of 10,000 lines", 1e3, "ms per line"),
    }
    out = ["| | plain | ours | unit | plain ÷ ours |", "|---|---|---|---|---|"]
    for name, (title, factor, unit) in titles.items():
        cells = [_cell(results["rows"][name][side], factor) for side in SIDES]
        out.append(f"| {title} | {cells[0]} | {cells[1]} | {unit} | **{_cell(results['rows'][name]['ratio'])}** |")
    out += ["", "How ours grows, in ms per line:", "", "| | | | |", "|---|---|---|---|"]
    for name, title in (
        ("train_by_tokens", "training"),
        ("decode_by_tokens", "greedy reading"),
        ("synthesis_by_lines", "synthesis"),
        ("reading_by_lines", "loading"),
    ):
        cells = [f"{int(size):,}: {_cell(values, 1e3)}" for size, values in results["seconds_per_line"][name].items()]
        out.append(f"| {title}, by {name.split('_')[-1]} | {' | '.join(cells)} |")
    share, memory = results["reading_share_of_step_100k"], results["synthesis_100k_peak_mb"]
    out += [
        "",
        f"Loading an epoch of {list(results['seconds_per_line']['reading_by_lines'])[-1]} lines takes "
        f"{_cell(share, 100)} % of its training. Composing them takes {memory} MB at most, and per line "
        f"{results['synthesis_100k_over_ten_times_10k']} times as long as a tenth of them. Lines that both sides read "
        f"differently: {results['lines_read_differently']}.",
        "",
        f"Medians of {results['repetitions']} repetitions (minimum to maximum), {results['threads']} threads, "
        f"{results['processor']}, torch {results['versions']['torch']}.",
    ]
    return "\n".join(out) + "\n"


def _cell(values: dict[str, float], factor: float = 1) -> str:
    middle, low, high = (f"{values[name] * factor:.3g}" for name in ("median", "min", "max"))
    return f"{middle} ({low} to {high})"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the fast paths against the plain ones.")
    parser.add_argument("--repetitions", type=int, default=5, help="of each measurement (default: 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the lines to measure with (default: 1)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for results.json and results.md")
    options = parser.parse_args()
    missing = [str(path) for path in NEEDED if not path.is_file()]
    if missing:
        raise UserError(f"{', '.join(missing)} missing; make them with `make repro`")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        results = bench(options.repetitions, options.scale, Path(folder))
    with whole(options.out / "results.json") as part:
        part.write_text(json.dumps(results, indent=1) + "\n")
    with whole(options.out / "results.md") as part:
        part.write_text(table(results))
    print(table(results), end="")


if __name__ == "__main__":
    run(main)
