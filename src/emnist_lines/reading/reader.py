"""A released model and pictures of lines → text and confidence.

from emnist_lines import Reader
Reader().read("line.png").text
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from emnist_lines.common.glyphs import SIZE
from emnist_lines.lines.crop import crop_width
from emnist_lines.network import model_file
from emnist_lines.network.transcription import Transcription
from emnist_lines.reading import preprocessing
from emnist_lines.reading.long_lines import cut, joined
from emnist_lines.reading.released import model_path

Picture = str | Path | BinaryIO | Image.Image | NDArray[np.generic]
BATCH = 32
"""Lines read at once."""
SURE = 0.97
"""Mean confidence of a line's characters that needs no second look at the line in another size."""
PIECE = 560
"""Columns that hold no more characters than the network may write."""


class Reader:
    """Reads pictures of lines. Safe to share among threads: reading changes nothing in it."""

    def __init__(self, model: str | Path | None = None) -> None:
        """
        Args:
            model: a model file; None: the released one, or what the environment variable EMNIST_LINES_MODEL names.

        Raises:
            UserError: the file is missing, damaged, or of another alphabet or network.
        """
        self.recognizer, self.card = model_file.load(model_path(model))
        self.most_columns = SIZE * (self.card.max_length - 2)

    def read(self, picture: Picture) -> Transcription:
        """The text of one line; see `read_all`."""
        return self.read_all([picture])[0]

    def read_all(self, found: Iterable[Picture]) -> list[Transcription]:
        """The texts of many lines, faster than one by one.

        Args:
            found: a path, an open file, a Pillow image or an array each (see `preprocessing.grey`); dark on light or
                light on dark, of any size. A line that is longer than those of training is read in pieces.

        Returns:
            For each its text, the text's confidence and that of each character. A picture without writing is the empty
            text, of confidence 1.

        Raises:
            UserError: a file cannot be read.
            ValueError: an array is no picture.
        """
        ways = [preprocessing.lines(_opened(picture)) for picture in found]
        best = [Transcription("", float(not way), []) for way in ways]
        for number in range(max(map(len, ways), default=0)):
            unsure = [i for i, way in enumerate(ways) if number < len(way) and _certainty(best[i]) < SURE]
            for index, text in zip(unsure, self._read([ways[i][number] for i in unsure]), strict=True):
                if number == 0 or _certainty(text) > _certainty(best[index]):
                    best[index] = text
        return best

    def _read(self, images: Sequence[NDArray[np.uint8]]) -> list[Transcription]:
        """(28, W) uint8 lines of any length."""
        cuts = [cut(image, PIECE) if image.shape[1] > self.most_columns else [(image, False)] for image in images]
        texts = iter(self._read_pieces([piece for pieces in cuts for piece, _ in pieces]))
        return [joined([(next(texts), spaced) for _, spaced in pieces]) for pieces in cuts]

    def _read_pieces(self, images: Sequence[NDArray[np.uint8]]) -> list[Transcription]:
        texts: list[Transcription] = [Transcription("", 1.0, [])] * len(images)
        order = sorted(range(len(images)), key=lambda i: images[i].shape[1])
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            for index, text in zip(chosen, self._decode([images[i] for i in chosen]), strict=True):
                texts[index] = text
        full = [i for i, text in enumerate(texts) if len(text.text) >= self.card.max_length - 1]
        for index in full:  # there was no room left for the end
            halves = cut(images[index], images[index].shape[1] // 2 + SIZE)
            if len(halves) > 1:
                read = self._read_pieces([piece for piece, _ in halves])
                texts[index] = joined([(t, spaced) for t, (_, spaced) in zip(read, halves, strict=True)])
        return texts

    @torch.inference_mode()
    def _decode(self, images: Sequence[NDArray[np.uint8]]) -> list[Transcription]:
        widths = [max(image.shape[1], 1) for image in images]
        full = SIZE * self.card.max_length
        step = self.card.architecture.crop_step()
        columns = full if step is None else crop_width(max(widths), max(full, max(widths) + SIZE), step)
        batch = np.zeros((len(images), SIZE, columns), dtype=np.uint8)
        for row, image in zip(batch, images, strict=True):
            row[:, : image.shape[1]] = image
        return self.recognizer.greedy(self.recognizer.encode(torch.from_numpy(batch), torch.tensor(widths)))


def _opened(picture: Picture) -> Image.Image | NDArray[np.generic]:
    if isinstance(picture, (Image.Image, np.ndarray)):
        return picture
    if isinstance(picture, (str, Path)):
        return preprocessing.load(Path(picture), str(picture))
    return preprocessing.load(picture, str(getattr(picture, "name", "the file")))


def _certainty(text: Transcription) -> float:
    """The geometric mean of the confidences of a text's characters and its end."""
    return float(text.confidence ** (1 / (len(text.confidences) + 1)))
