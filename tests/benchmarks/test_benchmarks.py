"""The benchmark's arithmetic and its errors; the measurements themselves decide no test."""

import json
import subprocess
from pathlib import Path
from typing import Any

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


def test_all_parts_together_make_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of made-up measurements: ours twice as fast, rendering 4% of a step."""
    calls = []

    def measure(function: str, module: str = "measure", **arguments: Any) -> dict[str, Any]:
        calls.append((function, arguments.get("count")))
        fast = arguments.get("side", "ours") == "ours"
        found = {
            "recipes": {"seconds": 2.0, "file_mb": 3.0, "peak_mb": 400.0},
            "opening": {"seconds": 1.0 if arguments.get("cached") else 3.0},
            "reader": {"first": 1.5, "pictures_per_second": 40.0},
            "rendering": {"render": 2e-4, "step": 5e-3, "share": 0.04},
        }
        usual = {"seconds_per_line": 1e-3 if fast else 2e-3, "growth_mb": 10.0, "predictions": ["a", "b"]}
        return found.get(function, usual)

    monkeypatch.setattr(run, "measure", measure)
    bench = run.Bench(repetitions=2, scale=1, folder=tmp_path)
    results: dict[str, Any] = {}
    for part in run.PARTS:
        results = run.merged(results, getattr(bench, part)())
    results = run.summary({**results, "repetitions": 2})
    ratios = {name: found["ratio"]["median"] for name, found in results["rows"].items()}
    assert ratios == {**dict.fromkeys(run.TITLES, 2), "train_peak_memory": 1}
    assert results["rendering_within_aim"]
    assert results["lines_per_second"]["synthesis"] == 1000
    assert list(results["recipes"]) == ["1000", "10000", "100000", "1000000"]
    assert calls.count(("recipes", 1_000_000)) == 1
    page = run.table(results)
    title = "images of 10,000 lines of the lab's kind, glyphs varied; plain: from torch tensors"
    assert f"| {title} | 2 | 1 | ms per line | **2** |" in page
    assert "| 1,000,000 | 2 | 3 | 400 |" in page
    assert "takes 1 s if their files are in the page cache, 3 s if they come from the disk" in page
    assert "first picture takes 1.5 s. After that it reads 40 pictures a second, 300 at once" in page
    assert "takes 4 % of the step that follows (aim: 5%)" in page


def test_missing_data_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["run"])
    with pytest.raises(UserError, match=r"glyphs.h5, .* missing; make them with `make repro`"):
        run.main()


def test_an_unknown_part_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["run", "trian"])
    with pytest.raises(UserError, match="there is no part trian; the parts are synthesis, opening, rendering,"):
        run.main()


def test_a_measurement_that_fails_is_one_sentence() -> None:
    with pytest.raises(UserError, match=r"measuring nothing failed: KeyError: 'nothing'"):
        run.measure("nothing", "measure_synthesis")


def test_a_killed_measurement_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.CompletedProcess([], -9, stdout="", stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: killed)
    with pytest.raises(UserError, match="measuring train failed: exit code -9"):
        run.measure("train")


@pytest.mark.parametrize("word", ["0", "-1", "some", ""])
def test_how_many_is_a_whole_number(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["run", "--repetitions", word])
    with pytest.raises(SystemExit):
        run.main()
