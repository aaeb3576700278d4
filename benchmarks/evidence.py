"""What each part of the recipe is worth: `python -m benchmarks.evidence`.

Each row is a model, read greedily on validation lines: short trainings of the recipe and of the recipe without one
part, all of the same number of lines; then the released model, and what it started from. The edits of each line are
kept in `evidence/`, a column per row, so that rows are compared line by line. Rows that are there are not measured
again: a stopped run goes on with the next one. `evidence.md` is the table.
"""

import argparse
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.material import (
    CORPUS,
    DATA,
    GLYPHS,
    MODEL,
    START,
    VAL,
    WRITTEN,
    material,
    require,
    with_sources,
)
from benchmarks.parameters import Params, load_all
from benchmarks.tables import markdown
from emnist_lines.common.errors import UserError, run
from emnist_lines.common.files import atomic_write
from emnist_lines.common.written import read_written
from emnist_lines.evaluation.config import EvaluateConfig
from emnist_lines.evaluation.predict import evaluate
from emnist_lines.evaluation.rates import interval
from emnist_lines.lines import line_file
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.lines.line_file import KINDS
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.synthesis.config import Mix
from emnist_lines.training.fit import fit

FOLDER = Path(__file__).parent
EPOCHS, EPOCH_LINES = 8, 10_000
STEPS = 31
"""Tokens that a network without `<E>` always writes."""
DEFAULT = "default"
"""Name of the file of edits of the default val lines."""
ABOUT = ["kind", "writer", "length"]
"""Columns of a file of edits that are no row."""
BUDGET: dict[str, Any] = {
    "synthesize.num_train": EPOCHS * EPOCH_LINES,
    "synthesize.num_test": 1,
    "train.start_from": None,
    "train.max_epochs": EPOCHS,
    "train.lines_per_epoch": EPOCH_LINES,
    "train.curriculum": (8, 14),
    "train.warmup_fraction": 0.1,
    "train.validate_every": EPOCHS,
}
"""What all trainings share: random weights at first, short texts in the first two epochs, hardly a line seen twice."""


@dataclass(frozen=True)
class Row:
    """A model, and the lines that it is read on.

    Attributes:
        title: what it is, in the table.
        changes: the parameters in which its training differs from the default ones (and from the shared budget).
        own_lines: whether it is read on the val lines of its own synthesis, not on the default ones.
        model: its file, if it is there already.
    """

    title: str
    changes: dict[str, Any] = field(default_factory=dict)
    own_lines: bool = False
    model: Path | None = None


def mix(lab: float, natural: float, written: float) -> dict[str, Any]:
    """The change of a row that has other kinds of lines."""
    return {"synthesize.mix": Mix(lab=lab, natural=natural, written=written)}


ROWS = {
    "ours": Row("ours"),
    "split": Row("ours, glyphs, documents and people split by another seed", {"synthesize.seed": 1}, own_lines=True),
    "no_natural": Row("… no natural lines", mix(0.35, 0, 0.65)),
    "no_written": Row("… no written lines", mix(0.67, 0.33, 0)),
    "no_ctc": Row("… no CTC loss on the encoder", {"train.ctc_weight": 0}),
    "released": Row("the released model", model=MODEL),
    "start": Row("… what its training started from", model=START),
}
BASES = {**dict.fromkeys(ROWS, "ours"), "released": "released", "start": "released"}
"""The row that each one is compared with."""


def values_of(row: Row) -> Params:
    """The row's parameters: the repository's own, the budget, the row's changes."""
    params = load_all()
    sections: dict[str, dict[str, Any]] = {}
    for key, value in {**BUDGET, **row.changes}.items():
        section, name = key.split(".")
        sections.setdefault(section, {})[name] = value
    return params.replace(**{name: getattr(params, name).replace(**changes) for name, changes in sections.items()})


def measure(row: Row, folder: Path) -> pd.DataFrame:
    """Compose the row's lines and train on them, if it has no model yet; read its val lines.

    Returns:
        A row per val line: kind, writer, length and edits.
    """
    values, data, model = values_of(row), DATA, row.model
    if model is None:
        model, own = folder / "model.safetensors", with_sources(folder / "data")
        written = read_written(WRITTEN) if values.synthesize.mix.written > 0 else None
        synthesis.synthesize(*material(), values.synthesize, own, written)
        fit(values.model, values.train, values.machine, own, {}, folder / "checkpoints", folder / "live", model)
        data = own if row.own_lines else DATA
    _, predictions, _ = evaluate(model, None, data, "val", values.evaluate.replace(beam_width=0), values.machine)
    return predictions[[*ABOUT, "edits"]]


