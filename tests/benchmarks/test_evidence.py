"""The table of evidence: its rows are what they claim to be, and it is that of the committed figures."""

import json
import shutil
from pathlib import Path

import numpy as np
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


@pytest.mark.parametrize("name", evidence.ROWS)
def test_a_row_differs_from_ours_in_what_it_names(name: str) -> None:
    row = evidence.ROWS[name]
    ours, values = (evidence.values_of(one) for one in (evidence.ROWS["ours"], row))
    assert (values == ours) == (name == "ours")
    assert values.evaluate == ours.evaluate
    assert values.train.max_epochs * evidence.EPOCH_LINES == (
        values.synthesize.num_train * (1 if values.train.lines_per_epoch else values.train.max_epochs)
    )
    if row.title.startswith("…"):
        assert 1 <= len(row.changes) <= 3


def test_the_floor_is_what_the_best_choice_of_the_rest_leaves() -> None:
    """By trying: the text from its second character on, then as much of a text as helps."""
    rng = np.random.default_rng(0)
    for length in (1, 2, 5, 15, 16, 17, 25, 31):
        text = "".join(rng.permutation(list("abcdefghijklmnopqrstuvwxyz012345"))[:length])
        room = evidence.STEPS - (length - 1)
        rests = [text[:start] for start in range(length + 1)] + [text]
        best = min(Levenshtein.distance(text[1:] + rest.ljust(room, "-")[:room], text) for rest in rests)
        assert evidence.least_edits(np.array([length]))[0] == best


def test_the_lab_s_rows_differ_in_their_tokens_alone() -> None:
    one, other = (evidence.values_of(evidence.ROWS[name]) for name in ("lab", "lab_with_tokens"))
    assert not one.synthesize.with_start_end_tokens
    assert one.replace(synthesize=one.synthesize.replace(with_start_end_tokens=True)) == other
    assert (other.train.optimizer, other.train.batch_size, other.train.ctc_weight) == ("adam", 128, 0)


def test_rows_are_measured_kept_and_told(
    small: Params, lines: Path, language: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(lines, tmp_path / "data")
    brown.write_builtin(tmp_path / "data" / "brown.zip")
    monkeypatch.chdir(tmp_path)
    short = small.replace(train=small.train.replace(max_epochs=1, curriculum=()))
    monkeypatch.setattr(evidence, "values_of", lambda row: short)
    rows = {name: evidence.ROWS[name] for name in ("ours", "lab_protocol")}
    monkeypatch.setattr(evidence, "ROWS", rows)
    (tmp_path / "models").mkdir()
    shutil.copy(language, tmp_path / evidence.LANGUAGE)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(short.model_dump(mode="json")))
    trained(short, lines, tmp_path, out=tmp_path / evidence.MODEL)
    monkeypatch.setattr("sys.argv", ["evidence", "--out", str(tmp_path), "lab_protocol"])
    evidence.main()
    found = json.loads((tmp_path / "evidence.json").read_text(encoding="utf-8"))
    assert found["rows"].keys() == {"lab_protocol"}
    assert found["rows"]["lab_protocol"]["own_val"]["cer_per_line"] > 0
    monkeypatch.setattr("sys.argv", ["evidence", "--out", str(tmp_path)])
    evidence.main()  # what is there already is not measured again
    again = json.loads((tmp_path / "evidence.json").read_text(encoding="utf-8"))
    assert again["rows"].keys() == {"lab_protocol", "ours"}
    assert again["rows"]["lab_protocol"] == found["rows"]["lab_protocol"]
    assert found.keys() == again.keys() - {"released"}
    figures, _, _ = evaluate(tmp_path / evidence.MODEL, language, lines, "test", short.evaluate, short.machine)
    assert again["released"]["test"]["main"]["cer"] == figures["cer"]
    assert again["released"]["seen"]["greedy"]["cer"] != figures["greedy"]["cer"]
    page = (tmp_path / "evidence.md").read_text(encoding="utf-8")
    assert f"| ours | **{again['rows']['ours']['cer']:.4f}** |" in page
    assert f"| … the CTC head alone | **{figures['ctc']['cer']:.4f}** |" in page


def test_the_committed_table_is_that_of_the_committed_figures() -> None:
    results = json.loads((evidence.FOLDER / "evidence.json").read_text(encoding="utf-8"))
    table = evidence.table(results)
    assert (evidence.FOLDER / "evidence.md").read_text(encoding="utf-8") == table
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert all(part.strip() in page for part in table.split("\n\n") if part.startswith("|"))


def test_an_unknown_row_and_missing_data_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["evidence", "uors"])
    with pytest.raises(UserError, match="there is no row uors; the rows are ours, seed, no_norm"):
        evidence.main()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["evidence"])
    with pytest.raises(UserError, match=r"test.h5, .* missing; make them with `make repro`"):
        evidence.main()
