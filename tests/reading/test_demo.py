"""The page: what is drawn or dropped there appears as text."""

import base64
import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests
from HersheyFonts import HersheyFonts
from PIL import Image
from playwright.sync_api import Page, expect

from emnist_lines.common.errors import UserError
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.reading import demo
from emnist_lines.reading.reader import Reader
from tests import browsers
from tests.conftest import ROOT
from tests.demo_page import served

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(released: Path) -> Iterator[str]:
    """The page, served by the command."""
    pytest.importorskip("gradio", reason="needs the extra demo")
    with served("--model", str(released)) as found:
        yield found


def write(page: Page, text: str) -> None:
    """Draw single-stroke letters on the board."""
    font = HersheyFonts()
    font.load_default_font("rowmans")
    font.normalize_rendering(110)
    board = page.locator("#board canvas").first
    board.wait_for()
    box = board.bounding_box()
    assert box is not None
    left, base = box["x"] + 120, box["y"] + box["height"] / 2 + 40
    for stroke in font.strokes_for_text(text):
        points = [(left + 1.25 * x, base - y) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=5)
        page.mouse.up()


def test_drawn_strokes_are_read(address: str) -> None:
    with browsers.page() as (page, problems):
        page.goto(address)
        page.locator("#board button[aria-label=Brush].highlight").wait_for()
        write(page, "then")
        expect(page.locator("#text textarea")).to_have_value("then", timeout=20_000)
        assert page.locator("#whole textarea").input_value().endswith("%")
        assert page.locator("#each").inner_text().split()[-4:] == list("then")
        assert problems == []


def drop(page: Page, path: Path) -> None:
    """Drop a file on the place for pictures, as a browser tells it when a person lets go of the mouse."""
    files = page.evaluate_handle(
        """content => {
            const files = new DataTransfer()
            const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0))
            files.items.add(new File([bytes], "line.png", {type: "image/png"}))
            return files
        }""",
        base64.b64encode(path.read_bytes()).decode(),
    )
    target = page.locator("#picture input[type=file]").locator("xpath=ancestor::button")
    for event in ("dragenter", "dragover", "drop"):
        target.dispatch_event(event, {"dataTransfer": files})


def test_a_picture_of_a_test_line_is_read(address: str, released: Path) -> None:
    """Dropped, and chosen from those that the page offers."""
    examples = sorted((ROOT / "metrics" / "plots" / "examples").glob("*.png"))
    table = pd.read_csv(ROOT / "metrics" / "predictions.csv", keep_default_na=False)
    turn = table.groupby("kind", sort=False).cumcount()  # the examples are of each kind in turn
    predictions = table["prediction"][turn.sort_values(kind="stable").index].tolist()
    assert len(examples) == 6
    with browsers.page() as (page, problems):
        page.goto(address)
        page.get_by_role("tab", name="Picture").click()
        text = page.locator("#text textarea")
        drop(page, examples[0])
        expect(text).to_have_value(predictions[0], timeout=20_000)
        shown = page.locator("#each").inner_text().split()[-len(predictions[0]) :]
        assert shown == list(predictions[0].replace(" ", "␣"))
        page.locator("#lines .thumbnail-item").nth(2).click()
        expect(text).to_have_value(predictions[2], timeout=20_000)
        assert problems == []


def test_the_page_reads_a_file_as_the_command_line_does(address: str, released: Path, tmp_path: Path) -> None:
    """Transparent, in 16 bits, several lines; and what is no picture is one sentence."""
    example = np.asarray(Image.open(ROOT / "metrics" / "plots" / "examples" / "0.png").convert("L"))
    rgba = np.zeros((*example.shape, 4), dtype=np.uint8)
    rgba[..., 3] = 255 - example
    Image.fromarray(rgba).save(tmp_path / "transparent.png")
    Image.fromarray(example.astype(np.uint16)).save(tmp_path / "deep.png")
    large = np.asarray(Image.fromarray(example).resize((4 * example.shape[1], 112), Image.Resampling.BICUBIC))
    Image.fromarray(np.pad(np.concatenate([large, large]), 16, constant_values=255)).save(tmp_path / "two.png")
    Image.fromarray(np.full((100, 300), 235, dtype=np.uint8)).save(tmp_path / "blank.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG, cut off")
    reader = Reader(released)
    with browsers.page() as (page, _):
        for name in ("transparent", "deep", "two"):
            page.goto(address)
            page.get_by_role("tab", name="Picture").click()
            drop(page, tmp_path / f"{name}.png")
            wanted = reader.read(tmp_path / f"{name}.png").text
            assert len(wanted) > 5
            expect(page.locator("#text textarea")).to_have_value(wanted, timeout=20_000)
        for name, told in (("blank", "There is no writing in the picture."), ("broken", "the picture is no picture")):
            page.goto(address)
            page.get_by_role("tab", name="Picture").click()
            drop(page, tmp_path / f"{name}.png")
            expect(page.locator("#note")).to_contain_text(told, timeout=20_000)


def test_the_page_reads_by_ink_alone_on_request(
    address: str, released: Path, drawn_lines: Path, tmp_path: Path
) -> None:
    lines = LinesDataset(drawn_lines, "test")
    with_language, by_ink = Reader(released), Reader(released, language=False)
    images = [255 - lines.image(n) for n in range(64)]
    chosen = next(i for i in images if with_language.read(i).text != by_ink.read(i).text)
    Image.fromarray(chosen).save(tmp_path / "line.png")
    with browsers.page() as (page, _):
        page.goto(address)
        page.get_by_role("tab", name="Picture").click()
        drop(page, tmp_path / "line.png")
        text = page.locator("#text textarea")
        expect(text).to_have_value(with_language.read(chosen).text, timeout=20_000)
        page.locator("#english input").uncheck()
        expect(text).to_have_value(by_ink.read(chosen).text, timeout=20_000)
        page.locator("#english input").check()
        expect(text).to_have_value(with_language.read(chosen).text, timeout=20_000)


def test_uploads_are_limited(address: str) -> None:
    for megabytes, status in ((1, 200), (17, 413)):
        files = {"files": ("line.png", bytes(megabytes << 20))}
        assert requests.post(f"{address}/gradio_api/upload", files=files, timeout=60).status_code == status


def test_only_this_machine_is_served(address: str) -> None:
    assert ipaddress.ip_address(demo.HOST).is_loopback
    port = int(address.rpartition(":")[2])
    others: set[str] = set()
    with suppress(socket.gaierror):  # a machine need not know its own name
        others = {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)}
    for other in others:
        if not ipaddress.ip_address(other).is_loopback:
            with pytest.raises(ConnectionRefusedError), socket.create_connection((other, port), timeout=5):
                pass


def test_a_taken_port_is_one_sentence(released: Path) -> None:
    pytest.importorskip("gradio", reason="needs the extra demo")
    with socket.create_server((demo.HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is taken, or not allowed to you; choose another with --port"):
            demo.serve(port, released)


def test_missing_packages_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(UserError, match=r"the page needs packages .* install them with `pip install"):
        demo.page()
