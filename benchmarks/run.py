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
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.material import CORPUS, GLYPHS, MODEL, require
from benchmarks.tables import markdown, write
from emnist_lines.common.errors import UserError, run

FOLDER = Path(__file__).parent
PROCESSES = 2
TRAINED, DECODED, COMPOSED = 2_000, 512, 10_000
GROWN = 512
"""Lines of each length whose cost is measured."""
TOKENS, LINES = (16, 32, 64), (1_000, 10_000, 100_000)
SIDES = ("plain", "ours")
GROWTH = {
    "training, by tokens": "train_by_tokens",
    "greedy reading, by tokens": "decode_by_tokens",
    "synthesis, by lines": "synthesis_by_lines",
    "loading, by lines": "loading_by_lines",
}
"""What grows with the length or the number of lines: titles in the table, and names in the results."""
DECODINGS = ("ctc", "beam")
PARTS = ("synthesis", "loading", "decode", "length", "train")
Found = dict[str, list[dict[str, Any]]]


def measure(function: str, module: str = "measure", **arguments: Any) -> dict[str, Any]:
    """One measurement in a fresh process."""
    command = [sys.executable, "-m", f"benchmarks.{module}", function, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"measuring {function} failed: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(function, arguments, {name: value for name, value in found.items() if name != "predictions"}, flush=True)
    return found


def both(repetitions: int, function: str, **arguments: Any) -> Found:
    """Plain and ours, by turns."""
    found: Found = {side: [] for side in SIDES}
    for _ in range(repetitions):
        for side in SIDES:
            found[side].append(measure(function, side=side, **arguments))
    return found


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and largest."""
    return {name: short(f(values)) for name, f in (("median", median), ("min", min), ("max", max))}


def short(value: float) -> float:
    """Four digits."""
    return float(f"{value:.4g}")


def row(found: Found, key: str = "seconds_per_line") -> dict[str, Any]:
    """Both sides and, repetition by repetition, plain over ours."""
    sides = {side: [one[key] for one in found[side]] for side in SIDES}
    ratios = [plain / ours for plain, ours in zip(sides["plain"], sides["ours"], strict=True)]
    return {**{side: spread(values) for side, values in sides.items()}, "ratio": spread(ratios)}


def grown(found: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds per line."""
    return spread([one["seconds_per_line"] for one in found])


@dataclass(frozen=True)
class Bench:
    """The parts of the benchmark; each returns what it adds to the results.

    Attributes:
        repetitions: of each measurement.
        scale: below 1 measures fewer lines, to try the benchmark itself.
        folder: for files of lines.
    """

    repetitions: int
    scale: float
    folder: Path

    def synthesis(self) -> dict[str, Any]:
        both_sides: Found = {side: [] for side in SIDES}
        composed, *counts = (self._count(count) for count in (COMPOSED, *LINES))
        growth: list[list[dict[str, Any]]] = [[] for _ in counts]
        for _ in range(self.repetitions):
            for side in SIDES:
                both_sides[side].append(self._compose(composed, side))
            for count, found in zip(counts, growth, strict=True):
                found.append(self._compose(count))
        _, largest = self._lines(counts[-1])
        by_lines = {str(count): grown(found) for count, found in zip(counts, growth, strict=True)}
        longer = by_lines[str(counts[2])]["median"] / by_lines[str(counts[1])]["median"]
        return {
            "lines": {"synthesis": composed},
            "rows": {"synthesis": row(both_sides)},
            "seconds_per_line": {"synthesis_by_lines": by_lines},
            "synthesis_100k_over_ten_times_10k": round(longer, 3),
            "synthesis_100k_peak_mb": round(largest["peak_mb"]),
        }

    def loading(self) -> dict[str, Any]:
        counts = [self._count(count) for count in LINES]
        files = [self._lines(count)[0] for count in counts]
        small, middle = (both(self.repetitions, "load", lines=path) for path in files[:2])
        large = [measure("load", side="ours", lines=files[2]) for _ in range(self.repetitions)]
        ours = zip(counts, [small["ours"], middle["ours"], large], strict=True)
        by_lines = {str(count): grown(found) for count, found in ours}
        rows = {"load_1k": row(small), "load_10k": row(middle)}
        return {"rows": rows, "seconds_per_line": {"loading_by_lines": by_lines}}

    def decode(self) -> dict[str, Any]:
        count = self._count(DECODED)
        path, _ = self._lines(count)
        found = both(self.repetitions, "decode", lines=path)
        pairs = zip(found["plain"][0]["predictions"], found["ours"][0]["predictions"], strict=True)
        differing = sum(one != other for one, other in pairs)
        times: dict[str, list[float]] = {how: [] for how in DECODINGS}
        for _ in range(self.repetitions):
            greedy, *others = (measure("decode", side="ours", lines=path, how=how) for how in ("greedy", *DECODINGS))
            for how, other in zip(DECODINGS, others, strict=True):
                times[how].append(other["seconds_per_line"] / greedy["seconds_per_line"])
        return {
            "lines": {"decode": count},
            "rows": {"decode": row(found)},
            "lines_predicted_differently": differing,
            "time_over_greedy": {how: spread(values) for how, values in times.items()},
        }

    def length(self) -> dict[str, Any]:
        files = [self._lines(self._count(GROWN), tokens)[0] for tokens in TOKENS]
        found: dict[str, list[list[dict[str, Any]]]] = {name: [[] for _ in files] for name in ("train", "decode")}
        for _ in range(self.repetitions):
            for size, path in enumerate(files):
                for name, growth in found.items():
                    growth[size].append(measure(name, side="ours", lines=path))
        by_tokens = {
            f"{name}_by_tokens": {str(tokens): grown(one) for tokens, one in zip(TOKENS, growth, strict=True)}
            for name, growth in found.items()
        }
        return {"seconds_per_line": by_tokens}

    def train(self) -> dict[str, Any]:
        """Ours once in the default precision and once, as the plain side, in 32 bits."""
        count = self._count(TRAINED)
        path, _ = self._lines(count)
        found: Found = {side: [] for side in (*SIDES, "exact")}
        for _ in range(self.repetitions):
            found["plain"].append(measure("train", side="plain", lines=path))
            found["ours"].append(measure("train", side="ours", lines=path))
            found["exact"].append(measure("train", side="ours", lines=path, precision="32-true"))
        exact = {"plain": found["plain"], "ours": found["exact"]}
        rows = {"train": row(found), "train_32": row(exact), "train_peak_memory": row(found, "growth_mb")}
        return {"lines": {"train": count}, "rows": rows}

    def _count(self, lines: int) -> int:
        return max(8, int(lines * self.scale))

    def _compose(self, count: int, side: str = "ours") -> dict[str, Any]:
        out = str(self.folder / "composed.h5")
        return measure("compose", "measure_synthesis", side=side, count=count, processes=PROCESSES, out=out)

    def _lines(self, count: int, tokens: int = 32) -> tuple[str, dict[str, Any]]:
        """A file of default lines, and how its synthesis went."""
        out = str(self.folder / f"{count}x{tokens}.h5")
        arguments = {"count": count, "max_length": tokens, "processes": PROCESSES, "out": out}
        return out, measure("whole_file", "measure_synthesis", **arguments)


def summary(results: dict[str, Any]) -> dict[str, Any]:
    """The results headed by their headlines."""
    rows = results["rows"]
    step = rows["train"]["ours"]["median"]
    loading = list(results["seconds_per_line"]["loading_by_lines"].values())[-1]
    ratios = {f"{name}_ratio": rows[name]["ratio"]["median"] for name in ("decode", "synthesis", "train_peak_memory")}
    rates = {name: round(1 / rows[name]["ours"]["median"], 1) for name in ("train", "decode", "synthesis")}
    headlines = {
        "train_step_ratio": rows["train"]["ratio"]["median"],
        "train_step_ratio_32_bits": rows["train_32"]["ratio"]["median"],
        **ratios,
        "lines_per_second": rates,
        "loading_share_of_step_100k": {name: short(value / step) for name, value in loading.items()},
    }
    circumstances = {
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "pytorch-lightning", "numpy", "h5py")},
        },
        "processor": processor(),
    }
    return {**headlines, **{name: value for name, value in results.items() if name not in headlines}, **circumstances}


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def table(results: dict[str, Any]) -> str:
    """The results in Markdown."""
    titles = {
        "train": (f"a training pass over {results['lines']['train']:,} lines, batch 128", 1e3, "ms per line"),
        "train_32": ("… ours in 32 bits too", 1e3, "ms per line"),
        "train_peak_memory": ("… its growth of peak memory", 1, "MB"),
        "decode": (f"greedy reading of {results['lines']['decode']} lines, encoder included", 1e3, "ms per line"),
        "synthesis": (f"synthesis of {results['lines']['synthesis']:,} lines", 1e3, "ms per line"),
        "load_1k": ("loading an epoch of 1,000 lines; plain: from memory", 1e3, "ms per line"),
        "load_10k": ("… of 10,000 lines", 1e3, "ms per line"),
    }
    sides = []
    for name, (title, factor, unit) in titles.items():
        cells = [_cell(results["rows"][name][side], factor) for side in SIDES]
        sides.append([title, *cells, unit, f"**{_cell(results['rows'][name]['ratio'])}**"])
    growth = []
    for title, name in GROWTH.items():
        sizes = results["seconds_per_line"][name].items()
        growth.append([title, *(f"{int(size):,}: {_cell(values, 1e3)}" for size, values in sizes)])
    share, memory = results["loading_share_of_step_100k"], results["synthesis_100k_peak_mb"]
    out = [
        markdown(["", *SIDES, "unit", "plain ÷ ours"], sides),
        "How ours grows, in ms per line:",
        markdown([""] * (1 + len(TOKENS)), growth),
        f"Loading an epoch of {int(list(results['seconds_per_line']['loading_by_lines'])[-1]):,} lines takes "
        f"{_cell(share, 100)} % of its training. Composing them takes {memory} MB at most, and per line "
        f"{results['synthesis_100k_over_ten_times_10k']} times as long as a tenth of them. Lines that both sides read "
        f"differently: {results['lines_predicted_differently']}. Against greedy decoding, the CTC head alone takes "
        f"{_cell(results['time_over_greedy']['ctc'])} of the time, the beam search on both heads' scores "
        f"{_cell(results['time_over_greedy']['beam'])}.",
        f"Medians of {results['repetitions']} repetitions (minimum to maximum), {results['threads']} threads, "
        f"{results['processor']}, torch {results['versions']['torch']}.",
    ]
    return "\n\n".join(out) + "\n"


def _cell(values: dict[str, float], factor: float = 1) -> str:
    middle, low, high = (f"{float(f'{values[name] * factor:.3g}'):,g}" for name in ("median", "min", "max"))
    return f"{middle} ({low} to {high})"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the fast paths against the plain ones.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"measure these alone: {', '.join(PARTS)}")
    parser.add_argument("--repetitions", type=int, default=5, help="of each measurement (default: 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the lines to measure with (default: 1)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for results.json and results.md")
    options = parser.parse_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        raise UserError(f"there is no part {unknown[0]}; the parts are {', '.join(PARTS)}")
    require(GLYPHS, CORPUS, MODEL)
    kept = options.out / "results.json"
    if options.parts and not kept.is_file():
        raise UserError(f"{kept} has no results of the other parts yet; measure all first")
    results: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if options.parts else {}
    for name in options.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            found = getattr(Bench(options.repetitions, options.scale, Path(folder)), name)()
        for key, value in found.items():
            results[key] = {**results.get(key, {}), **value} if isinstance(value, dict) else value
    results = summary({**results, "repetitions": options.repetitions})
    write(results, kept, table(results), options.out / "results.md")
    print(table(results), end="")


if __name__ == "__main__":
    run(main)
