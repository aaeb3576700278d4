"""How much of a split's text is found in that of the train lines: no document is shared, but short phrases recur."""

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.lines.line_file import Lines
from emnist_lines.synthesis.strings import StringSampler


def stand_in(texts: NDArray[np.bytes_], sampler: StringSampler) -> NDArray[np.bool_]:
    """(N,) whether each text (N,) stands, word for word, in the sampler's documents."""
    corpus = np.frombuffer((CLASSES + " ").encode(), dtype=np.uint8)[sampler.classes].tobytes()
    lengths = np.char.str_len(texts)
    found = np.zeros(len(texts), dtype=bool)
    for length in np.unique(lengths).tolist():
        wanted = np.flatnonzero(lengths == length)
        runs = {corpus[start : start + length] for start in sampler.starts_of(length).tolist()}
        found[wanted] = [text in runs for text in texts[wanted].tolist()]
    return found


def shares(lines: Lines, train_texts: set[bytes]) -> dict[str, float]:
    """Shares of the lines, and of their characters, whose text other lines or documents hold.

    Args:
        lines: of val or test.
        train_texts: the texts of the train lines.
    """
    lengths = np.char.str_len(lines.texts)
    among = np.array([text in train_texts for text in lines.texts.tolist()])
    figures = {}
    for where, shared in (("a_train_line", among), ("the_train_documents", lines.known)):
        figures[f"lines_in_{where}"] = round(float(shared.mean()), 4)
        figures[f"characters_in_{where}"] = round(float(lengths[shared].sum() / lengths.sum()), 4)
    return figures
