"""Read the test lines with the trained model. Run by DVC from the repository's root: `dvc repro evaluate`."""

import json
from pathlib import Path

import torch

from emnist_lines.common import errors, params
from emnist_lines.common.files import whole
from emnist_lines.evaluation import breakdowns as analysis
from emnist_lines.evaluation.predict import evaluate, examples
from emnist_lines.figures import line_pictures as report

EXAMPLES = 6
"""Test lines that are kept as pictures, one each."""


def main() -> None:
    values = params.load(Path("params.yaml"))
    if values.machine.threads is not None:
        torch.set_num_threads(values.machine.threads)
    metrics, predictions, lines = evaluate(
        Path("models/line_cnn_transformer.safetensors"), Path("data/lines.h5"), values.evaluate, values.machine
    )
    with whole(Path("metrics/test.json")) as part:
        part.write_text(json.dumps(metrics, indent=1) + "\n")
    for path, table in {
        "metrics/predictions.csv": predictions,
        "metrics/plots/by_length.csv": analysis.by_length(predictions),
        "metrics/plots/by_character.csv": analysis.by_character(predictions),
        "metrics/plots/confusions.csv": analysis.confusions(predictions, most=30),
        "metrics/plots/calibration.csv": analysis.calibration(predictions),
    }.items():
        with whole(Path(path)) as part:
            table.to_csv(part, index=False, lineterminator="\n")
    picture = report.readings(examples(predictions, lines, values.evaluate.pictured_lines))
    with whole(Path("metrics/plots/readings.png")) as part:
        picture.save(part, "png")
    for number in range(min(EXAMPLES, len(lines))):
        with whole(Path(f"metrics/plots/examples/{number}.png")) as part:
            report.line(lines.image(number), lines.widths[number]).save(part, "png")
    print(
        f"test CER {metrics['cer']:.4f}, WER {metrics['wer']:.4f}, {metrics['exact_match']:.0%} of "
        f"{metrics['lines']} lines without an error; pictured in metrics/plots/readings.png"
    )


if __name__ == "__main__":
    errors.run(main)
