"""Where the released model still errs: `python -m benchmarks.accuracy` writes `docs/accuracy.md`.

Errors are those of greedy decoding in `metrics/predictions.csv`, aligned with the text by the fewest edits. The single
glyphs' part trains the classifier of `benchmarks.classifier`, which takes some minutes.
"""

import json
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import classifier
from benchmarks.material import material
from emnist_lines.common import params
from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import UserError, run
from emnist_lines.common.files import whole
from emnist_lines.evaluation import breakdowns as analysis
from emnist_lines.network.metrics import edit_distance
from emnist_lines.synthesis import synthesize as synthesis

PAGE, FIGURES = Path("docs/accuracy.md"), Path(__file__).parent / "accuracy.json"
PREDICTIONS, LINES = Path("metrics/predictions.csv"), Path("data/lines.h5")
ALIKE = {
    "as it is": "",
    "upper and lower case": "".join(a + a.lower() + " " for a in CLASSES if a.isupper()),
    "`0 O o`": "0Oo",
    "`1 I l i`": "1Ili",
    "`5 S s` and `2 Z z`": "5Ss 2Zz",
    "all of these": "".join(a + a.lower() + " " for a in CLASSES if a.isupper() and a not in "OILSZ")
    + "0Oo 1IiLl 5Ss 2Zz",
}
"""What is taken for the same character: groups, apart by spaces."""
PLACES = [0, 1, 2, 5, 10, 20, 30]
OVERLAPS = [0, 0.08, 0.16, 0.25, 0.34]
FREQUENT = 20


def folded(groups: str) -> Callable[[str], str]:
    """A function that writes one character for all that are alike."""
    same = {character: group[0] for group in groups.split() for character in group}
    return lambda written: "".join(same.get(character, character) for character in written)


def by_overlap(frame: pd.DataFrame, overlaps: NDArray[np.float32]) -> list[dict[str, Any]]:
    """CER of the lines whose overlap lies from each edge of `OVERLAPS` to the next."""
    rows = []
    for low, high in pairwise(OVERLAPS):
        chosen = frame[(overlaps >= low) & (overlaps < high)]
        characters, edits = int(chosen["length"].sum()), int(chosen["edits"].sum())
        rows.append({"name": f"{low} to {high}", "lines": len(chosen), "cer": round(edits / max(characters, 1), 4)})
    return rows


def reading(frame: pd.DataFrame, overlaps: NDArray[np.float32]) -> dict[str, Any]:
    """All figures that need no training."""
    errors = analysis.errors(frame)
    kinds = Counter(error.kind for error in errors)
    places = np.array([error.place for error in errors])
    reached = np.array([place for length in frame["length"] for place in range(length)])
    total, characters = int(frame["length"].sum()), analysis.by_character(frame)
    several = frame["length"].to_numpy() > 1  # a single character overlaps with none
    alike = []
    for name, groups in ALIKE.items():
        fold = folded(groups)
        edits = sum(edit_distance(fold(p), fold(t)) for p, t in zip(frame["prediction"], frame["text"], strict=True))
        alike.append({"name": name, "cer": round(edits / total, 4)})
    by_place = []
    for low, high in pairwise(PLACES):
        there = int(((reached >= low) & (reached < high)).sum())
        edits = int(((places >= low) & (places < high)).sum())
        name = f"{low + 1}" if high == low + 1 else f"{low + 1} to {high}"
        by_place.append({"name": name, "characters": there, "cer": round(edits / max(there, 1), 4)})
    return {
        "lines": len(frame),
        "characters": total,
        "errors": len(errors),
        "kinds": dict(kinds),
        "swaps": analysis.confusions(frame, FREQUENT).to_dict("records"),
        "by_character": characters.sort_values("rate", ascending=False, kind="stable").to_dict("records"),
        "alike": alike,
        "by_length": analysis.by_length(frame).rename(columns={"characters": "name"}).to_dict("records"),
        "by_overlap": by_overlap(frame[several], overlaps[several]),
        "by_place": by_place,
    }


def single_glyphs() -> dict[str, Any]:
    """How many characters of the test lines the classifier reads on their own."""
    values = params.load(Path("params.yaml")).synthesize
    composers = synthesis.composers(*material(), values)
    table = classifier.confusions(composers["train"], composers["test"], values.train_variation)
    with h5py.File(LINES) as file:
        written = Counter(b"".join(file["test/texts"][:].tolist()).decode())
    counts = np.array([written[c] for c in CLASSES])
    shares = counts / counts.sum()
    accuracy = []
    for name, groups in ALIKE.items():
        fold = folded(groups)
        same = np.array([[fold(a) == fold(b) for b in CLASSES] for a in CLASSES])
        accuracy.append({"name": name, "accuracy": round(float(shares @ (table * same).sum(axis=1)), 4)})
    return {"glyphs": int(composers["test"].counts[:-1].sum()), "accuracy": accuracy}


