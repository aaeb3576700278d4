"""Training on lines of all kinds: each one's validation error is told, and evaluation finds the same."""

import json
from pathlib import Path

import pandas as pd
import pytest
from benchmarks.parameters import Params

from emnist_lines.common.glyphs import Glyphs
from emnist_lines.common.written import write_written
from emnist_lines.evaluation.predict import evaluate
from emnist_lines.evaluation.written_lines import SORTS
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.lines.line_file import KINDS
from emnist_lines.sources.drawn_written import render_written
from emnist_lines.synthesis.config import Mix
from emnist_lines.synthesis.documents import Document
from tests.conftest import made
from tests.training_run import trained


@pytest.fixture(scope="module")
def mixed(glyphs: Glyphs, documents: list[Document], small: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data with lines of all kinds."""
    data = tmp_path_factory.mktemp("mixed")
    written = render_written(12, 0)
    write_written(written, data / "written.h5")
    mix = Mix(lab=0.25, natural=0.25, written=0.5)
    return made(glyphs, documents, small.synthesize.replace(mix=mix), data, written)


def test_the_error_of_each_kind_is_told(mixed: Path, language: Path, small: Params, tmp_path: Path) -> None:
    values = small.replace(train=small.train.replace(max_epochs=2, learning_rate=0.005, curriculum=()))
    model = trained(values, mixed, tmp_path)
    best = json.loads((tmp_path / "live" / "metrics.json").read_text())["best"]
    config = small.evaluate.replace(beam_width=3)
    metrics, predictions, dataset = evaluate(model, language, mixed, "val", config, small.machine)
    assert predictions["kind"].tolist() == [KINDS[kind] for kind in dataset.kinds]
    for kind in KINDS:
        rows = predictions[predictions["kind"] == kind]
        assert metrics[kind]["lines"] == len(rows) > 0
        assert metrics[kind]["cer"] == pytest.approx(rows["edits"].sum() / rows["length"].sum(), abs=1e-5)
        assert metrics[kind]["greedy"]["cer"] == pytest.approx(best[f"val_{kind}_cer"], abs=1e-5)
    assert metrics["greedy"]["cer"] == pytest.approx(best["val_cer"], abs=1e-5)
    written = predictions[predictions["kind"] == "written"]
    assert set(written["sort"]) <= set(SORTS)
    for found in metrics["written"]["by_sort"]:
        own = written[written["sort"] == found["sort"]]
        assert (len(own), found["cer"]) == (found["lines"], round(own["edits"].sum() / own["length"].sum(), 5))
        assert own["text"].str.contains(" ").all() or found["sort"] == "word"
    assert (written["writer"] >= 0).all()
    others = predictions[predictions["kind"] != "written"]
    assert set(others["sort"]) == {""}
    assert set(others["writer"]) == {-1}
    assert metrics["lines"] == len(predictions)
    history = pd.read_csv(tmp_path / "live" / "plots" / "metrics" / "val_written_cer.tsv", sep="\t")
    assert history["step"].tolist() == [1, 2]


def test_a_line_of_another_kind_comes_first_in_turn(mixed: Path) -> None:
    dataset = LinesDataset(mixed, "test")
    chosen = dataset.examples(6)
    assert dataset.kinds[chosen].tolist() == [0, 1, 2, 0, 1, 2]
    assert sorted(dataset.examples(10**6)) == list(range(len(dataset)))