def file_of(name: str, out: Path) -> Path:
    """The file of the edits of a row."""
    return out / "evidence" / f"{name if ROWS[name].own_lines else DEFAULT}.csv"


def measured(name: str, out: Path) -> pd.DataFrame | None:
    """The kinds, writers, lengths and edits of a row's lines, or None if it has not been measured."""
    path = file_of(name, out)
    table = pd.read_csv(path, keep_default_na=False) if path.is_file() else pd.DataFrame()
    return table[[*ABOUT, name]].rename(columns={name: "edits"}) if name in table else None


def keep(name: str, found: pd.DataFrame, out: Path) -> None:
    """Add a row to its file.

    Raises:
        UserError: the file's rows are of other lines.
    """
    path = file_of(name, out)
    table = pd.read_csv(path, keep_default_na=False) if path.is_file() else found[ABOUT]
    if not table[ABOUT].reset_index(drop=True).equals(found[ABOUT].reset_index(drop=True)):
        raise UserError(f"{path} holds the edits of other val lines; delete it to measure all rows anew")
    order = [*ABOUT, *[other for other in ROWS if other in table or other == name]]
    with atomic_write(path) as part:
        table.assign(**{name: found["edits"].to_numpy()})[order].to_csv(part, index=False, lineterminator="\n")


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
    """The least CER per line of such a network on the default test lines of the lab's kind."""
    dataset = LinesDataset(DATA, "test")
    return float(np.mean(least_edits(dataset.lengths[dataset.kinds == line_file.LAB]) / STEPS))


def page(out: Path, config: EvaluateConfig) -> str:
    """What has been measured, in Markdown: two tables, of the trainings and of the released model."""
    tables = []
    for base in dict.fromkeys(BASES.values()):
        rows = [_cells(name, out, config) for name in ROWS if BASES[name] == base]
        head = ["", *[cell for kind in KINDS for cell in (kind, f"more than {ROWS[base].title}")]]
        if any(rows):
            tables.append(markdown(head, filter(None, rows)))
    about = (
        f"Each training: {EPOCHS} epochs of {EPOCH_LINES:,} lines, from random weights, with short texts in the first "
        "two epochs and a tenth of the steps to warm up. Greedy decoding of 2,000 val lines of each kind. In brackets "
        "95% bootstrap intervals of the difference, over the same lines (of written lines, over people); in the first "
        "row of a table, and of a row's own lines, of the rate itself."
    )
    return "\n\n".join([*tables, about]) + "\n"


def _cells(name: str, out: Path, config: EvaluateConfig) -> list[str]:
    """A row of a table; none if it has not been measured."""
    own, base = measured(name, out), measured(BASES[name], out)
    if own is None:
        return []
    cells = [ROWS[name].title]
    for kind in KINDS:
        lines = own[own["kind"] == kind]
        if lines.empty:
            cells += ["–", ""]
            continue
        error_rate = lines["edits"].sum() / lines["length"].sum()
        if base is None or name == BASES[name] or ROWS[name].own_lines:
            cells += [f"**{error_rate:.4f}** ({_span(lines['edits'], lines, config)})", ""]
        else:
            more = lines["edits"] - base.loc[lines.index, "edits"]
            difference = more.sum() / lines["length"].sum()
            cells += [f"**{error_rate:.4f}**", f"{difference:+.4f} ({_span(more, lines, config)})"]
    return cells


def _span(edits: "pd.Series[int]", lines: pd.DataFrame, config: EvaluateConfig) -> str:
    low, high = interval(edits.to_numpy(), lines["length"].to_numpy(), lines, config)
    return f"{low:.4f} to {high:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what each part of the recipe is worth.")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"measure these anew: {', '.join(ROWS)}")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for evidence/ and evidence.md")
    options = parser.parse_args()
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        raise UserError(f"there is no row {unknown[0]}; the rows are {', '.join(ROWS)}")
    require(VAL, MODEL, GLYPHS, CORPUS, WRITTEN)
    for name in options.rows or [name for name in ROWS if measured(name, options.out) is None]:
        print(name, flush=True)
        with tempfile.TemporaryDirectory(prefix="evidence-") as folder:
            keep(name, measure(ROWS[name], Path(folder)), options.out)
        with atomic_write(options.out / "evidence.md") as part:
            part.write_text(page(options.out, load_all().evaluate), encoding="utf-8")
    print(f"The least CER per line that a network without <S> and <E> can get on the lab's test lines: {floor():.4f}")


if __name__ == "__main__":
    run(main)
