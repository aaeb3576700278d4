"""Read the test lines with the trained model. Run by DVC from the repository's root: `dvc repro evaluate`."""

import json
from pathlib import Path

import torch

from emnist_lines.common import config, errors
from emnist_lines.common.files import atomic_write
from emnist_lines.common.machine import MachineConfig
from emnist_lines.evaluation import breakdowns
from emnist_lines.evaluation.alignment import align_all
from emnist_lines.evaluation.config import EvaluateConfig
from emnist_lines.evaluation.figures import prediction_figure
from emnist_lines.evaluation.predict import evaluate
from emnist_lines.figures import line_pictures
from emnist_lines.lines.line_file import KINDS

MODEL, LANGUAGE = Path("models/line_cnn_transformer.safetensors"), Path("models/language.safetensors")
DATA, TEST = Path("data"), Path("data/lines/test.h5")
GLYPHS, WRITTEN = Path("data/glyphs.h5"), Path("data/written.h5")
METRICS, PLOTS = Path("metrics"), Path("metrics/plots")
EXAMPLES = 6
"""Test lines that are kept as pictures, one each."""


def main() -> None:
    values, machine = config.load(Path("params.yaml"), evaluate=EvaluateConfig, machine=MachineConfig)
    if machine.threads is not None:
        torch.set_num_threads(machine.threads)
    metrics, predictions, lines = evaluate(MODEL, LANGUAGE, DATA, "test", values, machine)
    with atomic_write(METRICS / "test.json") as part:
        part.write_text(json.dumps(metrics, indent=1) + "\n")
    steps = align_all(predictions)
    for path, table in {
        METRICS / "predictions.csv": predictions,
        PLOTS / "by_length.csv": breakdowns.by_length(predictions),
        PLOTS / "by_character.csv": breakdowns.by_character(steps),
        PLOTS / "confusions.csv": breakdowns.confusions(steps, most=30),
        PLOTS / "calibration.csv": breakdowns.calibration(steps),
    }.items():
        with atomic_write(path) as part:
            table.to_csv(part, index=False, lineterminator="\n")
    with atomic_write(PLOTS / "predictions.png") as part:
        prediction_figure(predictions, lines, values.pictured_lines).save(part, "png")
    for number, line in enumerate(lines.examples(EXAMPLES)):
        with atomic_write(PLOTS / "examples" / f"{number}.png") as part:
            line_pictures.line(lines.image(line)).save(part, "png")
    for name in [kind for kind in KINDS if kind in metrics] or ["all"]:
        found = metrics.get(name, metrics)
        print(
            f"test CER of {name} lines {found['cer']:.4f}, WER {found['wer']:.4f}, {found['exact_match']:.0%} of "
            f"{found['lines']} without an error"
        )
    print(f"pictured in {PLOTS}/predictions.png")


if __name__ == "__main__":
    remedies = {
        str(MODEL): "`dvc pull train` fetches the released one, `dvc repro --force train` trains another",
        str(LANGUAGE): "`dvc pull language` fetches the released one, `dvc repro --force language` makes it",
        str(GLYPHS): "make it with `dvc repro --force download`",
        str(WRITTEN): "make it with `dvc repro --force download`",
        str(TEST): "make it with `dvc repro --force synthesize`",
    }
    errors.run(main, remedies)
