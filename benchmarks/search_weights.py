"""How the beam search's width and weights are chosen: by what they read on the validation lines.

    python -m benchmarks.search_weights

Lines are encoded once. Each row of the table is one way to read them: character error rate of all lines, the geometric
mean of that of each kind, which is to be smallest (a percent less counts alike in each kind), that of each kind, that
of all with case ignored, and expected calibration error per character.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import torch

from benchmarks.material import DATA, GLYPHS, LANGUAGE, MODEL, VAL, WRITTEN, require
from benchmarks.parameters import load_all, positive
from benchmarks.tables import markdown
from emnist_lines.common.errors import run
from emnist_lines.evaluation.alignment import align_all
from emnist_lines.evaluation.breakdowns import calibration_error
from emnist_lines.evaluation.rates import edits
from emnist_lines.language import language_file
from emnist_lines.language.model import LanguageModel
from emnist_lines.lines.bucket_sampler import BucketSampler
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.lines.line_file import KINDS
from emnist_lines.network import model_file
from emnist_lines.network.beam_search import ScoreWeights
from emnist_lines.network.recognizer import Encoded
from emnist_lines.network.transcription import Transcription

BATCH = 128
WIDTHS = (12,)
SHARES = (0.0, 0.02, 0.1)
CTC = (0.3, 0.5)
WORDS = (0.4, 0.6)
CAPITAL = (1.3,)


def settings() -> list[tuple[int, float, ScoreWeights]]:
    """Width, uniform share and weights: those of params.yaml, then those with one of them another."""
    values = load_all().evaluate
    width, share, best = values.beam_width, values.uniform_share, values.weights()
    return [
        (width, share, best),
        *[(other, share, best) for other in WIDTHS],
        *[(width, other, best) for other in SHARES],
        *[(width, share, replace(best, decoder=round(1 - ctc, 2), ctc=ctc)) for ctc in CTC],
        *[(width, share, replace(best, language=weight)) for weight in WORDS],
        *[(width, share, replace(best, capital=bonus)) for bonus in CAPITAL],
    ]


def figures(texts: list[str], kinds: list[int], lines: list[Transcription]) -> dict[str, float]:
    """What is told of one way to read lines whose texts and kinds are known."""
    frame = pd.DataFrame({"text": texts, "prediction": [line.text for line in lines]})
    frame["confidences"] = [" ".join(f"{p:.4f}" for p in line.confidences) for line in lines]
    length = frame["text"].str.len().sum()
    lower = edits(frame["prediction"].str.lower(), frame["text"].str.lower())
    wrong, characters = edits(frame["prediction"], frame["text"]), frame["text"].str.len().to_numpy()
    rows = {name: np.array(kinds) == kind for kind, name in enumerate(KINDS) if kind in kinds}
    by_kind = {name: wrong[own].sum() / characters[own].sum() for name, own in rows.items()}
    return {
        "cer": wrong.sum() / length,
        "geometric_mean": float(np.exp(np.mean(np.log(list(by_kind.values()))))),
        **by_kind,
        "caseless": lower.sum() / length,
        "calibration": calibration_error(align_all(frame)),
    }


@torch.no_grad()
def table(language: LanguageModel, most: int) -> pd.DataFrame:
    """A row for greedy decoding and for each setting, on the first `most` validation lines of each kind."""
    recognizer, card = model_file.load(MODEL)
    dataset = LinesDataset(DATA, "val", card.architecture.crop_step())
    members = np.zeros(len(dataset), dtype=bool)
    for kind in np.unique(dataset.kinds):
        members[np.flatnonzero(dataset.kinds == kind)[:most]] = True
    batches = [dataset[micro_batch] for micro_batch in BucketSampler(dataset.widths, BATCH, members=members)]
    texts = [dataset.texts[index] for batch in batches for index in batch.indices.tolist()]
    kinds = [kind for batch in batches for kind in batch.kinds.tolist()]
    encoded = [recognizer.encode(batch.images, batch.widths) for batch in batches]

    def read(how: Callable[[Encoded], list[Transcription]]) -> dict[str, float]:
        return figures(texts, kinds, [line for batch in encoded for line in how(batch)])

    rows: list[dict[str, object]] = [{"width": "greedy", **read(recognizer.greedy)}]
    for width, share, weights in settings():
        how = partial(recognizer.beam, width=width, weights=weights, language=replace(language, uniform_share=share))
        rows.append({"width": width, "uniform": share, **vars(weights), **read(how)})
        print(rows[-1], file=sys.stderr)
    return pd.DataFrame(rows).round(5)


def main() -> None:
    parser = argparse.ArgumentParser(description="CER on val by width and weights of the beam search.")
    parser.add_argument("--lines", type=positive, default=2000, metavar="N", help="the first N of each kind (2000)")
    chosen = parser.parse_args()
    require(MODEL, LANGUAGE, GLYPHS, WRITTEN, VAL)
    found = table(language_file.load(LANGUAGE), chosen.lines).fillna("").astype(str)
    print(markdown(list(found.columns), found.to_numpy().tolist()))


if __name__ == "__main__":
    run(main)
