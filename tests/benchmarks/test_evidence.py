"""The table of evidence: its rows are what they claim to be, and it is that of the committed figures."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from benchmarks.parameters import Params
from rapidfuzz.distance import Levenshtein

from benchmarks import evidence
from emnist_lines.common.errors import UserError
from emnist_lines.evaluation.predict import evaluate
from emnist_lines.sources import brown
from tests.conftest import ROOT
from tests.training_run import trained


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", [name for name, row in evidence.ROWS.items() if row.model is None])
def test_a_row_differs_from_ours_in_what_it_names(name: str) -> None:
    row = evidence.ROWS[name]
    ours, values = (evidence.values_of(one) for one in (evidence.ROWS["ours"], row))
    assert (values == ours) == (name == "ours")
    assert values.evaluate == ours.evaluate
    assert values.train.max_epochs * evidence.EPOCH_LINES == (
        values.synthesize.num_train * (1 if values.train.lines_per_epoch else values.train.max_epochs)
    )
    assert row.own_lines or (values.synthesize.seed, values.synthesize.num_val) == (0, 2000)  # of no glyph seen in val
    if row.title.startswith("…"):
        assert 1 <= len(row.changes) <= 3


def test_ours_is_the_default_recipe_but_for_its_length_and_start(defaults: Params) -> None:
    ours = evidence.values_of(evidence.ROWS["ours"])
    of = {
        key.split(".")[1]: getattr(defaults.train, key.split(".")[1])
        for key in evidence.BUDGET
        if key.startswith("train.")
    }
    assert ours.train.replace(**of) == defaults.train
    counts = {name: getattr(defaults.synthesize, name) for name in ("num_train", "num_test")}
    assert ours.synthesize.replace(**counts) == defaults.synthesize
    assert (ours.model, ours.evaluate) == (defaults.model, defaults.evaluate)
    assert defaults.train.start_from == str(evidence.ROWS["start"].model)


def test_the_floor_is_what_the_best_choice_of_the_rest_leaves() -> None:
    """By trying: the text from its second character on, then as much of a text as helps."""
    rng = np.random.default_rng(0)
    for length in (1, 2, 5, 15, 16, 17, 25, 31):
        text = "".join(rng.permutation(list("abcdefghijklmnopqrstuvwxyz012345"))[:length])
        room = evidence.STEPS - (length - 1)
        rests = [text[:start] for start in range(length + 1)] + [text]
        best = min(Levenshtein.distance(text[1:] + rest.ljust(room, "-")[:room], text) for rest in rests)
        assert evidence.least_edits(np.array([length]))[0] == best


def test_rows_are_measured_kept_and_told(
    small: Params, lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(lines, tmp_path / "data")
    brown.write_builtin(tmp_path / "data" / "brown.zip")
    (tmp_path / evidence.WRITTEN).touch()  # lines of the lab's kind alone need nothing of it
    monkeypatch.chdir(tmp_path)
    short = small.replace(train=small.train.replace(max_epochs=1, curriculum=()))
    other = short.replace(synthesize=short.synthesize.replace(seed=1))
    rows = {name: evidence.ROWS[name] for name in ("ours", "no_ctc", "split", "released")}
    monkeypatch.setattr(evidence, "ROWS", rows)
    monkeypatch.setattr(evidence, "BASES", {**dict.fromkeys(rows, "ours"), "released": "released"})
    changed = {rows["split"].title: other, rows["no_ctc"].title: short.replace(train=short.train.replace(ctc_weight=0))}
    monkeypatch.setattr(evidence, "values_of", lambda row: changed.get(row.title, short))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(short.model_dump(mode="json")))
    trained(short, lines, tmp_path, out=tmp_path / evidence.MODEL)

    monkeypatch.setattr("sys.argv", ["evidence", "--out", str(tmp_path), "no_ctc"])
    evidence.main()
    first = evidence.measured("no_ctc", tmp_path)
    assert evidence.measured("ours", tmp_path) is None
    monkeypatch.setattr("sys.argv", ["evidence", "--out", str(tmp_path)])
    evidence.main()  # what is there already is not measured again
    found = {name: evidence.measured(name, tmp_path) for name in rows}
    pd.testing.assert_frame_equal(found["no_ctc"], first)
    config = short.evaluate.replace(beam_width=0)
    _, predictions, _ = evaluate(tmp_path / evidence.MODEL, None, lines, "val", config, short.machine)
    assert found["released"] is not None
    assert found["released"]["edits"].tolist() == predictions["edits"].tolist()
    assert sorted(path.name for path in (tmp_path / "evidence").iterdir()) == ["default.csv", "split.csv"]

    page = (tmp_path / "evidence.md").read_text(encoding="utf-8")
    ours, no_ctc = (found[name]["edits"].sum() / predictions["length"].sum() for name in ("ours", "no_ctc"))
    assert f"| ours | **{ours:.4f}** (" in page
    assert f"**{no_ctc:.4f}** | {no_ctc - ours:+.4f} (" in page
    assert f"| the released model | **{predictions['edits'].sum() / predictions['length'].sum():.4f}** (" in page
    with pytest.raises(UserError, match=r"default.csv holds the edits of other val lines; delete it"):
        evidence.keep("ours", found["split"], tmp_path)


def test_the_committed_table_is_that_of_the_committed_edits(defaults: Params) -> None:
    page = evidence.page(evidence.FOLDER, defaults.evaluate)
    assert (evidence.FOLDER / "evidence.md").read_text(encoding="utf-8") == page
    told = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert all(part.strip() in told for part in page.split("\n\n") if part.startswith("|"))


def test_an_unknown_row_and_missing_data_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["evidence", "uors"])
    with pytest.raises(UserError, match="there is no row uors; the rows are ours, split, no_natural"):
        evidence.main()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["evidence"])
    with pytest.raises(UserError, match=r"val.h5, .* missing; make them with `make repro`"):
        evidence.main()
