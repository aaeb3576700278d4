"""A released model and pictures of lines → text and confidence.

from emnist_lines import Reader
Reader().read("line.png").text
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from emnist_lines.common.errors import UserError, one_line
from emnist_lines.common.glyphs import SIZE
from emnist_lines.language import language_file
from emnist_lines.language.words import WithWords, read_words
from emnist_lines.lines.crop import crop_width
from emnist_lines.network import model_file
from emnist_lines.network.beam_search import ScoreWeights
from emnist_lines.network.language_scorer import LanguageScorer
from emnist_lines.network.recognizer import Encoded
from emnist_lines.network.transcription import Transcription
from emnist_lines.reading import picture_file, preprocessing
from emnist_lines.reading.long_lines import cut, joined
from emnist_lines.reading.preprocessing import Image28, Line, Way
from emnist_lines.reading.released import language_path, model_path

Picture = str | Path | BinaryIO | Image.Image | NDArray[Any] | torch.Tensor
Decode = Callable[[Encoded], list[Transcription]]
BEAM_WIDTH, WEIGHTS = 8, ScoreWeights(decoder=0.6, ctc=0.4, language=0.5, capital=1.0)
UNIFORM_SHARE = 0.05
"""As the section `evaluate` of `params.yaml` has them."""
BATCH = 32
"""Lines read at once."""
MORE = 2
"""Characters more that the halves of a line hold than all of it, if it has too many for one text."""
SURE = 0.97
"""Mean confidence of a line's characters that needs no second look at the line in another size."""


