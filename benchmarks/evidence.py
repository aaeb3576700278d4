"""What each part of the recipe is worth: `python -m benchmarks.evidence`.

Each row is a training of its own, of the same number of lines, evaluated on the default test lines. Rows that are
measured already are kept: `evidence.json` is written after each, and a stopped run goes on with the next row.
`evidence.md` is the table. Named rows can be shared among processes of one thread each, which on few cores is quicker
than one process of many: `OMP_NUM_THREADS=1 python -m benchmarks.evidence ours no_ctc &`, and so on.
"""

import argparse
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.material import (
    CORPUS,
    DATA,
    GLYPHS,
    LAB_ALONE,
    LANGUAGE,
    MODEL,
    TEST,
    UNVARIED,
    material,
    require,
    with_glyphs,
)
from benchmarks.parameters import Params, load_all
from benchmarks.tables import markdown, write
from emnist_lines.common.errors import UserError, run
from emnist_lines.evaluation.predict import evaluate
from emnist_lines.lines import line_file
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.lines.line_file import path_of, write_lines
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.training.fit import fit

FOLDER = Path(__file__).parent
EPOCHS, MORE_EPOCHS, EPOCH_LINES = 5, 10, 10_000
STEPS = 31
"""Tokens that a network without `<E>` always writes."""
AS_THEY_ARE = {"train.variation": UNVARIED}
SAME_LINES = {"synthesize.num_train": EPOCH_LINES, "train.lines_per_epoch": None}
LAB_TRAINING = {"train.optimizer": "adam", "train.weight_decay": 0, "train.schedule": "constant"}
LAB: dict[str, Any] = {
    **AS_THEY_ARE,
    **SAME_LINES,
    **LAB_TRAINING,
    "synthesize.fresh_glyph_per_character": False,
    "model.initialization": "fan_out",
    "model.normalize_features": False,
    "model.mask_padding": False,
    "model.conv_dropout": 0,
    "model.fc_dropout": 0.2,
    "model.tf_dropout": 0.4,
    "train.batch_size": 128,
    "train.gradient_clip": None,
    "train.ema_decay": 0,
    "train.label_smoothing": 0,
    "train.ctc_weight": 0,
    "train.curriculum": [],
    "train.precision": "32-true",
}


@dataclass(frozen=True)
class Row:
    """One training.

    Attributes:
        title: what it is, in the table.
        changes: the parameters in which it differs from the default ones (and from the shared budget).
        epochs: its budget, `EPOCH_LINES` lines each.
        own_lines: whether it is evaluated on its own val lines too.
    """

    title: str
    changes: dict[str, Any] = field(default_factory=dict)
    epochs: int = EPOCHS
    own_lines: bool = False

    def budget(self) -> dict[str, Any]:
        """What the budget sets: lines as the lab composes them, from random weights, each line seen once."""
        return {
            "synthesize.mix": LAB_ALONE,
            "train.start_from": None,
            "train.learning_rate": 0.001,
            "train.curriculum": [8, 14],
            "synthesize.num_train": self.epochs * EPOCH_LINES,
            "synthesize.num_test": 1,
            "train.max_epochs": self.epochs,
            "train.lines_per_epoch": EPOCH_LINES,
            "train.warmup_fraction": 0.1,
            "train.validate_every": self.epochs,
            "evaluate.beam_width": 0,
        }


