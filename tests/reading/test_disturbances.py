"""What scans, forms and programs do to a picture changes what is read little, or not at all."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter
from rapidfuzz.distance import Levenshtein

from emnist_lines.common.errors import UserError
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.reading import line_finding
from emnist_lines.reading.components import components
from emnist_lines.reading.edges import corners
from emnist_lines.reading.reader import Reader
from emnist_lines.reading.rules import rules

Page = np.ndarray


@pytest.fixture(scope="module")
def reader(released: Path) -> Reader:
    return Reader(released)


@pytest.fixture(scope="module")
def pages(reader: Reader, drawn_lines: Path) -> list[tuple[Page, str]]:
    """Six lines that are read with confidence, six times as large, dark on white; and what is read in them."""
    dataset = LinesDataset(drawn_lines, "test", step=8)
    found: list[tuple[Page, str]] = []
    for index in range(len(dataset)):
        image = Image.fromarray(dataset.image(index))
        large = image.resize((6 * image.width, 6 * image.height), Image.Resampling.BICUBIC)
        page = 255 - np.pad(np.asarray(large), 12)
        text = reader.read(page)
        if len(text.text) > 8 and text.confidence > 0.6:
            found.append((page, text.text))
    assert len(found) >= 6
    return found[:6]


def eight_bits(page: np.ndarray) -> Page:
    return np.rint(page).clip(0, 255).astype(np.uint8)


def noise(page: Page, sigma: float, paper: float = 235, contrast: float = 200) -> Page:
    grain = np.random.default_rng(page.size).normal(0, sigma, page.shape)
    return eight_bits(paper - (255.0 - page) * contrast / 255 + grain)


def speck(page: Page, size: int, corner: int) -> Page:
    page = page.copy()
    rows, columns = (slice(2, 2 + size), slice(-2 - size, -2)), (slice(2, 2 + size), slice(-2 - size, -2))
    page[rows[corner // 2], columns[corner % 2]] = 0
    return page


def edge(page: Page, width: int, side: int) -> Page:
    turned = np.rot90(page, side).copy()
    turned[:, -width:] = 10
    return np.rot90(turned, -side)


def box(page: Page, width: int, outside: int) -> Page:
    page = np.pad(page, 20, constant_values=255)
    page[:width] = page[-width:] = page[:, :width] = page[:, -width:] = 0
    return np.pad(page, outside, constant_values=255)


def rule(page: Page, width: int) -> Page:
    page = np.pad(page, ((0, 40), (0, 0)), constant_values=255)
    page[-30 : -30 + width] = 0
    return page


def margin(page: Page, slant: int = 0) -> Page:
    """With an upright rule at the left, from top to bottom, so many columns further right there."""
    picture = Image.fromarray(np.pad(page, ((20, 20), (40, 0)), constant_values=255))
    ImageDraw.Draw(picture).line([(18, -1), (18 + slant, picture.height)], fill=120, width=3)
    return np.asarray(picture)


def squared(page: Page) -> Page:
    """On paper with squares."""
    page = np.pad(page, 20, constant_values=255)
    page[7::40] = np.minimum(page[7::40], 190)
    page[:, 7::40] = np.minimum(page[:, 7::40], 190)
    return page


def corner(page: Page) -> Page:
    """A page turned a little, on a darker table, which shows in one corner."""
    picture = Image.fromarray(np.pad(page, ((0, 60), (0, 60)), constant_values=255))
    right, bottom = picture.size
    ImageDraw.Draw(picture).polygon([(right, bottom // 2), (right, bottom), (right - 40, bottom)], fill=140)
    return np.asarray(picture)


def turned(page: Page, degrees: float) -> Page:
    picture = Image.fromarray(page).rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    return np.asarray(picture)


DISTURBANCES: dict[str, Callable[[Page], Page]] = {
    **{f"noise {sigma}": lambda page, sigma=sigma: noise(page, sigma) for sigma in (4, 8, 10)},  # type: ignore[misc]
    **{f"speck in corner {n}": lambda page, n=n: speck(page, 3 + n, n) for n in range(4)},  # type: ignore[misc]
    **{f"dark edge {n}": lambda page, n=n: edge(page, 3 + n, n) for n in range(4)},  # type: ignore[misc]
    "box at the edge": lambda page: box(page, 4, 0),
    "box on the page": lambda page: box(page, 3, 25),
    "rule": lambda page: rule(page, 3),
    "margin": margin,
    "slanted margin": lambda page: margin(page, 4),
    "squared paper": squared,
    "corner": corner,
    "blurred": lambda page: np.asarray(Image.fromarray(page).filter(ImageFilter.GaussianBlur(4))),
    **{f"turned by {d}": lambda page, d=d: turned(page, d) for d in (-5, -1.5, 2, 5)},  # type: ignore[misc]
    "faint": lambda page: noise(page, 0, contrast=25),
    "faint on a large page": lambda page: noise(np.pad(page, 500, constant_values=255), 4, contrast=60),
    "shadow": lambda page: eight_bits(page * np.linspace(0.5, 1, page.shape[1])),
    "light on dark": lambda page: 255 - page,
    "narrow": lambda page: np.asarray(Image.fromarray(page).resize((int(0.65 * page.shape[1]), page.shape[0]))),
}


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_disturbed_line_is_read_as_before(reader: Reader, pages: list[tuple[Page, str]], name: str) -> None:
    texts = [text.text for text in reader.read_all(DISTURBANCES[name](page) for page, _ in pages)]
    wrong = sum(Levenshtein.distance(text, wanted) for text, (_, wanted) in zip(texts, pages, strict=True))
    assert wrong <= 0.1 * sum(len(wanted) for _, wanted in pages), texts


@pytest.mark.parametrize("sigma", [4, 6, 8])
@pytest.mark.parametrize("shape", [(232, 1200), (60, 40), (1500, 2000), (900, 30)])
def test_paper_with_noise_holds_no_writing(reader: Reader, sigma: int, shape: tuple[int, int]) -> None:
    page = eight_bits(np.random.default_rng(0).normal(235, sigma, shape))
    assert reader.read_lines(page) == []
    text = reader.read(page)
    assert (text.text, text.confidence, text.confidences) == ("", 0, [])


def test_lines_one_below_the_other_are_read_apart(reader: Reader, pages: list[tuple[Page, str]]) -> None:
    chosen = pages[:3]
    width = max(page.shape[1] for page, _ in chosen)
    page = np.concatenate(
        [np.pad(page, ((0, 30), (0, width - page.shape[1])), constant_values=255) for page, _ in chosen]
    )
    lines = reader.read_lines(page)
    assert len(lines) == 3
    for line, (_, wanted) in zip(lines, chosen, strict=True):
        assert Levenshtein.distance(line.text, wanted) <= 0.1 * len(wanted) + 1
    assert reader.read(page).text == "\n".join(line.text for line in lines)
    with_margin = reader.read_lines(margin(page, 6))
    assert len(with_margin) == 3
    for line, (_, wanted) in zip(with_margin, chosen, strict=True):
        assert Levenshtein.distance(line.text, wanted) <= 0.1 * len(wanted) + 1


@pytest.mark.parametrize("share", [0.3, 0.45, 0.6])
def test_lines_that_reach_into_each_other_are_read_or_told_and_not_guessed(
    reader: Reader, pages: list[tuple[Page, str]], share: float
) -> None:
    (one, first), (other, second) = pages[:2]
    overlap, width = int(share * len(one)), max(one.shape[1], other.shape[1])
    page = np.full((len(one) + len(other) - overlap, width), 255, dtype=np.uint8)
    page[: len(one), : one.shape[1]] = one
    below = page[len(one) - overlap :, : other.shape[1]]
    np.minimum(below, other, out=below)
    (found,) = reader.read_each([page])
    if isinstance(found, Exception):
        assert "holds lines of writing that touch each other; cut them apart" in str(found)
    elif Levenshtein.distance("\n".join(line.text for line in found), f"{first}\n{second}") > 4:
        assert max(line.confidence for line in found) < 0.2


def letters(*tall: int) -> np.ndarray:
    """(40, 116) bool: small letters, and stems from top to bottom of the picture at some columns."""
    mask = np.zeros((40, 116), dtype=bool)
    for left in range(2, 112, 12):
        mask[20:, left : left + 3] = mask[20:23, left : left + 9] = mask[20:, left + 6 : left + 9] = True
    for left in tall:
        mask[:, left : left + 3] = True
    return mask


def test_a_margin_is_taken_and_letters_are_not() -> None:
    paper = np.pad(letters(), 8)
    paper[:, -3:] = True
    found = rules(paper, 20)
    assert found[:, -3:].all()
    assert not found[:, :-4].any()
    page = np.tile(np.pad(letters(), 8), (4, 1))
    page[:, 1:4] = True
    found = rules(page, 20)
    assert found[:, 1:4].all()
    assert not found[:, 5:].any()


def test_a_tall_letter_of_a_picture_that_is_cut_close_is_no_margin() -> None:
    assert not rules(letters(40), 20).any()
    assert not rules(np.ones((40, 3), dtype=bool), 40).any()
    higher = np.pad(letters(), ((0, 7), (0, 0)))  # an I between words, from top to bottom
    higher[:, 40:50] = False
    higher[:, 44:47] = True
    assert not rules(higher, 20).any()


def test_letters_of_a_heading_are_no_margins() -> None:
    heading = np.zeros((70, 116), dtype=bool)
    for left in range(6, 100, 16):
        heading[5:65, left : left + 5] = True
    page = np.concatenate([np.tile(np.pad(letters(), ((8, 8), (0, 0))), (2, 1)), heading])
    assert not rules(page, 16).any()


@pytest.mark.parametrize("rows", [slice(0, 12), slice(52, 64)])
def test_a_dot_or_a_loop_away_from_its_letter_is_no_line(rows: slice) -> None:
    mask = np.pad(np.concatenate([letters()] * 3, axis=1), ((10, 60), (10, 10)))
    mask[rows, 60:64] = mask[rows, 68:72] = mask[rows, 60:72][:4] = True
    assert len(line_finding.lines(components(mask)).letters) == 1


def test_a_letter_in_the_next_line_is_a_line() -> None:
    mask = np.pad(np.concatenate([letters()] * 3, axis=1), ((10, 60), (10, 10)))
    mask[66:96, 12:16] = mask[66:96, 22:26] = mask[66:70, 12:26] = True
    assert list(line_finding.lines(components(mask)).letters) == [30, 1]


def test_a_letter_that_touches_the_side_is_no_corner() -> None:
    mask = np.pad(letters(), ((40, 0), (0, 0)))
    mask[60:, :3] = True
    assert not corners(components(mask), 20).any()
    mask[26:, :3] = True  # an l
    assert not corners(components(mask), 20).any()
    table = np.arange(14)[::-1] < (np.arange(80)[:, None] - 10) // 5  # from row 15 on, deeper towards the corner
    found = corners(components(np.concatenate([mask, table], axis=1)), 20)
    assert np.array_equal(found, np.concatenate([np.zeros_like(mask), table], axis=1))


def saved(array: np.ndarray, kind: str, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    file.seek(0)
    return file


def test_numbers_of_any_kind_are_the_same_picture(reader: Reader, pages: list[tuple[Page, str]]) -> None:
    page, wanted = pages[0]
    rgba = np.zeros((*page.shape, 4), dtype=np.uint8)
    rgba[..., 3] = 255 - page
    pictures = {
        "float TIFF, 0 to 1": saved(page.astype(np.float32) / 255, "tiff"),
        "int32 TIFF, 0 to 255": saved(page.astype(np.int32), "tiff"),
        "16-bit PNG with 8 bits": saved(page.astype(np.uint16), "png"),
        "16-bit PNG with 10 bits": saved(page.astype(np.uint16) * 4, "png"),
        "16-bit PNG": saved(page.astype(np.uint16) * 257, "png"),
        "1 bit": saved(page > 127, "png"),
        "transparent PNG": saved(rgba, "png"),
        "CMYK": Image.fromarray(page).convert("CMYK"),
        "palette": Image.fromarray(page).quantize(16),
        "tensor": torch.from_numpy(page.copy()),
        "tensor of floats, channels first": torch.from_numpy(np.stack([page / np.float32(255)] * 3)),
        "float64": page / 255,
        "int64": page.astype(np.int64),
        "raw TIFF, to be turned": _to_be_turned(page),
    }
    for name, text in zip(pictures, reader.read_all(pictures.values()), strict=True):
        assert Levenshtein.distance(text.text, wanted) <= (2 if name in ("1 bit", "palette") else 0), name


def _to_be_turned(page: Page) -> io.BytesIO:
    return saved(np.rot90(page), "tiff", tiffinfo={0x0112: 6})


@pytest.mark.parametrize("picture", [None, [1, 2], {}, 3])
def test_what_is_no_picture_is_told_by_its_type(reader: Reader, picture: object) -> None:
    with pytest.raises(TypeError, match="a picture is a path, a file open for reading bytes, a Pillow image, a NumPy"):
        reader.read(picture)  # type: ignore[arg-type]


def test_one_bad_picture_does_not_end_the_others(reader: Reader, pages: list[tuple[Page, str]], tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    found = reader.read_each([tmp_path / "broken.png", pages[0][0], np.zeros(3), None])  # type: ignore[list-item]
    assert isinstance(found[0], UserError)
    assert isinstance(found[1], list)
    assert found[1][0].text == pages[0][1]
    assert [type(error) for error in found[2:]] == [ValueError, TypeError]
