"""The reader reads what evaluation reads, however the line is pictured."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.parameters import Params
from PIL import Image
from rapidfuzz.distance import Levenshtein

import emnist_lines
from emnist_lines.common.errors import UserError
from emnist_lines.evaluation.predict import predict
from emnist_lines.language import language_file
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.network import model_file
from emnist_lines.network.recognizer import Recognizer
from emnist_lines.reading import picture_file, preprocessing
from emnist_lines.reading import reader as module
from emnist_lines.reading.long_lines import cut
from emnist_lines.reading.reader import Reader
from tests.conftest import REAL, needs_real, remote_file


@pytest.fixture(scope="module")
def reader(released: Path) -> Reader:
    return Reader(released)


@pytest.fixture(scope="module")
def ink_reader(released: Path) -> Reader:
    """Reads without language."""
    return Reader(released, language=False)


def images(dataset: LinesDataset, count: int) -> list[np.ndarray]:
    return [dataset.image(i) for i in range(count)]


def expected(released: Path, dataset: LinesDataset, values: Params, count: int, language: bool = True) -> list[str]:
    """What `evaluate` reads in the first lines."""
    recognizer, _ = model_file.load(released)
    scorer = language_file.load(remote_file("language"), values.evaluate.uniform_share) if language else None
    config = values.evaluate if language else values.evaluate.replace(beam_width=0)
    predictions, _ = predict(recognizer, scorer, dataset, config, values.machine)
    return list(predictions["prediction"][:count])


def test_lines_are_read_as_evaluation_reads_them(
    released: Path, reader: Reader, ink_reader: Reader, drawn_lines: Path, small: Params
) -> None:
    """All that are shorter than the longest: the reader reads one of these in two, as there may be no room for more."""
    dataset = LinesDataset(drawn_lines, "test", step=8)
    with_language = expected(released, dataset, small, len(dataset))
    by_ink = expected(released, dataset, small, len(dataset), language=False)
    assert with_language != by_ink
    for one, wanted in ((reader, with_language), (ink_reader, by_ink)):
        found = [text.text for text in one.read_all(images(dataset, len(dataset)))]
        ended = [number for number, text in enumerate(wanted) if len(text) < one.most_characters]
        assert len(ended) >= len(dataset) - 4
        assert [found[number] for number in ended] == [wanted[number] for number in ended]
        assert one.read(images(dataset, 1)[0]).text == wanted[0]


def test_the_reader_searches_as_evaluation_does(defaults: Params) -> None:
    values = defaults.evaluate
    assert values.weights() == module.WEIGHTS
    assert (values.beam_width, values.uniform_share) == (module.BEAM_WIDTH, module.UNIFORM_SHARE)


def test_own_words_are_expected(released: Path, drawn_lines: Path, tmp_path: Path) -> None:
    """A name that the ink leaves open; words that are none do no harm to it."""
    dataset = LinesDataset(drawn_lines, "test", step=8)
    texts = Reader(released).read_all(images(dataset, 64))
    wrong = [i for i, text in enumerate(texts) if text.text != dataset.texts[i]]
    assert wrong
    (tmp_path / "words.txt").write_text(" ".join(dataset.texts[i] for i in wrong))
    told = Reader(released, words=tmp_path / "words.txt").read_all([dataset.image(i) for i in wrong])
    assert sum(text.text == dataset.texts[i] for i, text in zip(wrong, told, strict=True)) > 0
    with pytest.raises(UserError, match=r"none\.txt is missing"):
        Reader(released, words=tmp_path / "none.txt")
    with pytest.raises(UserError, match=r"words\.txt are for the language model, but none is to be used"):
        Reader(released, language=False, words=tmp_path / "words.txt")
    with pytest.raises(UserError, match=r"none\.safetensors is missing"):
        Reader(released, tmp_path / "none.safetensors")


@pytest.mark.slow
@needs_real
def test_real_lines_from_files_however_they_are_rendered(
    released: Path, reader: Reader, small: Params, tmp_path: Path
) -> None:
    dataset = LinesDataset(REAL, "test", step=8)
    found, texts = images(dataset, 200), dataset.texts[:200]

    def cer(predictions: list[str]) -> float:
        return sum(map(Levenshtein.distance, predictions, texts)) / sum(map(len, texts))

    def of_files(render: object) -> float:
        for number, image in enumerate(found):
            render(Image.fromarray(image)).save(tmp_path / f"{number}.png")  # type: ignore[operator]
        return cer([text.text for text in reader.read_all(tmp_path / f"{n}.png" for n in range(len(found)))])

    exact = cer(expected(released, dataset, small, 200))
    assert of_files(lambda image: image) == exact
    for render in (
        lambda image: Image.eval(image, lambda value: 255 - value),
        lambda image: image.resize((2 * image.width, 2 * image.height), Image.Resampling.BICUBIC),
        lambda image: Image.fromarray(np.pad(np.asarray(image), 20)),
        lambda image: Image.fromarray(255 - np.pad(np.asarray(image.resize((2 * image.width, 56))), 20)),
    ):
        assert abs(of_files(render) - exact) <= 0.01


def test_a_batch_is_read_as_its_lines_one_by_one(reader: Reader, drawn_lines: Path) -> None:
    found = images(LinesDataset(drawn_lines, "test", step=8), 12)
    found = [255 - np.pad(image, 10) for image in found] + [np.zeros((40, 40), dtype=np.uint8)]
    together = reader.read_all(found)
    for image, text in zip(found, together, strict=True):
        alone = reader.read(image)
        assert alone.text == text.text
        assert alone.confidence == pytest.approx(text.confidence, abs=1e-3)
    assert (together[-1].text, together[-1].confidence, together[-1].confidences) == ("", 0, [])
    assert reader.read_all([]) == []


def test_confidences_are_of_the_characters(reader: Reader, drawn_lines: Path) -> None:
    for text in reader.read_all(images(LinesDataset(drawn_lines, "test", step=8), 24)):
        assert len(text.confidences) == len(text.text)
        assert all(0 <= p <= 1 for p in text.confidences)
        assert text.confidence <= min(text.confidences, default=1)


def test_threads_share_a_reader(reader: Reader, drawn_lines: Path) -> None:
    found = images(LinesDataset(drawn_lines, "test", step=8), 24)
    wanted = reader.read_all(found)
    results: dict[int, list[object]] = {}

    def work(number: int) -> None:
        results[number] = list(reader.read_all(found))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all([text.text for text in result] == [text.text for text in wanted] for result in results.values())  # type: ignore[attr-defined]


def test_long_lines_are_read_in_pieces_in_their_order(reader: Reader, drawn_lines: Path) -> None:
    dataset = LinesDataset(drawn_lines, "test", step=8)
    chosen = [i for i in range(len(dataset)) if 6 <= dataset.lengths[i] <= 12][:6]
    parts = [dataset.image(i) for i in chosen]
    words = [text.text for text in reader.read_all(parts)]
    long = np.concatenate([np.pad(part, ((0, 0), (0, 40))) for part in parts], axis=1)
    assert long.shape[1] > 1000
    text = reader.read(long)
    assert Levenshtein.distance(text.text, " ".join(words)) <= 0.1 * len(text.text)
    assert len(text.confidences) == len(text.text)


def test_narrow_lines_of_more_characters_than_training_s_are_read_to_their_end(
    reader: Reader, drawn_lines: Path
) -> None:
    dataset = LinesDataset(drawn_lines, "test", step=8)
    chosen = [i for i in range(len(dataset)) if 8 <= dataset.lengths[i] <= 12][:4]
    long = np.concatenate([np.pad(dataset.image(i), ((0, 0), (0, 40))) for i in chosen], axis=1)
    most = 28 * reader.most_characters
    assert long.shape[1] > most
    narrow = np.asarray(Image.fromarray(long).resize((most - 8, 28), Image.Resampling.BILINEAR))
    wanted = " ".join(dataset.texts[i] for i in chosen)
    assert len(wanted) > reader.most_characters + 5
    found = reader.read(narrow).text
    assert Levenshtein.distance(found, wanted) <= 0.25 * len(wanted), found


def test_cuts_lose_no_ink_and_fall_into_gaps() -> None:
    image = np.zeros((28, 700), dtype=np.uint8)
    for start, stop in ((5, 120), (150, 290), (296, 410), (440, 700)):
        image[10:20, start:stop] = 200
    pieces = cut(image, 300)
    assert [spaced for _, spaced in pieces] == [False, True, True]
    assert sum(int((piece > 0).sum()) for piece, _ in pieces) == int((image > 0).sum())
    assert all(piece.shape[1] <= 300 for piece, _ in pieces)
    solid = np.full((28, 1000), 200, dtype=np.uint8)
    pieces = cut(solid, 300)
    assert [spaced for _, spaced in pieces] == [False] * len(pieces)
    assert sum(piece.shape[1] for piece, _ in pieces) == 1000


@pytest.mark.parametrize(("lead", "ink", "tail"), [(0, 926, 14), (0, 560, 14), (14, 600, 0), (200, 400, 200)])
@pytest.mark.parametrize("most", [560, 300, 13])
def test_paper_around_a_stroke_makes_no_piece(lead: int, ink: int, tail: int, most: int) -> None:
    """A window that ends in the paper behind the line must not be cut there: nothing would be left."""
    image = np.zeros((28, lead + ink + tail), dtype=np.uint8)
    image[10:20, lead : lead + ink] = 200
    pieces = cut(image, most)
    assert sum(int((piece > 0).sum()) for piece, _ in pieces) == 10 * ink
    assert all((piece > 0).any() and piece.shape[1] <= most for piece, _ in pieces)
    assert not any(spaced for _, spaced in pieces)


def test_more_characters_than_fit_are_read_in_two(
    small: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that never ends a text makes the reader try halves, until they are too narrow to cut."""
    recognizer = Recognizer.build(small.model, 10, label_smoothing=0.0, with_ctc=False)
    with torch.no_grad():
        recognizer.network.fc.weight.zero_()
        recognizer.network.fc.bias.zero_()
        recognizer.network.fc.bias[12] = 9
    card = model_file.ModelCard(small.model.architecture(), 10, start_end_tokens=True, label_smoothing=0.0)
    model_file.save(tmp_path / "model", recognizer.modules().state_dict(), card)
    image = np.full((28, 200), 200, dtype=np.uint8) * (np.arange(200) % 20 > 3)
    text = Reader(tmp_path / "model", language=False).read(image)
    assert len(text.text) > 9
    assert set(text.text) <= {"8", " "}