ROWS = {
    "ours": Row("ours"),
    "seed": Row("ours, from another seed", {"train.seed": 1}),
    "no_normalization": Row("… features × √256 instead of their layer norm", {"model.normalize_features": False}),
    "lab_initialization": Row("… the lab's initialisation of the encoder", {"model.initialization": "fan_out"}),
    "no_ctc": Row("… no CTC loss on the encoder", {"train.ctc_weight": 0}),
    "no_curriculum": Row("… no short lines first", {"train.curriculum": []}),
    "no_mask": Row("… the decoder looks at the paper behind the text", {"model.mask_padding": False}),
    "no_variation": Row("… glyphs as they are", AS_THEY_ARE),
    "one_glyph": Row("… one glyph per character and line", {"synthesize.fresh_glyph_per_character": False}),
    "same_lines": Row("… 10,000 lines again and again", SAME_LINES),
    "no_ema": Row("… the last step's weights instead of their mean", {"train.ema_decay": 0}),
    "no_smoothing": Row("… no label smoothing", {"train.label_smoothing": 0}),
    "no_conv_dropout": Row("… no dropout between convolutions", {"model.conv_dropout": 0}),
    "lab_dropout": Row("… the lab's dropout (0.2 and 0.4)", {"model.fc_dropout": 0.2, "model.tf_dropout": 0.4}),
    "lab_optimizer": Row("… Adam at a constant rate", LAB_TRAINING),
    "no_clipping": Row("… no clipping of the gradient", {"train.gradient_clip": None}),
    "large_batches": Row("… batches of 128 lines", {"train.batch_size": 128}),
    "exact": Row("… computed in 32 bits", {"train.precision": "32-true"}),
    "more": Row(f"ours, {MORE_EPOCHS} epochs", epochs=MORE_EPOCHS),
    "lab_protocol": Row(
        "ours, glyphs and text shared as in the lab", {"synthesize.shared_as_in_lab": True}, own_lines=True
    ),
    "lab_with_tokens": Row("the lab's values, with `<S>` and `<E>`", LAB),
    "lab": Row("the lab's command as it was printed", {**LAB, "synthesize.with_start_end_tokens": False}),
}


RELEASED = (
    ("test", "greedy", "greedy decoding of the default test lines"),
    ("test", "ctc", "… the CTC head alone"),
    ("test", "main", "… beam search with language"),
    ("seen", "greedy", "greedy decoding of new lines of the train glyphs and documents, as the lab validated"),
)


def values_of(row: Row) -> Params:
    """The row's parameters: the repository's own, the budget, the row's changes."""
    params = load_all()
    sections: dict[str, dict[str, Any]] = {}
    for key, value in {**row.budget(), **row.changes}.items():
        section, name = key.split(".")
        sections.setdefault(section, {})[name] = value
    return params.replace(**{name: getattr(params, name).replace(**changes) for name, changes in sections.items()})


def measure(row: Row, folder: Path) -> dict[str, Any]:
    """Compose the row's lines, train on them, evaluate on the default test lines."""
    values, data = values_of(row), with_glyphs(folder / "data")
    model, live = folder / "model.safetensors", folder / "live"
    synthesis.synthesize(*material(), values.synthesize, data)
    fit(values.model, values.train, values.machine, data, {}, folder / "checkpoints", live, model)
    figures, _, _ = evaluate(model, None, DATA, "test", values.evaluate, values.machine)
    history = json.loads((live / "metrics.json").read_text(encoding="utf-8"))
    found = {"minutes": round(history["best"]["minutes"], 1), **_short(figures)}
    if "ctc" in figures:
        found["ctc"] = _short(figures["ctc"])
    if row.own_lines:
        own, _, _ = evaluate(model, None, data, "val", values.evaluate, values.machine)
        found["own_val"] = {"cer_per_line": own["cer_per_line"]}
    return found


def measure_released(folder: Path) -> dict[str, Any]:
    """The released model on the default test lines, and on lines of the glyphs and documents that it trained on.

    The latter is what the lab's validation lines were to its model.
    """
    values, seen = load_all(), with_glyphs(folder / "data")
    glyphs, documents = material()
    composer = synthesis.composers(glyphs, documents, values.synthesize)["train"]
    count, seed = values.synthesize.num_test, values.synthesize.seed + 1  # another seed: no train line
    write_lines(synthesis.compose(composer, count, "test", seed), glyphs.source, path_of(seen, "test"))
    found: dict[str, Any] = {}
    for name, data in (("test", DATA), ("seen", seen)):
        figures, _, _ = evaluate(MODEL, LANGUAGE, data, "test", values.evaluate, values.machine)
        found[name] = {"main": _short(figures), **{how: _short(figures[how]) for how in ("greedy", "ctc")}}
    return found


