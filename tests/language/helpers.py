"""A small corpus, and the language model's definition computed without arrays."""

from collections import Counter, defaultdict

from emnist_lines.common.alphabet import SYMBOLS
from emnist_lines.language.config import LanguageConfig

DOCUMENTS = [
    text.split()
    for text in (
        "The cat sat on the mat and the cat ate the rat that sat there",
        "In 1961 the men of the town met at the station and then they went on to the next town",
        "The rain in the north then met the train that ran on the northern line at ten",
    )
]
CONFIG = LanguageConfig(order=4, once_until=2)


class Definition:
    """P(c | h) by dictionaries from the formula, in plain floats."""

    def __init__(self, documents: list[list[str]], config: LanguageConfig) -> None:
        text = " " + " ".join(word for document in documents for word in document) + " "
        self.order = config.order
        occurrences: dict[int, Counter[str]] = {
            k: Counter(text[i : i + k] for i in range(len(text) - k + 1)) for k in range(1, config.order + 1)
        }
        self.kept = {
            k: {gram for gram, n in grams.items() if n > 1 or k <= config.once_until}
            for k, grams in occurrences.items()
        }
        self.counts: dict[str, int] = {}
        self.taken: dict[int, list[float]] = {}
        self.followers: dict[str, list[str]] = defaultdict(list)
        for k, grams in occurrences.items():
            known = [gram for gram in grams if k == 1 or gram[:-1] in self.kept[k - 1]]
            for gram in known:
                before = {text[i - 1] for i in range(1, len(text) - k + 1) if text[i : i + k] == gram}
                whole = k == config.order or gram[0] == " "
                self.counts[gram] = grams[gram] if whole else len(before)
                self.followers[gram[:-1]].append(gram)
            self.taken[k] = self._discounts([self.counts[gram] for gram in known])

    @staticmethod
    def _discounts(counts: list[int]) -> list[float]:
        n = [counts.count(j) for j in range(5)]
        if 0 in n[1:]:
            return [0, 0.5, 1, 1.5]
        y = n[1] / (n[1] + 2 * n[2])
        raw = [1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
        return [0, *(min(max(d, 0.02), j - 0.02) for j, d in enumerate(raw, 1))]

    def probability(self, history: str, character: str) -> float:
        """Of a character behind a history that begins a line."""
        context = (" " + history)[-(self.order - 1) :] if self.order > 1 else ""
        p = 1 / len(SYMBOLS)
        for start in range(len(context), -1, -1):
            h = context[start:]
            k = len(h) + 1
            grams = self.followers.get(h, [])
            kept = [gram for gram in grams if gram in self.kept[k]]
            if not kept:  # a longer context is not known either
                break
            total = sum(self.counts[gram] for gram in grams)
            left = {gram: self.counts[gram] - self.taken[k][min(self.counts[gram], 3)] for gram in kept}
            p = left.get(h + character, 0) / total + (1 - sum(left.values()) / total) * p
        return p
