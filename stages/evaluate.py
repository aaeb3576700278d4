"""Read the test lines with the trained model. Run by DVC from the repository's root: `dvc repro evaluate`."""

import json
from pathlib import Path

import torch

from emnist_lines import errors, params, report
from emnist_lines.evaluation import evaluate
from emnist_lines.files import whole


def main() -> None:
    values = params.load(Path("params.yaml"))
    if values.machine.threads is not None:
        torch.set_num_threads(values.machine.threads)
    metrics, predictions, lines = evaluate(
        Path("models/line_cnn_transformer.safetensors"), Path("data/lines.h5"), values.evaluate, values.machine
    )
    with whole(Path("metrics/test.json")) as part:
        part.write_text(json.dumps(metrics, indent=1) + "\n")
    with whole(Path("metrics/predictions.csv")) as part:
        predictions.to_csv(part, index=False, lineterminator="\n")
    shown = slice(0, values.evaluate.pictured_lines)
    picture = report.readings(
        lines.pixels.map[shown], lines.widths[shown], lines.texts[shown], predictions["prediction"][shown].tolist()
    )
    with whole(Path("metrics/plots/readings.png")) as part:
        picture.save(part, "png")
    print(
        f"test CER {metrics['cer']:.4f}, WER {metrics['wer']:.4f}, {metrics['exact_match']:.0%} of "
        f"{metrics['lines']} lines without an error; pictured in metrics/plots/readings.png"
    )


if __name__ == "__main__":
    errors.run(main)