def page(figures: dict[str, Any]) -> str:
    """The page in Markdown."""
    total, alike = figures["characters"], {row["name"]: row["cer"] for row in figures["alike"]}
    single = {row["name"]: row["accuracy"] for row in figures["single"]["accuracy"]}
    kinds = figures["kinds"]
    whole_cer, cased, folded_all = alike["as it is"], alike["upper and lower case"], alike["all of these"]
    blind = 1 - single["as it is"]
    swaps = figures["swaps"]
    half = -(-len(swaps) // 2)
    rows = [[_swap(row) for row in swaps[start : half + start]] for start in (0, half)]
    worst = [row for row in figures["by_character"] if row["count"] >= 20][:FREQUENT]
    out = [
        "# Where it still errs",
        "",
        f"Greedy decoding of the {figures['lines']:,} default test lines: {figures['errors']:,} errors in {total:,} "
        f"characters (CER {whole_cer:.4f}), of which {kinds.get('replace', 0):,} are another character, "
        f"{kinds.get('delete', 0):,} missing ones and {kinds.get('insert', 0):,} invented ones. "
        "Written by `python -m benchmarks.accuracy` from `metrics/predictions.csv`.",
        "",
        "## Most frequent confusions",
        "",
        "| text → read | count | | text → read | count |",
        "|---|---|---|---|---|",
        *[f"| {a} | | {b} |" for a, b in zip(rows[0], rows[1] + ["| "] * (half - len(rows[1])), strict=True)],
        "",
        "## Case, and characters that look alike",
        "",
        "EMNIST scales every character to the same box, so size is lost: `c` and `C` differ by nothing but the words "
        "around them. CER when such characters count as the same:",
        "",
        *_table(
            ["counted as the same", "CER", "share of all errors that goes"],
            [[row["name"], f"{row['cer']:.4f}", f"{1 - row['cer'] / whole_cer:.0%}"] for row in figures["alike"]],
        ),
        "",
        f"So {1 - cased / whole_cer:.0%} of the error is case, and {folded_all / whole_cer:.0%} is left when all of "
        "these groups are one.",
        "",
        "## What a single glyph can tell",
        "",
        f"A CNN of its own, trained on the train glyphs (varied, and as often as the text needs each), names "
        f"{single['as it is']:.1%} of the characters of the test lines right when it sees each alone (its accuracy on "
        f"the {figures['single']['glyphs']:,} test glyphs, each class weighted by its frequency in the lines). The "
        f"reader of lines errs at {whole_cer:.1%} where the classifier errs at {blind:.1%}: the words around a "
        f"character settle {1 - whole_cer / blind:.0%} of what its ink leaves open.",
        "",
        *_table(
            ["counted as the same", "right, glyph by glyph", "reader of lines"],
            [
                [row["name"], f"{row['accuracy']:.1%}", f"{1 - alike[row['name']]:.1%}"]
                for row in figures["single"]["accuracy"]
            ],
        ),
        "",
        "## By character",
        "",
        "The characters that are misread most often, of those that occur 20 times or more:",
        "",
        *_table(
            ["character", "occurs", "wrong", "share"],
            [[_code(row["character"]), str(row["count"]), str(row["wrong"]), f"{row['rate']:.1%}"] for row in worst],
        ),
        "",
        "## By length, overlap and place",
        "",
        *_table(["characters of the line", "lines", "CER"], [_cells(row, "lines") for row in figures["by_length"]]),
        "",
        *_table(
            ["share of a glyph under the next", "lines", "CER"], [_cells(row, "lines") for row in figures["by_overlap"]]
        ),
        "",
        *_table(["place in the line", "characters", "CER"], [_cells(row, "characters") for row in figures["by_place"]]),
    ]
    return "\n".join(out) + "\n"


def _swap(row: dict[str, Any]) -> str:
    return f"{_code(row['confusion'])} | {row['count']} of {row['of']}"


def _code(text: str) -> str:
    return f"`{text}`"


def _cells(row: dict[str, Any], count: str) -> list[str]:
    return [row["name"].strip(), f"{row[count]:,}", f"{row['cer']:.4f}"]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows]]


def main() -> None:
    missing = [str(path) for path in (PREDICTIONS, LINES) if not path.is_file()]
    if missing:
        raise UserError(f"{', '.join(missing)} missing; make them with `make repro`")
    frame = pd.read_csv(PREDICTIONS, keep_default_na=False)
    with h5py.File(LINES) as file:
        overlaps = file["test/overlaps"][:]
    figures = {**reading(frame, overlaps), "single": single_glyphs()}
    with whole(FIGURES) as part:
        part.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.parent.mkdir(exist_ok=True)
    with whole(PAGE) as part:
        part.write_text(page(figures), encoding="utf-8")


if __name__ == "__main__":
    run(main)
