"""Rates are what their definitions say; evaluation agrees with training's own validation."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from emnist_lines.common.params import Evaluate, Params
from emnist_lines.evaluation.predict import evaluate, examples, ranked, summary
from emnist_lines.training import fit as training
from emnist_lines.training import lit_recognizer as learning

EVALUATE = Evaluate(7, bootstrap_samples=500, bootstrap_seed=0, pictured_lines=3, joint_beam=3, joint_ctc_weight=0.3)


def frame(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["text", "prediction"])


def test_rates_of_known_readings() -> None:
    figures = summary(
        frame(("kitten sat", "sitting sat"), ("abc", "abc"), ("a b", ""), ("x", "xyzw")), "prediction", EVALUATE
    )
    assert figures["lines"] == 4
    assert figures["characters"] == 17
    assert figures["cer"] == pytest.approx((3 + 0 + 3 + 3) / 17, abs=1e-5)
    assert figures["cer_per_line"] == pytest.approx((3 / 11 + 0 + 3 / 3 + 3 / 4) / 4, abs=1e-5)
    assert figures["wer"] == pytest.approx((1 + 0 + 2 + 1) / 6, abs=1e-5)
    assert figures["exact_match"] == 0.25


def test_intervals_hold_the_rate_and_narrow_with_more_lines() -> None:
    rows = [("abcd", "abcd" if n % 4 else "abxx") for n in range(64)]
    few, many = summary(frame(*rows), "prediction", EVALUATE), summary(frame(*rows * 16), "prediction", EVALUATE)
    for figures in (few, many):
        for name in ("cer", "cer_per_line", "wer", "exact_match"):
            low, high = figures["interval"][name]
            assert low < figures[name] < high
    widths = [f["interval"]["cer"][1] - f["interval"]["cer"][0] for f in (few, many)]
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.25)
    # 16 of 64 lines are wrong by half: the standard error of the mean is that of 64 draws
    expected = 2 * 1.96 * np.std([0.5] * 16 + [0.0] * 48) / 8
    assert widths[0] == pytest.approx(expected, rel=0.15)


def test_without_any_error_the_interval_is_a_point() -> None:
    figures = summary(frame(("ab", "ab"), ("c", "c")), "prediction", EVALUATE)
    assert (figures["cer"], figures["exact_match"]) == (0, 1)
    assert figures["interval"]["cer"] == [0, 0]


@pytest.fixture(scope="module")
def model(lines: Path, small: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    train = replace(small.train, max_epochs=12, learning_rate=0.005, curriculum=())
    out = folder / "model.safetensors"
    training.train(replace(small, train=train), lines, "", folder / "checkpoints", folder / "metrics", out)
    return out


def test_evaluating_the_validation_lines_gives_training_s_best_figures(
    model: Path, lines: Path, small: Params, tmp_path: Path
) -> None:
    swapped = tmp_path / "lines.h5"
    shutil.copy(lines, swapped)
    with h5py.File(swapped, "r+") as file:
        file.move("test", "kept")
        file.move("val", "test")
    metrics, predictions, dataset = evaluate(model, swapped, EVALUATE, small.machine)
    best = json.loads((model.parent / "metrics" / "metrics.json").read_text())["best"]
    assert metrics["cer"] == pytest.approx(best["val_cer"], abs=1e-5)
    assert metrics["ctc"]["cer"] == pytest.approx(best["val_ctc_cer"], abs=1e-5)
    assert metrics["loss"] == pytest.approx(best["val_loss"], rel=1e-5)
    assert metrics["source"] == "drawn"
    assert predictions["text"].tolist() == dataset.texts


def test_a_row_per_line_in_the_file_s_order_whatever_the_batches(model: Path, lines: Path, small: Params) -> None:
    _, one, dataset = evaluate(model, lines, EVALUATE, small.machine)
    _, two, _ = evaluate(model, lines, replace(EVALUATE, batch_size=24), small.machine)
    pd.testing.assert_frame_equal(one, two, atol=1e-3)
    assert one.columns[:6].tolist() == ["text", "prediction", "edits", "length", "confidence", "confidences"]
    assert one.columns[6:].tolist() == ["ctc_prediction", "joint_prediction"]
    assert one["confidences"].str.split().str.len().tolist() == one["prediction"].str.len().tolist()
    assert one["text"].tolist() == dataset.texts
    assert one["length"].tolist() == [len(text) for text in dataset.texts]
    assert one["confidence"].between(0, 1).all()


def test_the_beam_search_is_told_beside_and_may_be_left_out(model: Path, lines: Path, small: Params) -> None:
    metrics, predictions, _ = evaluate(model, lines, EVALUATE, small.machine)
    assert (metrics["joint"]["beam"], metrics["joint"]["ctc_weight"]) == (3, 0.3)
    assert metrics["joint"]["cer"] == summary(predictions, "joint_prediction", EVALUATE)["cer"]
    assert metrics["joint"]["cer"] < 1
    alone = replace(EVALUATE, joint_beam=1, joint_ctc_weight=0.0)  # the decoder's own best choice at each step
    _, predictions, _ = evaluate(model, lines, alone, small.machine)
    full = predictions["prediction"].str.len() >= 8  # there the search must end, greedy decoding writes on
    same = predictions["joint_prediction"] == predictions["prediction"]
    assert same[~full].all()
    metrics, predictions, _ = evaluate(model, lines, replace(EVALUATE, joint_beam=0), small.machine)
    assert "joint" not in metrics
    assert "joint_prediction" not in predictions


def test_without_a_ctc_head_there_is_no_ctc(lines: Path, small: Params, tmp_path: Path) -> None:
    values = replace(small, train=replace(small.train, max_epochs=1, curriculum=(), ctc_weight=0.0))
    training.train(values, lines, "", tmp_path / "checkpoints", tmp_path / "live", tmp_path / "model")
    metrics, predictions, _ = evaluate(tmp_path / "model", lines, EVALUATE, small.machine)
    assert not {"ctc", "joint"} & set(metrics)
    assert "ctc_prediction" not in predictions
    learner, _ = learning.load(tmp_path / "model")
    assert learner.ctc_head is None


def test_examples_are_the_best_the_middle_and_the_worst(model: Path, lines: Path, small: Params) -> None:
    _, predictions, dataset = evaluate(model, lines, EVALUATE, small.machine)
    rows = ranked(predictions)
    rate = (predictions["edits"] / predictions["length"])[rows].to_numpy()
    assert (np.diff(rate) >= 0).all()
    assert predictions["length"][rows].min() >= predictions["length"].mean()
    found = examples(predictions, dataset, 6)
    assert {name: len(shown) for name, shown in found.items()} == {"Best": 2, "Typical": 2, "Worst": 2}
    best, worst = found["Best"][0], found["Worst"][-1]
    assert (best.text, worst.text) == tuple(predictions["text"][[rows[0], rows[-1]]])
    assert np.array_equal(best.image, dataset.image(rows[0])[:, : dataset.widths[rows[0]]])
    assert len(best.confidences) == len(best.prediction)
    assert len(examples(predictions.iloc[rows[:2]].reset_index(drop=True), dataset, 6)["Best"]) == 0
