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

from benchmarks.material import CORPUS, GLYPHS, LANGUAGE, MODEL, TRAIN, VAL, WRITTEN, require
from benchmarks.parameters import positive
from benchmarks.tables import markdown, write
from emnist_lines.common.errors import UserError, run

FOLDER = Path(__file__).parent
TRAINED, DECODED, COMPOSED, PICTURED = 2_000, 512, 10_000, 300
GROWN = 512
"""Lines of each length whose cost is measured."""
TOKENS, LINES, ONCE = (16, 32, 64), (1_000, 10_000, 100_000), 1_000_000
AIM = 0.05
"""What rendering a batch of training should take at most, as a share of the step that follows."""
SIDES = ("plain", "ours")
SYNTHESES = ("torch", "numpy", "ours")
VARIATIONS = {"": True, "_unvaried": False}
"""What is added to the name of a row, and whether its glyphs vary."""
GROWTH = {"training, by tokens": "train_by_tokens", "greedy reading, by tokens": "decode_by_tokens"}
"""What grows with the length: titles in the table, and names in the results."""
DECODINGS = ("ctc", "beam")
TITLES = {
    "train": ("a training pass over {train:,} lines of all kinds, batch 128, both in 32 bits", 1e3, "ms per line"),
    "train_auto": ("… ours in the default precision", 1e3, "ms per line"),
    "train_peak_memory": ("… growth of peak memory, both in 32 bits", 1, "MB"),
    "decode": ("greedy reading of {decode:,} lines of all kinds, encoder included", 1e3, "ms per line"),
    "synthesis": (
        "images of {synthesis:,} lines of the lab's kind, glyphs varied; plain: from torch tensors",
        1e3,
        "ms per line",
    ),
    "synthesis_numpy": ("… plain: from NumPy arrays", 1e3, "ms per line"),
    "synthesis_unvaried": (
        "… without variation, as the lab composes them; plain: from torch tensors",
        1e3,
        "ms per line",
    ),
    "synthesis_unvaried_numpy": ("… plain: from NumPy arrays", 1e3, "ms per line"),
}
"""Rows of the table: what is measured, the factor to the unit, the unit."""
PARTS = ("synthesis", "opening", "rendering", "decode", "length", "train", "reader")
Found = dict[str, list[dict[str, Any]]]


def measure(function: str, module: str = "measure", **arguments: Any) -> dict[str, Any]:
    """One measurement in a fresh process."""
    command = [sys.executable, "-m", f"benchmarks.{module}", function, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        told = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]  # a killed process says nothing
        raise UserError(f"measuring {function} failed: {told[-1]}")
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


