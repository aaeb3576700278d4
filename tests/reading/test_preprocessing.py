"""A line is found in a picture whatever its colours, size and place."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.reading import picture_file, preprocessing


@pytest.fixture(scope="module")
def line(glyphs: Glyphs) -> np.ndarray:
    """(28, 140) uint8, white on black, as training's."""
    image = np.concatenate([glyphs.images[glyphs.labels == label][0] for label in (17, 40, 47, 47, 50)], axis=1)
    return image.astype(np.uint8)


def ways(picture: object) -> list[np.ndarray]:
    """The images that the lines of a picture may be meant as."""
    brightness = (
        picture if isinstance(picture, np.ndarray) and picture.dtype == np.float32 else picture_file.load(picture)
    )
    return [way.image for found in preprocessing.lines(brightness) for way in found.ways]


def likeness(image: np.ndarray, line: np.ndarray) -> float:
    """Correlation of the inked columns of both, the first stretched to the second's size."""
    cut = [picture[:, slice(*np.flatnonzero((picture > 80).any(axis=0))[[0, -1]])] for picture in (image, line)]
    size = (cut[1].shape[1], cut[1].shape[0])
    same = np.asarray(Image.fromarray(cut[0]).resize(size, Image.Resampling.BILINEAR), dtype=float)
    return float(np.corrcoef(same.ravel(), cut[1].ravel())[0, 1])


def test_the_network_s_own_format_and_its_negative_stay_as_they_are(line: np.ndarray) -> None:
    for picture in (line, 255 - line, Image.fromarray(line), Image.fromarray(255 - line).convert("RGB")):
        (found,) = ways(picture)
        assert np.array_equal(found, line)


def test_paper_behind_the_line_is_cut(line: np.ndarray) -> None:
    (found,) = ways(np.pad(line, ((0, 0), (30, 300))))
    first, *_, last = np.flatnonzero((line >= preprocessing.FAINTEST).any(axis=0))
    assert found.shape[1] == last + 1 - first + 2 * preprocessing.SIDE
    assert np.array_equal(found[:, preprocessing.SIDE : -preprocessing.SIDE], line[:, first : last + 1])


def sixteen_bits(line: np.ndarray) -> Image.Image:
    return Image.fromarray((255 - line).astype(np.uint16) * 257)


def transparent(line: np.ndarray, ink: int) -> Image.Image:
    return Image.merge("RGBA", [Image.new("L", line.shape[::-1], ink)] * 3 + [Image.fromarray(line)])


def palette(line: np.ndarray) -> Image.Image:
    return Image.fromarray(255 - line).quantize(16)


def coloured(line: np.ndarray) -> Image.Image:
    share = line[..., None] / 255
    return Image.fromarray((np.array([250, 240, 200]) * (1 - share) + np.array([30, 30, 150]) * share).astype(np.uint8))


@pytest.mark.parametrize("scale", [0.75, 2, 7])
@pytest.mark.parametrize("margin", [0, 20])
@pytest.mark.parametrize(
    "make",
    [
        lambda line: Image.fromarray(line),
        lambda line: Image.fromarray(255 - line),
        sixteen_bits,
        lambda line: transparent(line, 0),
        lambda line: transparent(line, 255),
        palette,
        coloured,
        lambda line: Image.fromarray(255 - line // 3),
        lambda line: Image.fromarray(line > 127),
        lambda line: Image.fromarray(255 - line).convert("CMYK"),
        lambda line: Image.fromarray(line.astype(np.float32)),
    ],
)
def test_any_colours_size_and_place(line: np.ndarray, scale: float, margin: int, make: object) -> None:
    large = Image.fromarray(line).resize((round(140 * scale), round(28 * scale)), Image.Resampling.BICUBIC)
    found = ways(make(np.pad(np.asarray(large), margin)))  # type: ignore[operator]
    assert found
    assert all(image.shape[0] == 28 and image.dtype == np.uint8 for image in found)
    assert max(likeness(image, line) for image in found) > (0.85 if scale > 1 else 0.8)


def test_thin_strokes_are_widened() -> None:
    drawn = np.zeros((400, 900), dtype=np.uint8)
    drawn[50:350, 100:104] = drawn[50:350, 700:704] = drawn[200:204, 100:700] = 255
    (*_, found) = ways(drawn)
    assert 1.2 <= (found > 127)[:, : found.shape[1] // 4].sum() / 18 <= 4.5


def test_shadows_on_paper_are_no_ink(line: np.ndarray) -> None:
    large = np.asarray(Image.fromarray(line).resize((560, 112), Image.Resampling.BICUBIC), dtype=float)
    paper = np.pad(255 - large, 50, constant_values=255) * np.linspace(0.5, 0.9, 660)
    noise = np.random.default_rng(0).normal(0, 5, paper.shape)
    found = ways((paper + noise).clip(0, 255).astype(np.uint8))
    assert max(likeness(image, line) for image in found) > 0.85


@pytest.mark.parametrize("value", [0, 7, 128, 255])
@pytest.mark.parametrize("size", [(28, 50), (300, 400), (1, 1)])
def test_blank_pictures_hold_no_line(value: int, size: tuple[int, int]) -> None:
    assert ways(np.full(size, value, dtype=np.uint8)) == []
    assert ways(Image.new("RGBA", size, (value, value, value, 0))) == []


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((28,), dtype=np.uint8),
        np.zeros((28, 30, 5), dtype=np.uint8),
        np.zeros((0, 30), dtype=np.uint8),
        np.full((28, 30), np.nan),
        np.full((28, 30), "a"),
    ],
)
def test_arrays_that_are_no_pictures(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="picture"):
        ways(array)


def test_arrays_of_all_types_are_the_same_picture(line: np.ndarray) -> None:
    for array in (line, line.astype(np.uint16) * 257, line / 255, np.stack([line] * 3, axis=2)):
        (found,) = ways(array)
        assert np.array_equal(found, line)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "tiff", "bmp"])
def test_formats(line: np.ndarray, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"line.{kind}"
    Image.fromarray(line).save(path)
    assert path.suffix in picture_file.SUFFIXES
    assert likeness(ways(path)[0], line) > 0.95


def test_a_turned_photograph_is_turned_back(line: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "line.jpg"
    turned = Image.fromarray(line).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    turned.save(path, exif=exif, quality=95)
    assert picture_file.load(path, "it").shape == (28, 140)


def test_what_cannot_be_read_is_one_sentence(line: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (100, 400), dtype=np.uint8)).save(whole, "png")
    (tmp_path / "cut.png").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    Image.new("1", (10_000, 6_401)).save(tmp_path / "bomb.png")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "larger.png")
    for name, message in {
        "none.png": "does not exist",
        "text.png": "is no picture",
        "cut.png": "cannot be read as a picture",
        "bomb.png": "has more than 64 megapixels",
        "larger.png": "has more than 64 megapixels",
        ".": "cannot be read as a picture",
    }.items():
        with pytest.raises(UserError, match=f"^it {message}"):
            picture_file.load(tmp_path / name, "it")
