"""Beam search over texts that the decoder, the CTC head and a language model score together.

Method: joint CTC-attention decoding in one pass (Watanabe et al. 2017, "Hybrid CTC/Attention Architecture", section
III.C), with a language model's log probability in the score (shallow fusion, Gülçehre et al. 2015).
"""

import string
from dataclasses import dataclass

import torch
from torch import Tensor

from emnist_lines.common.alphabet import BLANK, CHARACTERS, END, PAD, START, SYMBOLS
from emnist_lines.network.ctc_prefix import NEVER, Outputs, Prefixes
from emnist_lines.network.kv_cache import KeyValueCache
from emnist_lines.network.language_scorer import LanguageScorer
from emnist_lines.network.line_cnn_transformer import LineCNNTransformer
from emnist_lines.network.rivals import Rivals
from emnist_lines.network.rows import Rows

CANDIDATES = 20
"""Next characters of each hypothesis that the language model is asked about: those that the heads think likeliest."""

MARGIN = 8.0
"""Hypotheses e to so many times less likely than the best of their line are dropped: on val lines, none ever won."""
CAPITALS = [token for token, symbol in enumerate(SYMBOLS) if symbol in string.ascii_uppercase]
SHARED = 0.15
"""What of the language model's weight counts in the temperature; it calibrates the confidences of val lines."""


@dataclass(frozen=True)
class ScoreWeights:
    """What the log probabilities that decoder, CTC head and language model give to a text count in its score.

    Numbers from 0 on; the sum of the first three may be any but 0. Each capital adds `capital` to the score: decoder
    and language model both know that capitals are rare, and their sum knows it twice.
    """

    decoder: float
    ctc: float
    language: float
    capital: float = 0.0

    def temperature(self) -> float:
        """What to divide scores by for the logarithms of calibrated probabilities.

        Decoder and CTC head see the same line, and one's log probability stands for the other's: their weights are
        shares. The language model adds what neither sees, but partly knows: how much, is measured on validation lines.
        """
        return self.decoder + self.ctc + SHARED * self.language


@dataclass(frozen=True)
class Found:
    """The text of the best score that was found for each line.

    Attributes:
        tokens: (B, T) long, what follows `<S>`: text, `<E>`, then `<P>`.
        scores: (B,) float64.
        log_probs: (B, T) float64, of each token after those before it, as all scores together tell; 0 behind `<E>`.
    """

    tokens: Tensor
    scores: Tensor
    log_probs: Tensor


@dataclass(frozen=True)
class _Open:
    """The hypotheses that have not ended, a row each, in the order of their lines.

    Attributes:
        at: (R,) long, line · width + place in the line's beam.
        decoder, language: (R,) float64, their log probabilities of the text.
        capitals: (R,) float64, how many it has.
        prefixes: what the CTC head makes of it; None where that has no say.
        states: (R, K) int64, what the language model remembers of it; None where that has no say.
    """

    at: Tensor
    decoder: Tensor
    language: Tensor
    capitals: Tensor
    prefixes: Prefixes | None
    states: Tensor | None


@dataclass(frozen=True)
class _Next:
    """What may become of open hypotheses.

    Attributes:
        letters: (R, M) long, characters that may follow.
        scores: (R, M + 1) float64, of the text with each of them; the last: of the text ended.
        decoder, language, capitals: (R, M) float64, the parts of the score, without their weights.
        states: (R, M, K) int64 or None.
    """

    letters: Tensor
    scores: Tensor
    decoder: Tensor
    language: Tensor
    capitals: Tensor
    states: Tensor | None


