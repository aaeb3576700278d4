"""The command line says what happened, or what went wrong, in words."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.parameters import Params
from PIL import Image
from rapidfuzz.distance import Levenshtein

from emnist_lines import cli
from emnist_lines.figures.line_pictures import preview
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.network import model_file
from emnist_lines.network.recognizer import Recognizer
from emnist_lines.reading.reader import Reader

RATES = {"cer": 0.0512, "wer": 0.2, "exact_match": 0.625, "interval": {"cer": [0.04, 0.06]}}
METRICS: dict[str, Any] = {"source": "drawn", "decoding": "beam", "lines": 200, "characters": 3000, **RATES}


def test_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test.json").write_text(json.dumps(METRICS | {"ctc": RATES | {"cer": 0.1}, "greedy": RATES}))
    (tmp_path / "predictions.png").write_bytes(b"")
    cli.main(["summary", str(tmp_path)])
    assert capsys.readouterr().out == (
        "200 test lines, 3000 characters, source: drawn\n"
        "beam search      CER 0.0512 (95%: 0.0400 to 0.0600)  WER 0.2000  lines without an error 62.5%\n"
        "greedy decoding  CER 0.0512 (95%: 0.0400 to 0.0600)  WER 0.2000  lines without an error 62.5%\n"
        "greedy CTC       CER 0.1000 (95%: 0.0400 to 0.0600)  WER 0.2000  lines without an error 62.5%\n"
        f"pictured in {tmp_path}/predictions.png\n"
    )


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"lines": 1}'])
def test_no_metrics_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None) -> None:
    if content is not None:
        (tmp_path / "test.json").write_text(content)
    with pytest.raises(SystemExit) as raised:
        cli.main(["summary", str(tmp_path)])
    assert raised.value.code == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"error: {tmp_path}/test.json holds no metrics (")
    assert captured.err.count("\n") == 1


@pytest.fixture(scope="module")
def folder(drawn_lines: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three lines as pictures, and a file that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    dataset = LinesDataset(drawn_lines, "test", step=8)
    for number, suffix in enumerate(("png", "webp", "bmp")):
        image = Image.fromarray(dataset.image(number))
        image.save(folder / f"{number}.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    (folder / "notes.txt").write_text("not to be read")
    return folder


@pytest.fixture(scope="module")
def wanted(folder: Path, released: Path) -> list[str]:
    return [text.text for text in Reader(released).read_all(folder / name for name in ("0.png", "1.webp", "2.bmp"))]


@pytest.fixture(autouse=True)
def _released(released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMNIST_LINES_MODEL", str(released))


def test_reading_a_folder(folder: Path, wanted: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["read", str(folder)])
    out, err = capsys.readouterr()
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows] == [str(folder / name) for name in ("0.png", "1.webp", "2.bmp")]
    assert [row[1] for row in rows] == wanted
    assert all(0 <= float(row[2]) <= 1 for row in rows)
    assert err == ""


def test_reading_as_json(folder: Path, wanted: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["read", str(folder / "2.bmp"), str(folder / "0.png"), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [row["text"] for row in found] == [wanted[2], wanted[0]]
    assert [row["file"] for row in found] == [str(folder / "2.bmp"), str(folder / "0.png")]
    for row in found:
        assert "".join(c["character"] for c in row["characters"]) == row["text"]
        assert all(row["confidence"] <= c["confidence"] + 1e-4 for c in row["characters"])


def test_reading_without_language_and_with_own_words(
    folder: Path, released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = [folder / name for name in ("0.png", "1.webp", "2.bmp")]
    words = tmp_path / "words.txt"
    words.write_text("Zyqqf Ottokar")
    for options, reader in (
        (["--no-language"], Reader(released, language=False)),
        (["--words", str(words)], Reader(released, words=words)),
    ):
        cli.main(["read", *map(str, pictures), *options])
        rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        read = reader.read_all(pictures)
        assert [row[1:] for row in rows] == [[text.text, f"{text.confidence:.4f}"] for text in read]
    with pytest.raises(SystemExit):
        cli.main(["read", *map(str, pictures), "--words", str(tmp_path / "none.txt")])
    assert capsys.readouterr().err == f"error: {tmp_path}/none.txt is missing\n"


def test_a_missing_language_model_is_one_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMNIST_LINES_LANGUAGE", str(tmp_path / "none.safetensors"))
    with pytest.raises(SystemExit):
        cli.main(["read", str(folder / "0.png")])
    assert capsys.readouterr().err == f"error: {tmp_path}/none.safetensors is missing\n"
    monkeypatch.delenv("EMNIST_LINES_LANGUAGE")
    monkeypatch.setattr("emnist_lines.reading.released.LANGUAGE", tmp_path / "language.safetensors")
    monkeypatch.setattr(cli, "LANGUAGE", tmp_path / "language.safetensors")
    with pytest.raises(SystemExit):
        cli.main(["read", str(folder / "0.png")])
    told = capsys.readouterr().err
    assert told == f"error: {tmp_path}/language.safetensors is missing; {cli.LANGUAGE_REMEDY}\n"


def test_reading_standard_input(
    folder: Path, wanted: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((folder / "0.png").read_bytes())))
    cli.main(["read", "-"])
    assert capsys.readouterr().out.startswith(f"-\t{wanted[0]}\t")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"no picture")))
    with pytest.raises(SystemExit):
        cli.main(["read", str(folder / "0.png"), "-"])
    out, err = capsys.readouterr()
    assert out.startswith(f"{folder / '0.png'}\t{wanted[0]}\t")
    assert err.startswith("error: standard input is no picture;")


def test_what_cannot_be_read_is_told_and_the_rest_is_read(
    folder: Path,
    wanted: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "locked").mkdir()
    listed = Path.iterdir

    def iterdir(self: Path) -> Iterator[Path]:  # whatever the rights of who runs the test
        if self.name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied")
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    (tmp_path / "broken.png").write_bytes((folder / "0.png").read_bytes()[:60])
    arguments = [
        tmp_path / "none.png",
        folder / "notes.txt",
        tmp_path / "broken.png",
        tmp_path / "empty",
        tmp_path / "locked",
        tmp_path / ("long" * 100),
        folder / "0.png",
    ]
    with pytest.raises(SystemExit) as raised:
        cli.main(["read", *map(str, arguments)])
    assert raised.value.code == 1
    out, err = capsys.readouterr()
    assert out.startswith(f"{folder / '0.png'}\t{wanted[0]}\t")
    assert out.count("\n") == 1
    told = err.splitlines()
    assert len(told) == 6
    assert all(line.startswith("error: ") for line in told)
    for path, words in (
        ("none", "does not exist"),
        ("notes", "is no picture"),
        ("broken", "cannot be"),
        ("empty", "holds no"),
        ("locked", "cannot be listed (Permission denied)"),
        ("longlong", "(File name too long)"),
    ):
        assert any(path in line and words in line for line in told)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["demo", "--port", "70000"], 2, "must be a whole number from 1 to 65535, not '70000'"),
        (["demo", "--port", "0"], 2, "must be a whole number from 1 to 65535, not '0'"),
        (["export", "--onnx", "."], 1, "error: . is a folder; name a file in it, such as lines.onnx"),
        (
            ["read", "x.png", "--no-language", "--words", "x"],
            1,
            "error: the words of x are for the language model, but",
        ),
    ],
)
def test_options_that_mean_nothing_are_one_sentence(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        cli.main(arguments)
    assert raised.value.code == code
    assert told in capsys.readouterr().err.splitlines()[-1]


@pytest.fixture(scope="module")
def two_lines(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with the first line above the second."""
    lines = [np.pad(np.asarray(Image.open(folder / name).convert("L")), 10) for name in ("0.png", "1.webp")]
    width = max(line.shape[1] for line in lines)
    page = np.concatenate([np.pad(line, ((0, 0), (0, width - line.shape[1]))) for line in lines])
    path = tmp_path_factory.mktemp("page") / "two.png"
    Image.fromarray(255 - page).resize((4 * width, 4 * len(page)), Image.Resampling.BICUBIC).save(path)
    return path


