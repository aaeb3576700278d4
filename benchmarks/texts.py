"""How much the language model's help depends on the text: `python -m benchmarks.texts`, on lines of val glyphs.

The val text is read without and with lists of words that are to be expected; then random strings, which are no English.
"""

import string
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.material import CORPUS, GLYPHS, LANGUAGE, MODEL, material, require, with_sources
from benchmarks.parameters import load_all
from benchmarks.tables import markdown
from emnist_lines.common.errors import run
from emnist_lines.evaluation.predict import predict
from emnist_lines.language import language_file
from emnist_lines.language.words import WithWords
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.lines.line_file import path_of, write_lines
from emnist_lines.network import model_file
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.synthesis.documents import Document
from emnist_lines.synthesis.strings import StringSampler

LINES, STRINGS, LENGTH = 2_000, 200, 8
"""Lines of the val text; random strings, and their characters."""


def random_strings() -> list[Document]:
    """Digits and capitals; a document each, so that no line has two of them."""
    characters = np.array(list(string.digits + string.ascii_uppercase))
    return [["".join(one)] for one in np.random.default_rng(0).choice(characters, (STRINGS, LENGTH))]


def words_of(documents: list[Document]) -> set[str]:
    """All words that occur."""
    return {word for document in documents for word in document}


def main() -> None:
    require(GLYPHS, CORPUS, MODEL, LANGUAGE)
    values, (glyphs, documents) = load_all(), material()
    composer = synthesis.composers(glyphs, documents, values.synthesize)["val"]
    recognizer, card = model_file.load(MODEL)
    english = language_file.load(LANGUAGE, values.evaluate.uniform_share)

    def composed(count: int) -> LinesDataset:
        lines = synthesis.compose(composer, count, "val", values.synthesize.seed)
        with tempfile.TemporaryDirectory(prefix="texts-") as folder:
            data = with_sources(Path(folder))
            write_lines(lines, glyphs.source, path_of(data, "val"))
            return LinesDataset(data, "val", card.architecture.crop_step())

    val, text = composed(LINES), synthesis.split_text(documents, values.synthesize)
    composer.sampler = StringSampler.build(random_strings(), composer.max_characters)
    strings = composed(STRINGS)
    known = words_of(text["train"])
    own = sorted(words_of(text["val"]) - known)
    others = sorted(words_of(text["test"]) - known - set(own))
    rows = []
    for title, dataset, language in (
        ("val text", val, english),
        (f"… and its {len(own):,} words that no train document has", val, WithWords.of(english, own)),
        (f"… and {len(others):,} other words that no train document has", val, WithWords.of(english, others)),
        ("random strings", strings, english),
        ("random strings, greedily", strings, None),
    ):
        config = values.evaluate if language else values.evaluate.replace(beam_width=0)
        found, _ = predict(recognizer, language, dataset, config, values.machine)
        rows.append([title, f"{found['edits'].sum() / found['length'].sum():.4f}"])
        print(rows[-1], flush=True)
    print(markdown(["", "CER"], rows))


if __name__ == "__main__":
    run(main)