def test_the_reader_is_found_where_the_readme_says(released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert emnist_lines.Reader is Reader
    monkeypatch.setenv("EMNIST_LINES_MODEL", str(released))
    assert Reader().card.max_length == 32
    monkeypatch.setenv("EMNIST_LINES_MODEL", "/nowhere/model")
    with pytest.raises(UserError, match="/nowhere/model is missing"):
        Reader()
    with pytest.raises(AttributeError):
        _ = emnist_lines.Writer


def test_files_that_are_open_are_read_too(reader: Reader, drawn_lines: Path, tmp_path: Path) -> None:
    image = images(LinesDataset(drawn_lines, "test", step=8), 1)[0]
    Image.fromarray(image).save(tmp_path / "line.png")
    with (tmp_path / "line.png").open("rb") as file:
        texts = reader.read_all(
            [file, tmp_path / "line.png", str(tmp_path / "line.png"), Image.fromarray(image), image]
        )
    assert len({text.text for text in texts}) == 1
    assert np.array_equal(preprocessing.lines(picture_file.load(image))[0].ways[0].image, image)


FORKED = """
import multiprocessing, sys, torch
import numpy as np
from emnist_lines import Reader

def read(reader, out):
    out.put(reader.read(page).text)

page = np.zeros((28, 300), dtype=np.uint8)
page[4:24, 10:280:20] = 255
if __name__ == "__main__":
    torch.set_num_threads(1)
    reader, out = Reader(), multiprocessing.get_context("fork").Queue()
    expected = reader.read(page).text
    process = multiprocessing.get_context("fork").Process(target=read, args=(reader, out))
    process.start()
    assert out.get(timeout=60) == expected
    process.join()
"""


@pytest.mark.slow
def test_a_forked_process_may_read_with_one_thread(released: Path) -> None:
    environment = {**os.environ, "EMNIST_LINES_MODEL": str(released)}
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=120, env=environment)