class Reader:
    """Reads pictures of lines.

    Threads may share a reader: reading changes nothing in it. A process that was forked after the reader had read
    something must not use it with more than one of torch's threads, because these are not there in the child: start
    processes with multiprocessing's method "spawn", or call `torch.set_num_threads(1)` before the fork.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        language: bool | str | Path = True,
        words: str | Path | None = None,
    ) -> None:
        """
        Args:
            model: a model file; None: the released one, or what the environment variable EMNIST_LINES_MODEL names.
            language: a language model's file; True: the released one, of English, or what the environment variable
                EMNIST_LINES_LANGUAGE names; False: none, as for names or serial numbers.
            words: a text of words that the language model is to expect, such as names.

        Raises:
            UserError: a file is missing, damaged, or of another alphabet or network; its model was trained without
                start and end of a text; or there are words, but no language model that could expect them.
        """
        path = model_path(model)
        self.recognizer, self.card = model_file.load(path)
        if not self.card.start_end_tokens:
            raise UserError(
                f"{path} has not learned where a text begins and ends, because it was trained with "
                "with_start_end_tokens: false, so nothing can be read with it; choose another model"
            )
        self.language: LanguageScorer | None = None
        if language is False or self.recognizer.ctc_head is None:  # as in `evaluation.predict.evaluate`
            if words is not None:
                why = "none is to be used" if language is False else f"{path} was trained without the CTC head it needs"
                raise UserError(f"the words of {words} are for the language model, but {why}; leave one of them out")
        else:
            general = language_file.load(language_path(None if language is True else language), UNIFORM_SHARE)
            self.language = general if words is None else WithWords.of(general, read_words(Path(words)))
        self.most_characters = max(1, self.card.max_length - 2)

    def read(self, picture: Picture) -> Transcription:
        """The text in one picture; see `read_all`."""
        return joined_lines(self.read_lines(picture))

    def read_lines(self, picture: Picture) -> list[Transcription]:
        """The lines of one picture, top to bottom, none where there is no writing; see `read_all` for the errors."""
        return _raised(self.read_each([picture], [_name(picture) or "the picture"])[0])

    def read_all(self, pictures: Iterable[Picture]) -> list[Transcription]:
        """The texts of many pictures, faster than one by one.

        Args:
            pictures: a path, an open file, a Pillow image, an array or a torch tensor each (see `picture_file.load`);
                dark on light or light on dark, of any size. A line that is longer than those of training is read in
                pieces.

        Returns:
            For each its text, the text's confidence and that of each character. Newlines join the texts of several
            lines. A picture without writing is the empty text, of confidence 0.

        Raises:
            UserError: a file cannot be read, or lines touch each other.
            ValueError: an array is no picture.
            TypeError: something else is none.
        """
        return [joined_lines(_raised(lines)) for lines in self.read_each(pictures)]

    def read_each(
        self, pictures: Iterable[Picture], names: Iterable[str] | None = None
    ) -> list[list[Transcription] | Exception]:
        """The lines of many pictures; where one cannot be read, the others are read all the same.

        Args:
            pictures: see `read_all`.
            names: what to call each in errors, one for each; None: its path, or its place among the others.

        Returns:
            For each picture its lines, top to bottom; or the error that `read_all` would raise.
        """
        called: list[str] = []
        found: list[list[Line] | Exception] = []
        given = iter(names) if names is not None else None
        for number, picture in enumerate(pictures, 1):
            called.append(next(given) if given is not None else _name(picture) or f"picture {number}")
            found.append(_lines(picture, called[-1]))
        best = iter(self._best([line for each in found if not isinstance(each, Exception) for line in each]))
        told = [
            each if isinstance(each, Exception) else _told(name, each, [next(best) for _ in each])
            for name, each in zip(called, found, strict=True)
        ]
        if self.language is None:
            return [each if isinstance(each, Exception) else [text for text, _ in each] for each in told]
        ways = [way for each in told if not isinstance(each, Exception) for _, way in each]
        texts = iter(self._read(ways, self._with_language))
        return [each if isinstance(each, Exception) else [next(texts) for _ in each] for each in told]

    def _best(self, lines: Sequence[Line]) -> list[tuple[Transcription, Way]]:
        """Of each line's ways, the likeliest first, the one with the most certain text, and that text, by ink alone."""
        best = [(Transcription("", 0.0, []), line.ways[0]) for line in lines]
        for number in range(max((len(line.ways) for line in lines), default=0)):
            unsure = [i for i, line in enumerate(lines) if number < len(line.ways) and _fit(best[i][0], line) < SURE]
            ways = [lines[i].ways[number] for i in unsure]
            for index, way, text in zip(unsure, ways, self._read(ways, self._greedy), strict=True):
                if number == 0 or _fit(text, lines[index]) > _fit(best[index][0], lines[index]):
                    best[index] = text, way
        return best

    def _read(self, ways: Sequence[Way], decode: Decode) -> list[Transcription]:
        """Lines of any length."""
        cuts = []
        for way in ways:
            most = way.letter * self.most_characters
            piece = max(way.letter, most * 2 // 3)  # columns that hold no more characters than may be written
            cuts.append(cut(way.image, piece, way.letter) if way.image.shape[1] > most else [(way.image, False)])
        pieces = [Way(piece, way.letter) for way, parts in zip(ways, cuts, strict=True) for piece, _ in parts]
        texts = iter(self._read_pieces(pieces, decode))
        return [joined([(next(texts), spaced) for _, spaced in parts]) for parts in cuts]

    def _read_pieces(self, pieces: Sequence[Way], decode: Decode) -> list[Transcription]:
        texts: list[Transcription] = [Transcription("", 1.0, [])] * len(pieces)
        order = sorted(range(len(pieces)), key=lambda i: pieces[i].image.shape[1])
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            found = decode(self._encoded([pieces[i].image for i in chosen]))
            for index, text in zip(chosen, found, strict=True):
                texts[index] = text
        full = [i for i, text in enumerate(texts) if len(text.text) >= self.most_characters]
        for index in full:  # there may have been no room left for the rest
            letter = pieces[index].letter
            halves = cut(pieces[index].image, pieces[index].image.shape[1] // 2 + letter, letter)
            if len(halves) > 1:
                read = self._read_pieces([Way(piece, letter) for piece, _ in halves], decode)
                whole = joined([(text, spaced) for text, (_, spaced) in zip(read, halves, strict=True)])
                if len(whole.text) >= len(texts[index].text) + MORE:
                    texts[index] = whole
        return texts

    @torch.inference_mode()
    def _encoded(self, images: Sequence[Image28]) -> Encoded:
        widths = [max(image.shape[1], 1) for image in images]
        full = SIZE * self.card.max_length
        step = self.card.architecture.crop_step()
        columns = full if step is None else crop_width(max(widths), max(full, max(widths) + SIZE), step)
        batch = np.zeros((len(images), SIZE, columns), dtype=np.uint8)
        for row, image in zip(batch, images, strict=True):
            row[:, : image.shape[1]] = image
        return self.recognizer.encode(torch.from_numpy(batch), torch.tensor(widths))

    @torch.inference_mode()
    def _greedy(self, encoded: Encoded) -> list[Transcription]:
        return self.recognizer.greedy(encoded)

    @torch.inference_mode()
    def _with_language(self, encoded: Encoded) -> list[Transcription]:
        return self.recognizer.beam(encoded, BEAM_WIDTH, WEIGHTS, self.language)


def _name(picture: Picture) -> str | None:
    """A file's own name."""
    if isinstance(picture, (str, Path)):
        return str(picture)
    name = getattr(picture, "name", None)
    return name if isinstance(name, str) and hasattr(picture, "read") else None


def _lines(picture: Picture, name: str) -> list[Line] | Exception:
    """A picture's lines, or why there are none."""
    try:
        brightness = picture_file.load(picture, name)
    except Exception as error:
        return error
    try:
        return preprocessing.lines(brightness)
    except Exception as error:
        return UserError(f"{name} cannot be searched for writing ({one_line(error)}); give another picture of it")


def _told(name: str, lines: list[Line], best: list[tuple[Transcription, Way]]) -> list[Any] | Exception:
    """A picture's lines that have a text, as `_best` gives them, or that they are several in one."""
    if any(_certainty(text) < line.doubt for line, (text, _) in zip(lines, best, strict=True)):
        return UserError(
            f"{name} holds lines of writing that touch each other; cut them apart, or leave more paper between them"
        )
    return [(text, way) for text, way in best if text.text]


def _raised(lines: list[Transcription] | Exception) -> list[Transcription]:
    if isinstance(lines, Exception):
        raise lines
    return lines


def joined_lines(lines: list[Transcription]) -> Transcription:
    """The lines of a picture as one text."""
    text = "\n".join(line.text for line in lines)
    confidences: list[float] = []
    for number, line in enumerate(lines):
        confidences += [*([1.0] if number else []), *line.confidences]
    return Transcription(text, float(np.prod([line.confidence for line in lines])) if lines else 0.0, confidences)


def _certainty(text: Transcription) -> float:
    """The geometric mean of the confidences of a text's characters and its end."""
    return float(text.confidence ** (1 / (len(text.confidences) + 1)))


def _fit(text: Transcription, line: Line) -> float:
    """How well a text fits a line: its certainty, less where it leaves letters out."""
    letters = len(text.text.replace(" ", ""))
    return _certainty(text) * min(1.0, (letters + 1) / (line.letters + 1))