@dataclass(frozen=True)
class _Scorer:
    """CTC head and language model (None: it has no say), and what they and the decoder count.

    `is_capital` (83,) float64 is 1 for each token that is a capital, else 0.
    """

    ctc: Outputs | None
    language: LanguageScorer | None
    weights: ScoreWeights
    is_capital: Tensor
    lines: int
    width: int

    def start(self, device: torch.device) -> _Open:
        """Each line's empty text."""
        zeros = torch.zeros(self.lines, dtype=torch.float64, device=device)
        return _Open(
            torch.arange(self.lines, device=device) * self.width,
            zeros,
            zeros,
            zeros,
            None if self.ctc is None else Prefixes.empty(self.ctc),
            None if self.language is None else self.language.start(self.lines).to(device),
        )

    def following(self, now: _Open, log_probs: Tensor, candidates: int) -> _Next:
        """The decoder's log_probs (R, 83) of the next tokens → the candidates, scored by all."""
        decoder = now.decoder[:, None] + log_probs
        scores = self.weights.decoder * decoder
        if self.ctc is not None and now.prefixes is not None:
            begun = now.prefixes.begun(self.ctc, Rows.of(now.at // self.width, self.lines))
            begun[:, END] = now.prefixes.ended()
            scores += self.weights.ctc * begun
        stopping = scores[:, END] + self.weights.capital * now.capitals
        scores[:, [BLANK, START, END, PAD]] = -torch.inf  # no part of a text
        continuing, letters = scores.topk(candidates, dim=1)
        capitals = now.capitals[:, None] + self.is_capital[letters]
        continuing = continuing + self.weights.capital * capitals
        language, states = torch.zeros_like(continuing), None
        if self.language is not None and now.states is not None:
            log_probs, states = self.language.extend(now.states, letters)
            language = now.language[:, None] + log_probs
            continuing = continuing + self.weights.language * language
            stopping += self.weights.language * (now.language + self.language.ended(now.states))
        scores = torch.cat([continuing, stopping[:, None]], dim=1).clamp(min=NEVER)
        return _Next(letters, scores, decoder.gather(1, letters), language, capitals, states)

    def chosen(self, now: _Open, after: _Next, at: Tensor, rows: Tensor, picked: Tensor) -> _Open:
        """The hypotheses `at` (R',), which continue `rows` (R',) of `now` with their candidates `picked` (R',)."""
        prefixes = now.prefixes
        if self.ctc is not None and prefixes is not None:
            prefixes = prefixes.extend(rows, after.letters[rows, picked], at // self.width, self.ctc)
        states = None if after.states is None else after.states[rows, picked]
        decoder, language, capitals = (part[rows, picked] for part in (after.decoder, after.language, after.capitals))
        return _Open(at, decoder, language, capitals, prefixes, states)


@torch.no_grad()
def beam_search(
    network: LineCNNTransformer,
    features: Tensor,
    mask: Tensor | None,
    ctc: Outputs | None,
    language: LanguageScorer | None,
    *,
    weights: ScoreWeights,
    max_length: int,
    width: int,
    candidates: int = CANDIDATES,
    margin: float = MARGIN,
) -> Found:
    """The text of the best score that a beam search finds for each line.

    The score of a text is the weighted sum of its log probabilities. For a text that has not ended, each of them is
    that of all texts which begin with it. So scores fall, but for
    what capitals add, and a line is done once the best of its beam has ended.
    There is no term for length. A beam of one that asks the decoder alone is greedy decoding, but for a line that does
    not end within `max_length`: here, its last token is `<E>` all the same.

    Args:
        network: in evaluation mode.
        features: (B, S, E) and
        mask: (B, S) bool or None, as `LineCNNTransformer.encode` returns them.
        ctc: what the CTC head says of the lines; needed where it has a weight.
        language: needed where it has a weight; asked once at each step.
        weights: of the three, and of capitals.
        max_length: tokens of a line, `<S>` and `<E>` included.
        width: hypotheses kept at each step.
        candidates: see `CANDIDATES`.
        margin: see `MARGIN`.

    Raises:
        ValueError: something is needed that is not there.
    """
    if (weights.ctc and ctc is None) or (weights.language and language is None):
        raise ValueError("a weight is given to a CTC head or a language model that there is none of")
    lines, steps, device = len(features), max_length - 1, features.device
    candidates, temperature = min(candidates, len(CHARACTERS)), weights.temperature()
    cache = KeyValueCache(network, features, mask, steps)
    is_capital = torch.zeros(len(SYMBOLS), dtype=torch.float64, device=device)
    is_capital[CAPITALS] = 1
    asked = ctc if weights.ctc else None, language if weights.language else None
    scorer = _Scorer(*asked, weights, is_capital, lines, width)
    now, rows = scorer.start(device), None
    current = torch.full((lines,), START, device=device)
    tokens = torch.full((lines, width, steps), PAD, device=device)
    scores = torch.full((lines, width), -torch.inf, dtype=torch.float64, device=device)
    ended = torch.zeros(lines, width, dtype=torch.bool, device=device)
    rivals = Rivals.none(lines, width, steps, device)
    first = torch.arange(lines, device=device)[:, None] * width
    running = torch.ones(lines, dtype=torch.bool, device=device)
    found = Found(tokens[:, 0].clone(), scores[:, 0].clone(), torch.zeros_like(rivals.ratios[:, 0]))
    for position in range(steps):
        after = scorer.following(now, cache.step(current, position, rows).double(), candidates)
        if position == steps - 1:
            after.scores[:, :-1] = -torch.inf  # the last token ends the text
        # All that each hypothesis may become; one that has ended stays as it is.
        options = torch.full((lines * width, candidates + 1), -torch.inf, dtype=torch.float64, device=device)
        options[:, -1] = scores.masked_fill(~ended, -torch.inf).flatten()
        options[now.at] = after.scores
        options = options.view(lines, -1)
        likeliest, best = options.topk(width, dim=1)
        scores = likeliest.masked_fill(likeliest < likeliest[:, :1] - margin * temperature, -torch.inf)
        parents, choice = best // (candidates + 1), best % (candidates + 1)
        others = options.scatter(1, best, likeliest.masked_fill(scores > -torch.inf, -torch.inf))
        dropped, total = ((x / temperature).view(lines, width, -1).logsumexp(dim=2) for x in (others, options))
        rivals = rivals.after(parents, scores / temperature, dropped, total, position)
        stops = choice == candidates
        row = torch.zeros(lines * width, dtype=torch.long, device=device)
        row[now.at] = torch.arange(len(now.at), device=device)
        row = row[first + parents]  # of `now` that each hypothesis continues, if it was open
        picked = choice.clamp(max=candidates - 1)
        letters = after.letters[row, picked]
        tokens = tokens.gather(1, parents[:, :, None].expand_as(tokens))
        tokens[:, :, position] = letters.masked_fill(stops, END).masked_fill(ended.gather(1, parents), PAD)
        ended = stops
        done = running & ended[:, 0]
        if bool(done.any()):
            found.tokens[done], found.scores[done] = tokens[done, 0], scores[done, 0]
            found.log_probs[done] = rivals.log_probs(scores / temperature)[done]
            running &= ~done
        at = (running[:, None] & ~ended & (scores > -torch.inf)).flatten().nonzero()[:, 0]
        if not len(at):
            break
        rows, current = row.flatten()[at], letters.flatten()[at]
        now = scorer.chosen(now, after, at, rows, picked.flatten()[at])
    return found