def _short(figures: dict[str, Any]) -> dict[str, Any]:
    names = ("cer", "cer_per_line")
    return {**{n: figures[n] for n in names}, "interval": {n: figures["interval"][n] for n in names}}


def least_edits(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) the fewest edits of a network that writes the text from its second character on, and `STEPS` tokens in all.

    What follows the text is its own choice. If the whole text fits there, the rest need only be deleted. If not, its
    first character must be inserted, and all that follows deleted.

    Args:
        lengths: (N,) characters of the texts, 1 to `STEPS`.
    """
    room = STEPS - (lengths - 1)
    return np.where(room >= lengths, STEPS - lengths, room + 1)


def floor() -> float:
    """The least CER per line of such a network on the default test lines."""
    dataset = LinesDataset(DATA, "test")
    return float(np.mean(least_edits(dataset.lengths[dataset.kinds == line_file.LAB]) / STEPS))


def table(results: dict[str, Any]) -> str:
    """The results in Markdown."""
    rows = results["rows"]
    cells = []
    for name, row in ROWS.items():
        if name in rows:
            found = rows[name]
            ctc = f"{found['ctc']['cer']:.4f}" if "ctc" in found else "–"
            cells.append([row.title, *_rate(found, "cer"), f"{found['cer_per_line']:.4f}", ctc])
    budget = f"{results['epochs']} epochs of {results['lines_per_epoch']:,} lines where it says no other number"
    about = f"Each row: {budget}, greedy decoding of the 2,000 default test lines, 95% bootstrap intervals."
    if "lab" in rows:
        about += f" The least CER per line that a network without `<S>` and `<E>` can get: {results['floor']:.4f}."
    if "lab_protocol" in rows:
        own = rows["lab_protocol"]["own_val"]["cer_per_line"]
        about += f" With glyphs and text shared as in the lab, CER per line on the val lines: {own:.4f}."
    out = [markdown(["", "CER", "95%", "CER per line", "of the CTC head alone"], cells), about]
    if "released" in results:
        cells = []
        for name, how, title in RELEASED:
            found = results["released"][name][how]
            cells.append([title, *_rate(found, "cer"), *_rate(found, "cer_per_line")])
        out.append("The released model:")
        out.append(markdown(["", "CER", "95%", "CER per line", "95%"], cells))
    return "\n\n".join(out) + "\n"


def _rate(found: dict[str, Any], name: str) -> tuple[str, str]:
    """An error rate and its interval."""
    low, high = found["interval"][name]
    return f"**{found[name]:.4f}**", f"{low:.4f} to {high:.4f}"


def measured(kept: Path) -> dict[str, Any]:
    """What has been measured so far."""
    return json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {"rows": {}}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what each part of the recipe is worth.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"measure these anew: {', '.join(ROWS)}, released")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for evidence.json and evidence.md")
    options = parser.parse_args()
    unknown = [name for name in options.rows if name not in (*ROWS, "released")]
    if unknown:
        raise UserError(f"there is no row {unknown[0]}; the rows are {', '.join(ROWS)}, released")
    require(TEST, MODEL, LANGUAGE, GLYPHS, CORPUS)
    kept = options.out / "evidence.json"
    results = measured(kept)
    done = {*results["rows"], *results}
    for name in options.rows or [name for name in ("released", *ROWS) if name not in done]:
        print(name, flush=True)
        with tempfile.TemporaryDirectory(prefix="evidence-") as folder:
            released = name == "released"
            found = measure_released(Path(folder)) if released else measure(ROWS[name], Path(folder))
        results = measured(kept)  # again: another process may have written rows
        (results if released else results["rows"])[name] = found
        results |= {"epochs": EPOCHS, "lines_per_epoch": EPOCH_LINES, "floor": round(floor(), 4)}
        write(results, kept, table(results), options.out / "evidence.md")


if __name__ == "__main__":
    run(main)
