"""A released model and pictures of lines → text and confidence.

from emnist_lines import Reader
Reader().read("line.png").text
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from emnist_lines.common.glyphs import SIZE
from emnist_lines.network import model_file
from emnist_lines.network.greedy import Text, greedy_decode, spoken
from emnist_lines.network.line_cnn import COLUMNS_PER_STEP, crop_width
from emnist_lines.reading import preprocessing as pictures

Picture = str | Path | BinaryIO | Image.Image | NDArray[np.generic]
RELEASED = Path(__file__).parents[3] / "models" / "line_cnn_transformer.safetensors"
"""Where `make setup` and `dvc pull` put the released model."""
BATCH = 32
"""Lines read at once."""
SURE = 0.97
"""Mean confidence of a line's characters that needs no second look at the line in another size."""
PIECE = 560
"""Columns that hold no more characters than the network may write."""
WORDS_APART = 14
"""Columns of paper that are a space."""


def released(model: str | Path | None = None) -> Path:
    """The model file to read with: `model`, else what EMNIST_LINES_MODEL names, else the released one."""
    return Path(model or os.environ.get("EMNIST_LINES_MODEL") or RELEASED)


class Reader:
    """Reads pictures of lines. Safe to share among threads: reading changes nothing in it."""

    def __init__(self, model: str | Path | None = None) -> None:
        """
        Args:
            model: a model file; None: the released one, or what the environment variable EMNIST_LINES_MODEL names.

        Raises:
            UserError: the file is missing, damaged, or of another alphabet or network.
        """
        self.network, self.about = model_file.load(released(model))
        self.most_columns = SIZE * (self.about.max_length - 2)

    def read(self, picture: Picture) -> Text:
        """The text of one line; see `read_all`."""
        return self.read_all([picture])[0]

    def read_all(self, found: Iterable[Picture]) -> list[Text]:
        """The texts of many lines, faster than one by one.

        Args:
            found: a path, an open file, a Pillow image or an array each (see `pictures.grey`); dark on light or light
                on dark, of any size. A line that is longer than those of training is read in pieces.

        Returns:
            For each its text, the text's confidence and that of each character. A picture without writing is the empty
            text, of confidence 1.

        Raises:
            UserError: a file cannot be read.
            ValueError: an array is no picture.
        """
        ways = [pictures.lines(_opened(picture)) for picture in found]
        best = [Text("", float(not way), []) for way in ways]
        for number in range(max(map(len, ways), default=0)):
            unsure = [i for i, way in enumerate(ways) if number < len(way) and _certainty(best[i]) < SURE]
            for index, text in zip(unsure, self._read([ways[i][number] for i in unsure]), strict=True):
                if number == 0 or _certainty(text) > _certainty(best[index]):
                    best[index] = text
        return best

    def _read(self, images: Sequence[NDArray[np.uint8]]) -> list[Text]:
        """(28, W) uint8 lines of any length."""
        cuts = [cut(image, PIECE) if image.shape[1] > self.most_columns else [(image, False)] for image in images]
        texts = iter(self._read_pieces([piece for pieces in cuts for piece, _ in pieces]))
        return [_joined([(next(texts), spaced) for _, spaced in pieces]) for pieces in cuts]

    def _read_pieces(self, images: Sequence[NDArray[np.uint8]]) -> list[Text]:
        texts: list[Text] = [Text("", 1.0, [])] * len(images)
        order = sorted(range(len(images)), key=lambda i: images[i].shape[1])
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            for index, text in zip(chosen, self._decode([images[i] for i in chosen]), strict=True):
                texts[index] = text
        full = [i for i, text in enumerate(texts) if len(text.text) >= self.about.max_length - 1]
        for index in full:  # there was no room left for the end
            halves = cut(images[index], images[index].shape[1] // 2 + SIZE)
            if len(halves) > 1:
                read = self._read_pieces([piece for piece, _ in halves])
                texts[index] = _joined([(t, spaced) for t, (_, spaced) in zip(read, halves, strict=True)])
        return texts

    @torch.inference_mode()
    def _decode(self, images: Sequence[NDArray[np.uint8]]) -> list[Text]:
        widths = [max(image.shape[1], 1) for image in images]
        full = SIZE * self.about.max_length
        columns = crop_width(max(widths), max(full, max(widths) + SIZE), COLUMNS_PER_STEP)
        batch = np.zeros((len(images), SIZE, columns if self.network.params.mask_padding else full), dtype=np.uint8)
        for row, image in zip(batch, images, strict=True):
            row[:, : image.shape[1]] = image
        memory, mask, _ = self.network.encode(torch.from_numpy(batch), torch.tensor(widths))
        tokens, log_probs = greedy_decode(self.network, memory, mask, self.about.max_length)
        return spoken(tokens, log_probs, self.about.train.label_smoothing)


def _opened(picture: Picture) -> Image.Image | NDArray[np.generic]:
    if isinstance(picture, (Image.Image, np.ndarray)):
        return picture
    if isinstance(picture, (str, Path)):
        return pictures.load(Path(picture), str(picture))
    return pictures.load(picture, str(getattr(picture, "name", "the file")))


def _certainty(text: Text) -> float:
    """The geometric mean of the confidences of a text's characters and its end."""
    return float(text.confidence ** (1 / (len(text.confidences) + 1)))


def cut(image: NDArray[np.uint8], most: int) -> list[tuple[NDArray[np.uint8], bool]]:
    """A line in pieces of at most `most` columns, in their order, cut where the paper between strokes is widest.

    Returns:
        Each piece, and whether a space stands before it.
    """
    pieces, rest, spaced = [], image, False
    while rest.shape[1] > most:
        start, stop = _gap(rest, most // 3, most)
        middle = (start + stop) // 2
        pieces.append((pictures.trimmed(rest[:, :middle]), spaced))
        rest, spaced = pictures.trimmed(rest[:, middle:]), stop - start >= WORDS_APART
    return [*pieces, (rest, spaced)]


def _gap(image: NDArray[np.uint8], first: int, last: int) -> tuple[int, int]:
    """The widest run of columns without ink among those from `first` to `last`; else the column with the least ink."""
    columns = image[:, first:last]
    ink = np.flatnonzero((columns >= pictures.FAINTEST).any(axis=0))
    edges = np.concatenate([[-1], ink, [columns.shape[1]]])
    widest = int(np.diff(edges).argmax())
    start, stop = int(edges[widest]) + 1, int(edges[widest + 1])
    if start == stop:
        start = stop = int(columns.sum(axis=0, dtype=np.int64).argmin())
    return first + start, first + stop


def _joined(pieces: list[tuple[Text, bool]]) -> Text:
    """The pieces' texts one behind the other, with a space before those that need one."""
    text, confidence = "", 1.0
    confidences: list[float] = []
    for piece, spaced in pieces:
        if spaced:
            text, confidences = text + " ", [*confidences, 1.0]
        text, confidences = text + piece.text, confidences + piece.confidences
        confidence *= piece.confidence
    return Text(text, confidence, confidences)
