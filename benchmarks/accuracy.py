"""Where the released model still errs: `python -m benchmarks.accuracy` writes `docs/accuracy.md`.

Errors are those of the main decoding in `metrics/predictions.csv`, aligned with the text by the fewest edits. The
single glyphs' part trains the classifier of `benchmarks.classifier`, which takes some minutes.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import classifier
from benchmarks.material import TEST, material, require
from benchmarks.parameters import load_all
from benchmarks.tables import markdown, write
from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import run
from emnist_lines.evaluation import breakdowns
from emnist_lines.evaluation.alignment import align_all
from emnist_lines.evaluation.rates import edits
from emnist_lines.lines.line_file import LAB, read_lines
from emnist_lines.synthesis import synthesize as synthesis

PAGE, FIGURES = Path("docs/accuracy.md"), Path(__file__).parent / "accuracy.json"
PREDICTIONS = Path("metrics/predictions.csv")
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
PLACES = {"1": (0, 1), "2": (1, 2), "3 to 5": (2, 5), "6 to 10": (5, 10), "11 to 20": (10, 20), "21 to 30": (20, 30)}
OVERLAPS = {f"{low} to {high}": (low, high) for low, high in pairwise([0, 0.08, 0.16, 0.25, 0.34])}
FREQUENT = 20
"""Rows of the longest tables; and how often a character has to occur to be in one."""


def folded(groups: str) -> Callable[[str], str]:
    """A function that writes one character for all that are alike."""
    table = str.maketrans({character: group[0] for group in groups.split() for character in group})
    return lambda text: text.translate(table)


def cer_by(
    values: Any, groups: Mapping[str, tuple[float, float]], counts: pd.DataFrame, of: str
) -> list[dict[str, Any]]:
    """CER of groups.

    Args:
        values: (N,) what decides about the group.
        groups: names, each with the least value and the one from which on the next group takes over.
        counts: N rows with the columns characters and edits.
        of: the column that is told beside the CER.
    """
    rows = []
    for name, (low, high) in groups.items():
        total = counts[(values >= low) & (values < high)].sum()
        cer = round(float(total["edits"] / max(total["characters"], 1)), 4)
        rows.append({"name": name, of: int(total[of]), "cer": cer})
    return rows


def line_figures(frame: pd.DataFrame, overlaps: NDArray[np.float32]) -> dict[str, Any]:
    """All figures that need no training.

    Args:
        frame: as `predict.predict` returns it.
        overlaps: (N,) mean share of a glyph that the next one covers, in each line.
    """
    steps = align_all(frame)
    wrong, written = steps["kind"] != "equal", steps["written"] != ""
    several = (frame["length"] > 1).to_numpy()  # a single character overlaps with none
    total = int(frame["length"].sum())
    alike = []
    for name, groups in ALIKE.items():
        fold = folded(groups)
        left = int(edits(frame["prediction"].map(fold), frame["text"].map(fold)).sum())
        alike.append({"name": name, "cer": round(left / total, 4)})
    lines = pd.DataFrame({"lines": 1, "characters": frame["length"], "edits": frame["edits"]})
    characters = pd.DataFrame({"characters": written, "edits": wrong})
    rates = breakdowns.by_character(steps).sort_values("rate", ascending=False, kind="stable")
    return {
        "lines": len(frame),
        "characters": total,
        "errors": int(wrong.sum()),
        "kinds": steps.loc[wrong, "kind"].value_counts().to_dict(),
        "confusions": breakdowns.confusions(steps, FREQUENT).to_dict("records"),
        "by_character": rates.to_dict("records"),
        "alike": alike,
        "by_length": breakdowns.by_length(frame).rename(columns={"characters": "name"}).to_dict("records"),
        "by_overlap": cer_by(overlaps[several], OVERLAPS, lines[several], "lines"),
        "by_place": cer_by(steps["place"], PLACES, characters, "characters"),
    }


def lab_lines(predictions: Path, lines: Path) -> tuple[pd.DataFrame, NDArray[np.float32]]:
    """The predictions of lines of the lab's kind, and the overlaps of these lines: the arguments of `line_figures`."""
    frame, found = pd.read_csv(predictions, keep_default_na=False), read_lines(lines)[0]
    lab = found.kinds == LAB
    return frame[lab].reset_index(drop=True), found.overlaps[lab]