def test_each_line_of_a_picture_has_a_row(
    two_lines: Path, wanted: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["read", str(two_lines)])
    rows = [line.split("\t")[:2] for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == [str(two_lines)] * 2
    assert all(Levenshtein.distance(row[1], text) <= 2 for row, text in zip(rows, wanted[:2], strict=True))
    cli.main(["read", "--json", str(two_lines)])
    found = json.loads(capsys.readouterr().out)
    assert [(row["line"], row["text"]) for row in found] == [(1, rows[0][1]), (2, rows[1][1])]


def test_paper_without_writing_is_an_empty_text_that_nobody_is_sure_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).normal(235, 6, (200, 700)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "blank.png")
    cli.main(["read", str(tmp_path)])
    assert capsys.readouterr().out == f"{tmp_path}/blank.png\t\t0.0000\n"


def test_a_folder_is_read_whatever_its_files_are_called(
    folder: Path, wanted: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """GIF and JFIF too; what macOS leaves beside a file is none, and a name may have any bytes."""
    image = Image.open(folder / "0.png")
    image.save(tmp_path / "a.gif")
    image.save(tmp_path / "b.jfif", "jpeg", quality=100)
    image.save(tmp_path / "C.PNG")
    (tmp_path / "._a.gif").write_bytes(b"\0\5\x16\7")
    image.save(os.fsencode(tmp_path) + b"/\xff\xe9.png", "png")
    image.save(tmp_path / "tab\there.png")
    cli.main(["read", str(tmp_path)])
    out, err = capsys.readouterr()
    rows = [line.split("\t") for line in out.splitlines()]
    names = ["C.PNG", "a.gif", "b.jfif", "tab\\there.png", "\\xff\\xe9.png"]
    assert [row[0] for row in rows] == [f"{tmp_path}/{name}" for name in names]
    assert {row[1] for row in rows} == {wanted[0]}
    assert err == ""


def command(*arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "from emnist_lines import cli; cli.main()", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1"])
def test_names_are_printed_in_any_locale(folder: Path, tmp_path: Path, locale: str) -> None:
    name = os.fsencode(tmp_path) + "/ünïcode €.png".encode()
    Path(os.fsdecode(name)).write_bytes((folder / "0.png").read_bytes())
    process = command("read", os.fsdecode(name), LC_ALL=locale, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, b"")
    assert out.count(b"\t") == 2


@pytest.mark.slow
def test_who_reads_the_rows_may_stop_early(folder: Path, tmp_path: Path) -> None:
    for number in range(600):
        (tmp_path / f"{number:03}.png").write_bytes((folder / "0.png").read_bytes())
    process = command("read", str(tmp_path))
    assert process.stdout is not None
    assert process.stdout.readline().startswith(os.fsencode(tmp_path / "000.png"))
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait(timeout=120) == 128 + signal.SIGPIPE


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """While the command waits for its standard input."""

    class Waiting(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            signal.raise_signal(signal.SIGINT)
            return b""

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Waiting()))
    with pytest.raises(SystemExit) as raised:
        cli.main(["read", "-"])
    assert raised.value.code == 128 + signal.SIGINT
    assert capsys.readouterr() == ("", "error: interrupted\n")


def test_a_model_without_start_and_end_is_one_sentence(
    folder: Path, small: Params, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recognizer = Recognizer.build(small.model, 10, label_smoothing=0.0, with_ctc=False)
    card = model_file.ModelCard(small.model.architecture(), 10, start_end_tokens=False, label_smoothing=0.0)
    model_file.save(tmp_path / "model", recognizer.modules().state_dict(), card)
    with pytest.raises(SystemExit) as raised:
        cli.main(["read", str(folder / "0.png"), "--model", str(tmp_path / "model")])
    assert raised.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {tmp_path}/model has not learned where a text begins and ends")
    assert err.count("\n") == 1


def test_a_model_that_is_none_is_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        cli.main(["read", str(folder / "0.png"), "--model", str(folder / "0.png")])
    assert raised.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {folder / '0.png'} holds no model of this project (")
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", [[], ["read"], ["export"], ["demo"], ["summary"]])
def test_help_explains_each_argument(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        cli.main([*command, "--help"])
    assert raised.value.code == 0
    page = capsys.readouterr().out
    for word in {"read": ["IMAGE", "--json", "--model"], "export": ["--onnx FILE"], "demo": ["--port"]}.get(
        "".join(command), []
    ):
        assert word in page


def test_lines_of_a_split_as_a_picture(lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "some.png"
    cli.main(["lines", "val", "--data", str(lines), "--first", "3", "--count", "4", "--out", str(out)])
    assert capsys.readouterr().out == f"{out}\n"
    dataset = LinesDataset(lines, "val")
    expected = preview([dataset.image(n) for n in range(3, 7)], dataset.texts[3:7])
    assert np.array_equal(np.asarray(Image.open(out)), np.asarray(expected))
    cli.main(["lines", "val", "--data", str(lines), "--out", str(out)])
    assert Image.open(out).height > 4 * expected.height


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--first", "24"], "no line to show: val has 24, counted from 0"),
        (["--count", "0"], "no line to show: val has 24, counted from 0"),
        (["--data", "none"], "none/lines/val.h5 is missing"),
        (["--out", "."], ". cannot be written (Device or resource busy)"),
        (["--out", "data/glyphs.h5/some.png"], "data/glyphs.h5/some.png cannot be written (File exists)"),
    ],
)
def test_lines_that_cannot_be_shown_are_one_sentence(
    lines: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").symlink_to(lines)
    with pytest.raises(SystemExit) as ended:
        cli.main(["lines", "val", "--out", "some.png", *arguments])
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"error: {told}\n"