def rate(found: list[dict[str, Any]]) -> dict[str, float]:
    """Lines per second."""
    return spread([1 / one["seconds_per_line"] for one in found])


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
        """Images of lines by each side; and recipes alone, of more and more lines."""
        composed, once, *counts = (self._count(count) for count in (COMPOSED, ONCE, *LINES))
        sides: Found = {f"{side}{kind}": [] for side in SYNTHESES for kind in VARIATIONS}
        growth: Found = {str(count): [] for count in counts}
        for _ in range(self.repetitions):
            for side in SYNTHESES:
                for kind, varied in VARIATIONS.items():
                    found = measure("images", "measure_synthesis", side=side, count=composed, varied=varied)
                    sides[side + kind].append(found)
            for count in counts:
                growth[str(count)].append(self._recipes(count))
        growth[str(once)] = [self._recipes(once)]
        rows = {}
        for kind in VARIATIONS:
            for plain, name in (("torch", ""), ("numpy", "_numpy")):
                rows[f"synthesis{kind}{name}"] = row({"plain": sides[plain + kind], "ours": sides["ours" + kind]})
        recipes = {
            count: {key: spread([one[key] for one in found]) for key in found[0]} for count, found in growth.items()
        }
        return {"lines": {"synthesis": composed}, "rows": rows, "recipes": recipes}

    def opening(self) -> dict[str, Any]:
        """What a training or a reading of lines waits for its files: from the page cache, and from the disk."""
        found: dict[str, list[float]] = {"cold": [], "warm": []}
        for _ in range(self.repetitions):
            for name, seconds in found.items():
                cached = name == "warm"
                seconds.append(measure("opening", "measure_synthesis", cached=cached)["seconds"])
        return {"opening": {name: spread(seconds) for name, seconds in found.items()}}

    def rendering(self) -> dict[str, Any]:
        """What a step of training waits for its batch; and what one thread renders with nothing beside it."""
        count = self._count(TRAINED)
        data = self._lines(count)
        steps, varied, plain = [], [], []
        for _ in range(self.repetitions):
            steps.append(measure("rendering", data=data))
            varied.append(measure("render_alone", data=data, varied=True))
            plain.append(measure("render_alone", data=data, varied=False))
        return {
            "lines": {"rendering": count},
            "rendering": {
                **{key: spread([one[key] for one in steps]) for key in steps[0]},
                "lines_per_second_and_core": rate(varied),
                "lines_per_second_and_core_unvaried": rate(plain),
            },
        }

    def decode(self) -> dict[str, Any]:
        count = self._count(DECODED)
        data = self._lines(count)
        found = both(self.repetitions, "decode", data=data)
        pairs = zip(found["plain"][0]["predictions"], found["ours"][0]["predictions"], strict=True)
        differing = sum(one != other for one, other in pairs)
        times: dict[str, list[float]] = {how: [] for how in DECODINGS}
        for _ in range(self.repetitions):
            greedy, *others = (measure("decode", side="ours", data=data, how=how) for how in ("greedy", *DECODINGS))
            for how, other in zip(DECODINGS, others, strict=True):
                times[how].append(other["seconds_per_line"] / greedy["seconds_per_line"])
        return {
            "lines": {"decode": count},
            "rows": {"decode": row(found)},
            "lines_predicted_differently": differing,
            "time_over_greedy": {how: spread(values) for how, values in times.items()},
        }

    def length(self) -> dict[str, Any]:
        folders = [self._lines(self._count(GROWN), tokens) for tokens in TOKENS]
        found: dict[str, list[list[dict[str, Any]]]] = {name: [[] for _ in folders] for name in ("train", "decode")}
        for _ in range(self.repetitions):
            for size, data in enumerate(folders):
                for name, growth in found.items():
                    growth[size].append(measure(name, side="ours", data=data))
        by_tokens = {
            f"{name}_by_tokens": {str(tokens): grown(one) for tokens, one in zip(TOKENS, growth, strict=True)}
            for name, growth in found.items()
        }
        return {"seconds_per_line": by_tokens}

    def train(self) -> dict[str, Any]:
        """Both sides in 32 bits, and ours once more in the precision of params.yaml."""
        count = self._count(TRAINED)
        data, precision = self._lines(count), {"precision": "32-true"}
        found: Found = {side: [] for side in (*SIDES, "auto")}
        for _ in range(self.repetitions):
            found["plain"].append(measure("train", side="plain", data=data, **precision))
            found["ours"].append(measure("train", side="ours", data=data, **precision))
            found["auto"].append(measure("train", side="ours", data=data))
        auto = row({"plain": found["plain"], "ours": found["auto"]})
        rows = {"train": row(found), "train_auto": auto, "train_peak_memory": row(found, "growth_mb")}
        return {"lines": {"train": count}, "rows": rows}

    def reader(self) -> dict[str, Any]:
        """What a person waits for who has a picture, and who has many."""
        count = max(3, int(PICTURED * self.scale) // 3 * 3)  # a third of each kind
        found = [measure("reader", count=count) for _ in range(self.repetitions)]
        return {"lines": {"reader": count}, "reader": {key: spread([one[key] for one in found]) for key in found[0]}}

    def _count(self, lines: int) -> int:
        return max(8, int(lines * self.scale))

    def _recipes(self, count: int, tokens: int = 32) -> dict[str, Any]:
        """Make a folder of default lines; how that went."""
        arguments = {"count": count, "max_length": tokens, "folder": self._folder(count, tokens)}
        return measure("recipes", "measure_synthesis", **arguments)

    def _lines(self, count: int, tokens: int = 32) -> str:
        """A folder of default lines."""
        self._recipes(count, tokens)
        return self._folder(count, tokens)

    def _folder(self, count: int, tokens: int) -> str:
        return str(self.folder / f"{count}x{tokens}")


def merged(results: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The results, and over them what a part found."""
    new = {key: {**results.get(key, {}), **value} if isinstance(value, dict) else value for key, value in found.items()}
    return {**results, **new}


def summary(results: dict[str, Any]) -> dict[str, Any]:
    """The results headed by their headlines."""
    rows = results["rows"]
    ratios = {f"{name}_ratio": rows[name]["ratio"]["median"] for name in TITLES}
    rates = {name: short(1 / rows[name]["ours"]["median"]) for name in ("train_auto", "decode", "synthesis")}
    headlines = {
        **ratios,
        "lines_per_second": rates,
        "rendering_share_of_step": results["rendering"]["share"],
        "rendering_within_aim": results["rendering"]["share"]["median"] <= AIM,
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
    sides = []
    for name, (title, factor, unit) in TITLES.items():
        cells = [_cell(results["rows"][name][side], factor) for side in SIDES]
        ratio = f"**{_cell(results['rows'][name]['ratio'])}**"
        sides.append([title.format(**results["lines"]), *cells, unit, ratio])
    growth = []
    for title, name in GROWTH.items():
        sizes = results["seconds_per_line"][name].items()
        growth.append([title, *(f"{int(size):,}: {_cell(values, 1e3)}" for size, values in sizes)])
    recipes = []
    for count, found in results["recipes"].items():
        recipes.append([f"{int(count):,}", *(_cell(found[key]) for key in ("seconds", "file_mb", "peak_mb"))])
    painted, times = results["rendering"], results["time_over_greedy"]
    out = [
        markdown(["", *SIDES, "unit", "plain ÷ ours"], sides),
        "How ours grows, in ms per line:",
        markdown([""] * (1 + len(TOKENS)), growth),
        "A synthesis of all kinds of lines, from glyphs, strokes and text to the file of recipes:",
        markdown(["train lines", "seconds", "MB on disk", "MB of memory at most"], recipes),
        f"Rendering a batch of training, varied, takes {_cell(painted['share'], 100)} % of the step that "
        f"follows (aim: {AIM:.0%}). One core renders {_cell(painted['lines_per_second_and_core'])} "
        f"lines a second for training, {_cell(painted['lines_per_second_and_core_unvaried'])} without variation.",
        f"To open the default train lines with their glyphs and strokes takes {_cell(results['opening']['warm'])} s if "
        f"their files are in the page cache, {_cell(results['opening']['cold'])} s if they come from the disk. All "
        "other figures are with a warm cache.",
        f"Lines that both sides read differently: {results['lines_predicted_differently']}. Against greedy decoding, "
        f"the CTC head alone takes {_cell(times['ctc'])} of the time, the beam search with language "
        f"{_cell(times['beam'])}.",
        f"To load the reader and read a first picture takes {_cell(results['reader']['first'])} s. After that it reads "
        f"{_cell(results['reader']['pictures_per_second'])} pictures a second, {results['lines']['reader']} at once, a "
        "third of each kind.",
        f"Medians of {results['repetitions']} repetitions (minimum to maximum), {results['threads']} threads, "
        f"{results['processor']}, torch {results['versions']['torch']}.",
    ]
    return "\n\n".join(out) + "\n"


def _cell(values: dict[str, float], factor: float = 1) -> str:
    """The median, and of several values the least and the largest."""
    middle, low, high = (f"{float(f'{values[name] * factor:.3g}'):,g}" for name in ("median", "min", "max"))
    return middle if values["min"] == values["max"] else f"{middle} ({low} to {high})"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the fast paths against the plain ones.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"measure these alone: {', '.join(PARTS)}")
    parser.add_argument("--repetitions", type=positive, default=5, help="of each measurement (default: 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the lines to measure with (default: 1)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for results.json and results.md")
    options = parser.parse_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        raise UserError(f"there is no part {unknown[0]}; the parts are {', '.join(PARTS)}")
    require(GLYPHS, CORPUS, WRITTEN, TRAIN, VAL, LANGUAGE, MODEL)
    kept = options.out / "results.json"
    if options.parts and not kept.is_file():
        raise UserError(f"{kept} has no results of the other parts yet; measure all first")
    results: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if options.parts else {}
    for name in options.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            found = getattr(Bench(options.repetitions, options.scale, Path(folder)), name)()
        results = merged(results, found)
    results = summary({**results, "repetitions": options.repetitions})
    write(results, kept, table(results), options.out / "results.md")
    print(table(results), end="")


if __name__ == "__main__":
    run(main)