def single_glyphs() -> dict[str, Any]:
    """How many characters of the test lines the classifier recognizes on their own."""
    values, (glyphs, documents) = load_all(), material()
    composers = synthesis.composers(glyphs, documents, values.synthesize)
    table = classifier.confusions(glyphs.images, composers["train"], composers["test"], values.train.variation)
    lines = read_lines(TEST)[0]
    written = Counter(b"".join(lines.texts[lines.kinds == LAB].tolist()).decode())
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
    alike = {row["name"]: row["cer"] for row in figures["alike"]}
    single = {row["name"]: row["accuracy"] for row in figures["single"]["accuracy"]}
    kinds = figures["kinds"]
    cer, cased, folded_all = alike["as it is"], alike["upper and lower case"], alike["all of these"]
    blind = 1 - single["as it is"]
    pairs = [(f"`{row['confusion']}`", f"{row['count']} of {row['of']}") for row in figures["confusions"]]
    half = -(-len(pairs) // 2)
    beside = zip_longest(pairs[:half], pairs[half:], fillvalue=("", ""))
    worst = [row for row in figures["by_character"] if row["count"] >= FREQUENT][:FREQUENT]
    out = [
        "# Where it still errs",
        "This page answers which errors the released model still makes in lines of the lab's kind, and what a "
        "character's ink alone can tell.",
        f"What the beam search with language reads in the {figures['lines']:,} test lines of the kind `lab`: "
        f"{figures['errors']:,} errors in "
        f"{figures['characters']:,} characters (CER {cer:.4f}), of which {kinds.get('replace', 0):,} are another "
        f"character, {kinds.get('delete', 0):,} missing ones and {kinds.get('insert', 0):,} invented ones. "
        "Written by `python -m benchmarks.accuracy` from `metrics/predictions.csv`.",
        "## Most frequent confusions",
        markdown(
            ["text → prediction", "count", "", "text → prediction", "count"],
            [[*one, "", *other] for one, other in beside],
        ),
        "## Case, and characters that look alike",
        "EMNIST scales every character to the same box, so size is lost: `c` and `C` differ by nothing but the words "
        "around them. CER when such characters count as the same:",
        markdown(
            ["counted as the same", "CER", "share of all errors that goes"],
            [[name, f"{left:.4f}", f"{1 - left / cer:.0%}"] for name, left in alike.items()],
        ),
        f"So {1 - cased / cer:.0%} of the error is case, and {folded_all / cer:.0%} is left when all of these groups "
        "are one.",
        "## What a single glyph can tell",
        f"A CNN of its own, trained on the train glyphs (varied, and as often as the text needs each), names "
        f"{single['as it is']:.1%} of the characters of the test lines right when it sees each alone (its accuracy on "
        f"the {figures['single']['glyphs']:,} test glyphs, each class weighted by its frequency in the lines). The "
        f"recognizer of lines errs at {cer:.1%} where the classifier errs at {blind:.1%}: the words around a "
        f"character settle {1 - cer / blind:.0%} of what its ink leaves open.",
        markdown(
            ["counted as the same", "right, glyph by glyph", "recognizer of lines"],
            [[name, f"{accuracy:.1%}", f"{1 - alike[name]:.1%}"] for name, accuracy in single.items()],
        ),
        "## By character",
        f"The characters that are taken for others or missed most often, of those that occur {FREQUENT} times or more:",
        markdown(
            ["character", "occurs", "wrong", "share"],
            [[f"`{row['character']}`", f"{row['count']}", f"{row['wrong']}", f"{row['rate']:.1%}"] for row in worst],
        ),
        "## By length, overlap and place",
        _groups("characters of the line", "lines", figures["by_length"]),
        _groups("share of a glyph under the next", "lines", figures["by_overlap"]),
        _groups("place in the line", "characters", figures["by_place"]),
    ]
    return "\n\n".join(out) + "\n"


def _groups(title: str, of: str, rows: list[dict[str, Any]]) -> str:
    """The table of a `cer_by`."""
    return markdown([title, of, "CER"], [[row["name"].strip(), f"{row[of]:,}", f"{row['cer']:.4f}"] for row in rows])


def main() -> None:
    require(PREDICTIONS, TEST)
    figures = {**line_figures(*lab_lines(PREDICTIONS, TEST)), "single": single_glyphs()}
    write(figures, FIGURES, page(figures), PAGE)


if __name__ == "__main__":
    run(main)
