"""The benchmark's arithmetic and its errors; the measurements themselves decide no test."""

import json
from pathlib import Path

import pytest

from benchmarks import run
from emnist_lines.common.errors import UserError
from tests.conftest import ROOT


def test_ratios_are_taken_repetition_by_repetition() -> None:
    found = {
        "plain": [{"seconds_per_line": 8.0}, {"seconds_per_line": 2.0}, {"seconds_per_line": 6.0}],
        "ours": [{"seconds_per_line": 2.0}, {"seconds_per_line": 1.0}, {"seconds_per_line": 1.0}],
    }
    row = run.row(found)
    assert row["plain"] == {"median": 6, "min": 2, "max": 8}
    assert row["ours"] == {"median": 1, "min": 1, "max": 2}
    assert row["ratio"] == {"median": 4, "min": 2, "max": 6}


def test_the_committed_table_is_that_of_the_committed_results() -> None:
    results = json.loads((run.FOLDER / "results.json").read_text(encoding="utf-8"))
    assert (run.FOLDER / "results.md").read_text(encoding="utf-8") == run.table(results)
    assert results["repetitions"] >= 5
    table = run.table(results).split("\n\n")[0]
    assert table in (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")


def test_missing_data_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["run"])
    with pytest.raises(UserError, match=r"glyphs.h5, .* missing; make them with `make repro`"):
        run.main()


def test_an_unknown_part_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["run", "trian"])
    with pytest.raises(UserError, match="there is no part trian; the parts are synthesis, loading,"):
        run.main()


def test_a_measurement_that_fails_is_one_sentence() -> None:
    with pytest.raises(UserError, match=r"measuring nothing failed: KeyError: 'nothing'"):
        run.measure("nothing", "measure_synthesis")
