"""Rates are what their definitions say; evaluation agrees with training's own validation."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from benchmarks.parameters import Params

from emnist_lines.common.alphabet import encode
from emnist_lines.common.errors import UserError
from emnist_lines.evaluation.config import EvaluateConfig
from emnist_lines.evaluation.figures import examples, prediction_figure, ranked
from emnist_lines.evaluation.glyph_interval import glyph_interval
from emnist_lines.evaluation.predict import evaluate
from emnist_lines.evaluation.rates import difference, rates
from emnist_lines.language import language_file
from emnist_lines.network import model_file
from tests.training_run import trained

EVALUATE = EvaluateConfig(
    batch_size=7,
    bootstrap_samples=500,
    bootstrap_seed=0,
    pictured_lines=3,
    beam_width=3,
    decoder_weight=0.7,
    ctc_weight=0.3,
    language_weight=0.4,
    uniform_share=0.05,
    capital_bonus=0.0,
)


def frame(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["text", "prediction"])


def test_rates_of_known_readings() -> None:
    figures = rates(
        frame(("kitten sat", "sitting sat"), ("abc", "abc"), ("a b", ""), ("x", "xyzw")), "prediction", EVALUATE
    )
    assert figures["lines"] == 4
    assert figures["characters"] == 17
    assert figures["cer"] == pytest.approx((3 + 0 + 3 + 3) / 17, abs=1e-5)
    assert figures["cer_per_line"] == pytest.approx((3 / 11 + 0 + 3 / 3 + 3 / 4) / 4, abs=1e-5)
    assert figures["wer"] == pytest.approx((1 + 0 + 2 + 1) / 6, abs=1e-5)
    assert figures["exact_match"] == 0.25


def test_case_can_be_ignored_and_two_columns_compared() -> None:
    both = frame(("The end", "the cnd"), ("abc", "abc")).assign(other=["THE END", "abd"])
    assert rates(both, "prediction", EVALUATE)["cer_case_ignored"] == 0.1
    assert rates(both, "other", EVALUATE)["cer_case_ignored"] == 0.1
    found = difference(both, "prediction", "other", EVALUATE)
    assert found["cer"] == pytest.approx((2 - 5 - 1) / 10)
    assert found["interval"] == pytest.approx([-3 / 7, -1 / 3], abs=1e-5)  # only the first line, only the second


def test_intervals_hold_the_rate_and_narrow_with_more_lines() -> None:
    rows = [("abcd", "abcd" if n % 4 else "abxx") for n in range(64)]
    few, many = rates(frame(*rows), "prediction", EVALUATE), rates(frame(*rows * 16), "prediction", EVALUATE)
    for figures in (few, many):
        for name in ("cer", "cer_per_line", "wer", "exact_match"):
            low, high = figures["interval"][name]
            assert low < figures[name] < high
    widths = [f["interval"]["cer"][1] - f["interval"]["cer"][0] for f in (few, many)]
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.25)
    # 16 of 64 lines are wrong by half: the standard error of the mean is that of 64 draws
    expected = 2 * 1.96 * np.std([0.5] * 16 + [0.0] * 48) / 8
    assert widths[0] == pytest.approx(expected, rel=0.15)


def test_lines_of_few_people_are_less_sure_than_lines_of_many() -> None:
    """Four people, one of whom is hard to read: how many lines each wrote adds nothing."""
    rows = frame(*[("abcd", "abcd" if n % 4 else "abxx") for n in range(256)])
    alone, people = rows.assign(writer=-1), rows.assign(writer=[n % 4 for n in range(256)])
    assert rates(alone, "prediction", EVALUATE) == rates(rows, "prediction", EVALUATE)
    for name in ("cer", "exact_match"):
        few, many = (rates(some, "prediction", EVALUATE)["interval"][name] for some in (people, alone))
        assert few[0] < many[0] < many[1] < few[1]
    worst = rates(people, "prediction", EVALUATE)["interval"]["cer"]
    assert set(worst) <= {0, 0.125, 0.25, 0.375, 0.5}  # whole people
    both = people.assign(other="abcd")
    assert difference(both, "prediction", "other", EVALUATE)["interval"] == worst


def test_lines_with_and_without_writers_are_drawn_apart() -> None:
    """Beside lines of nobody in particular, people are as few as without them; how many of each there are is fixed."""
    written = frame(*[("abcd", "abcd" if n % 8 else "wxyz") for n in range(256)]).assign(
        writer=[n % 8 for n in range(256)]
    )
    composed = frame(*[("abcd", "abcd")] * 256).assign(writer=-1)
    rows = pd.concat([composed, written], ignore_index=True)
    for name in ("cer", "exact_match"):
        alone, both = (rates(some, "prediction", EVALUATE)["interval"][name] for some in (written, rows))
        right = 1 if name == "exact_match" else 0  # of all composed lines, which are half of all
        assert both == pytest.approx([(end + right) / 2 for end in alone], abs=2e-5)
    one = pd.concat([composed, written[written["writer"] == 0]], ignore_index=True)
    assert rates(one, "prediction", EVALUATE)["interval"]["cer"] == pytest.approx([32 / 288] * 2, abs=1e-5)


def test_without_any_error_the_interval_is_a_point() -> None:
    figures = rates(frame(("ab", "ab"), ("c", "c")), "prediction", EVALUATE)
    assert (figures["cer"], figures["exact_match"]) == (0, 1)
    assert figures["interval"]["cer"] == [0, 0]


@pytest.fixture(scope="module")
def model(lines: Path, small: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    train = small.train.replace(max_epochs=12, learning_rate=0.005, curriculum=())
    out = folder / "model.safetensors"
    trained(small.replace(train=train), lines, folder, out=out)
    return out


def test_evaluating_the_validation_lines_gives_training_s_best_figures(
    model: Path, language: Path, lines: Path, small: Params, tmp_path: Path
) -> None:
    metrics, predictions, dataset = evaluate(model, language, lines, "val", EVALUATE, small.machine)
    best = json.loads((model.parent / "live" / "metrics.json").read_text())["best"]
    assert metrics["greedy"]["cer"] == pytest.approx(best["val_cer"], abs=1e-5)
    assert metrics["ctc"]["cer"] == pytest.approx(best["val_ctc_cer"], abs=1e-5)
    assert metrics["loss"] == pytest.approx(best["val_loss"], rel=1e-5)
    assert metrics["source"] == "drawn"
    assert predictions["text"].tolist() == dataset.texts


def test_a_row_per_line_in_the_file_s_order_whatever_the_batches(
    model: Path, language: Path, lines: Path, small: Params
) -> None:
    _, one, dataset = evaluate(model, language, lines, "test", EVALUATE, small.machine)
    _, two, _ = evaluate(model, language, lines, "test", EVALUATE.replace(batch_size=24), small.machine)
    pd.testing.assert_frame_equal(one, two, atol=1e-3)
    assert one.columns[:6].tolist() == ["text", "prediction", "edits", "length", "confidence", "confidences"]
    assert one.columns[6:].tolist() == ["greedy_prediction", "ctc_prediction", "kind", "sort", "writer"]
    assert one["confidences"].str.split().str.len().tolist() == one["prediction"].str.len().tolist()
    assert one["text"].tolist() == dataset.texts
    assert one["length"].tolist() == [len(text) for text in dataset.texts]
    assert one["confidence"].between(0, 1).all()


def test_the_beam_search_is_the_main_decoding_unless_its_width_is_0(
    model: Path, language: Path, lines: Path, small: Params
) -> None:
    metrics, predictions, dataset = evaluate(model, language, lines, "test", EVALUATE, small.machine)
    assert metrics["decoding"] == "beam"
    assert metrics["cer"] == rates(predictions, "prediction", EVALUATE)["cer"]
    assert metrics["greedy"]["cer"] == rates(predictions, "greedy_prediction", EVALUATE)["cer"]
    for text, name in (("known_text", True), ("new_text", False)):
        rows = predictions[dataset.known == name]
        for figures, column in ((metrics[text], "prediction"), (metrics["ctc"][text], "ctc_prediction")):
            over_lines = rates(rows, column, EVALUATE)
            over_lines["interval"]["cer"] = glyph_interval(rows, column, dataset.lines)
            assert figures == over_lines
    more = metrics["greedy"]["more_than_main"]
    assert more["cer"] == pytest.approx(metrics["greedy"]["cer"] - metrics["cer"], abs=2e-5)
    assert more["interval"][0] <= more["cer"] <= more["interval"][1]

    greedily = EVALUATE.replace(beam_width=0)
    alone, told, _ = evaluate(model, Path("none"), lines, "test", greedily, small.machine)  # asks for no language
    assert alone["decoding"] == "greedy"
    assert told["prediction"].tolist() == predictions["greedy_prediction"].tolist()
    assert "greedy" not in alone
    assert "greedy_prediction" not in told


def test_a_machine_without_the_accelerator_is_one_sentence(model: Path, lines: Path, small: Params) -> None:
    for wanted in ("tpu", "none"):
        machine = small.machine.replace(accelerator=wanted)
        with pytest.raises(UserError, match=rf"cannot do what params.yaml's machine says \(accelerator {wanted}\): "):
            evaluate(model, None, lines, "test", EVALUATE, machine)


def test_language_counts_as_much_as_its_weight(model: Path, language: Path, lines: Path, small: Params) -> None:
    found = {}
    for weight in (0.0, 0.4, 5.0):
        config = EVALUATE.replace(language_weight=weight)
        _, predictions, _ = evaluate(model, language, lines, "test", config, small.machine)
        found[weight] = predictions["prediction"].tolist()
    scorer = language_file.load(language, EVALUATE.uniform_share)

    def likelihood(texts: list[str]) -> float:
        total = 0.0
        for text in texts:
            state = scorer.start(1)
            for token in encode(text):
                log_probs, states = scorer.extend(state, torch.tensor([[token]]))
                total, state = total + float(log_probs), states[:, 0]
        return total / sum(len(text) + 1 for text in texts)

    assert likelihood(found[0.0]) < likelihood(found[0.4]) < likelihood(found[5.0])
    _, none, _ = evaluate(model, None, lines, "test", EVALUATE, small.machine)
    assert none["prediction"].tolist() == found[0.0]


def test_without_a_ctc_head_there_is_no_ctc(language: Path, lines: Path, small: Params, tmp_path: Path) -> None:
    values = small.replace(train=small.train.replace(max_epochs=1, curriculum=(), ctc_weight=0.0))
    trained(values, lines, tmp_path)
    metrics, predictions, _ = evaluate(tmp_path / "model", language, lines, "test", EVALUATE, small.machine)
    assert "ctc" not in metrics
    assert metrics["decoding"] == "greedy"
    assert "greedy" not in metrics
    assert "ctc_prediction" not in predictions
    recognizer, _ = model_file.load(tmp_path / "model")
    assert recognizer.ctc_head is None


def test_examples_are_the_best_the_middle_and_the_worst(
    model: Path, language: Path, lines: Path, small: Params
) -> None:
    _, predictions, dataset = evaluate(model, language, lines, "test", EVALUATE, small.machine)
    rows = ranked(predictions)
    rate = (predictions["edits"] / predictions["length"])[rows].to_numpy()
    assert (np.diff(rate) >= 0).all()
    assert predictions["length"][rows].min() >= predictions["length"].mean()
    found = examples(predictions, 6)
    assert {name: len(chosen) for name, chosen in found.items()} == {"Best": 2, "Typical": 2, "Worst": 2}
    assert (found["Best"][0], found["Worst"][-1]) == (rows[0], rows[-1])
    two = predictions.iloc[rows[:2]].assign(length=9).reset_index(drop=True)
    for some, count, many in ((predictions, 1, (1, 0, 0)), (predictions, 5, (2, 2, 1)), (two, 6, (1, 1, 0))):
        chosen = examples(some, count)
        assert tuple(len(chosen[name]) for name in ("Best", "Typical", "Worst")) == many
        together = [row for rows in chosen.values() for row in rows]
        assert len(set(together)) == len(together) == sum(many)
    assert ranked(predictions.iloc[:0]) == []
    picture = prediction_figure(predictions, dataset, 6)
    assert picture.width > 2 * 28
    assert picture.height > 6 * 2 * 28


def test_an_interval_of_many_lines_needs_little_memory() -> None:
    """Resamples of 100,000 lines at once would need gigabytes."""
    texts = pd.DataFrame({"text": ["abcd"] * 100_000, "prediction": ["abcd", "abxd"] * 50_000})
    tracemalloc.start()
    figures = rates(texts, "prediction", EVALUATE.replace(bootstrap_samples=200))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert figures["cer"] == 0.125
    assert peak < 500e6  # 200 resamples of indices alone are 160 MB for each rate's arrays, 2,000 are 1.6 GB


def test_one_line_has_a_rate_and_no_interval() -> None:
    figures = rates(frame(("ab", "ax")), "prediction", EVALUATE)
    assert figures["interval"]["cer"] == [0.5, 0.5]
