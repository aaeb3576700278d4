"""`emnist-lines`: what a person asks of the package in a terminal."""

import argparse
import io
import json
import math
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emnist_lines.common import errors
from emnist_lines.common.files import atomic_write
from emnist_lines.lines.line_file import SPLITS
from emnist_lines.reading import picture_file
from emnist_lines.reading.released import LANGUAGE, RELEASED

if TYPE_CHECKING:  # torch takes a second to import
    from emnist_lines.network.transcription import Transcription

KIND_TITLES = {
    "lab": "lines as the lab composes them",
    "natural": "lines of glyphs in natural proportions",
    "written": "lines that people wrote with a pen",
}
"""The kinds of lines that metrics tell, and what they are called."""
DECODINGS = {"beam": "beam search", "greedy": "greedy decoding", "ctc": "greedy CTC"}
"""The decodings that metrics tell, and what they are called."""
LANGUAGE_REMEDY = "`dvc pull language` fetches the released one, `dvc repro --force language` makes it"
REMEDY = "`dvc pull train` fetches the released one, `dvc repro --force train` trains another"
"""What to do where the released model is missing."""
DATA_REMEDY = "`dvc repro synthesize` makes the data"
TOGETHER = 256
"""Pictures whose lines are found and read together, before any of their texts is printed."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line's entry point; a user's mistake is one sentence and exit code 1."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names in other letters than the terminal's
    try:
        remedies = {str(RELEASED): REMEDY, str(LANGUAGE): LANGUAGE_REMEDY, "data": DATA_REMEDY}
        errors.run(lambda: options.call(options), remedies)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(128 + signal.SIGPIPE) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emnist-lines", description="Read lines of handwriting, and tell how well it goes."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    read = commands.add_parser(
        "read",
        help="read pictures of lines of handwriting",
        description="Read pictures of handwriting, dark on light or light on dark, of any size. Prints a row per line "
        "of writing, top to bottom: file, text and confidence (the probability of the whole text), apart by tabs; a "
        "picture without writing has one row, without text, of confidence 0. A picture that cannot be read is told on "
        "standard error; the others are read all the same, and the exit code is 1.",
    )
    read.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="a PNG, JPEG, WebP, TIFF, BMP or GIF file, a folder of them (in the order of their names), or - for "
        "standard input",
    )
    read.add_argument(
        "--json",
        action="store_true",
        help="print a list of objects with file, line, text, confidence and each character's",
    )
    _takes_model(read)
    _takes_language(read)
    read.set_defaults(call=_read)

    export = commands.add_parser(
        "export",
        help="write the model as ONNX",
        description="Write the model as two ONNX graphs: FILE with the encoder, and beside it FILE's name with "
        "`.decoder` before the ending, one step of the decoder. Needs the extra `onnx`.",
    )
    export.add_argument(
        "--onnx", type=Path, required=True, metavar="FILE", help="the encoder's file, such as lines.onnx"
    )
    _takes_model(export)
    export.set_defaults(call=_export)

    demo = commands.add_parser(
        "demo",
        help="open a page on this machine to draw on or drop pictures in",
        description="Serve a page to this machine alone, where you draw characters or drop a picture and see the text "
        "appear. Needs the extra `demo`. Ends with Ctrl-C.",
    )
    demo.add_argument("--port", type=_port, default=7860, help="of the page's address http://127.0.0.1:PORT (7860)")
    _takes_model(demo)
    _takes_language(demo)
    demo.set_defaults(call=_demo)

    lines = commands.add_parser(
        "lines",
        help="show lines of a split",
        description="Write a picture of some lines of a split, each above its text, as they stand in FOLDER/lines "
        "(not varied as in training). FOLDER/glyphs.h5 and FOLDER/written.h5 hold what they are drawn from.",
    )
    lines.add_argument("split", choices=SPLITS, help="whose lines")
    lines.add_argument("--out", type=Path, required=True, metavar="FILE", help="the picture's file, such as lines.png")
    lines.add_argument("--first", type=_count, default=0, metavar="N", help="the first line, counted from 0 (0)")
    lines.add_argument("--count", type=_count, default=20, metavar="N", help="how many (20)")
    lines.add_argument("--data", type=Path, default=Path("data"), metavar="FOLDER", help="the folder of data (data)")
    lines.set_defaults(call=_lines)

    summary = commands.add_parser(
        "summary",
        help="say in a few lines how well the test lines were read",
        description="Print the figures of FOLDER/test.json in a few lines.",
    )
    summary.add_argument("folder", type=Path, nargs="?", default=Path("metrics"), help="where test.json lies (metrics)")
    summary.set_defaults(call=lambda options: print(summarize(options.folder)))
    return parser


def _count(word: str) -> int:
    """A whole number of at least 0."""
    return _whole(word, 0, math.inf, "of at least 0")


def _port(word: str) -> int:
    """A port's number that a page may have."""
    return _whole(word, 1, 65535, "from 1 to 65535")


def _whole(word: str, least: int, most: float, wanted: str) -> int:
    """A whole number between two, told by the words `wanted`."""
    if not (word.isascii() and word.isdecimal() and least <= int(word) <= most):
        raise argparse.ArgumentTypeError(f"must be a whole number {wanted}, not {word!r}")
    return int(word)


def _takes_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        type=Path,
        help="a model file; else the one that EMNIST_LINES_MODEL names; else the released one",
    )


def _takes_language(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--no-language",
        dest="language",
        action="store_false",
        help="read what the ink says alone, as for names and serial numbers; else a language model of English helps",
    )
    command.add_argument(
        "--words", type=Path, metavar="FILE", help="a text of words that the language model is to expect"
    )


def _read(options: argparse.Namespace) -> None:
    from emnist_lines.network.transcription import Transcription
    from emnist_lines.reading.reader import Reader

    nothing = Transcription("", 0.0, [])
    reader = Reader(options.model, options.language, options.words)
    names, failed = _named(options.images)
    rows: list[dict[str, Any]] = []
    for start in range(0, len(names), TOGETHER):
        chosen = names[start : start + TOGETHER]
        pictures = (io.BytesIO(sys.stdin.buffer.read()) if name == "-" else Path(name) for name in chosen)
        called = ["standard input" if name == "-" else _printable(name) for name in chosen]
        for path, name, found in zip(chosen, called, reader.read_each(pictures, called), strict=True):
            if isinstance(found, Exception):
                failed = True
                print(f"error: {_told(name, found)}", file=sys.stderr)
                continue
            for number, line in enumerate(found or [nothing], start=1):
                if options.json:
                    rows.append(_object(_printable(path), number, line))
                else:
                    print(f"{_printable(path)}\t{line.text}\t{line.confidence:.4f}", flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    if failed:
        raise SystemExit(1)


def _named(paths: Sequence[str]) -> tuple[list[str], bool]:
    """The paths, in place of a folder the pictures in it; and whether there was a folder without any."""
    names, failed = [], False
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir may raise: too long a path, a locked folder above it
            names.append(path)
            continue
        try:
            inside = sorted(file for file in Path(path).iterdir() if file.suffix.lower() in picture_file.SUFFIXES)
            inside = [file for file in inside if not file.name.startswith(".")]  # as macOS's ._name.png, which is none
            problem = "" if inside else f"holds no pictures; give a folder of {picture_file.KINDS} files"
        except OSError as error:
            inside, problem = [], f"cannot be listed ({error.strerror})"
        if problem:
            failed = True
            print(f"error: {_printable(path)} {problem}", file=sys.stderr)
        names += map(str, inside)
    return names, failed


def _printable(name: str) -> str:
    """A file's name as one cell of a row, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "backslashreplace").translate({9: "\\t", 10: "\\n", 13: "\\r"})


def _told(name: str, error: Exception) -> str:
    """What went wrong with a picture, in one line that names it."""
    return str(error) if isinstance(error, errors.UserError) else f"{name} cannot be read ({errors.one_line(error)})"


def _object(name: str, number: int, line: "Transcription") -> dict[str, Any]:
    each = [{"character": c, "confidence": round(p, 4)} for c, p in zip(line.text, line.confidences, strict=True)]
    confidence = round(line.confidence, 4)
    return {"file": name, "line": number, "text": line.text, "confidence": confidence, "characters": each}


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Tell in one sentence that a file cannot be written; a full disk is told by `errors.run`."""
    try:
        yield
    except OSError as error:
        if error.errno in errors.NO_ROOM:
            raise
        raise errors.UserError(f"{path} cannot be written ({error.strerror})") from None


def _lines(options: argparse.Namespace) -> None:
    from emnist_lines.figures.line_pictures import preview
    from emnist_lines.lines.dataset import LinesDataset

    lines = LinesDataset(options.data, options.split)
    chosen = range(options.first, min(options.first + options.count, len(lines)))
    if not chosen:
        raise errors.UserError(f"no line to show: {options.split} has {len(lines)}, counted from 0")
    picture = preview([lines.image(n) for n in chosen], [lines.texts[n] for n in chosen])
    with _writing(options.out), atomic_write(options.out) as part:
        picture.save(part, "png")
    print(options.out)


def _export(options: argparse.Namespace) -> None:
    from emnist_lines.reading import onnx_export

    with _writing(options.onnx):
        for path in onnx_export.export(options.onnx, options.model):
            print(path)


def _demo(options: argparse.Namespace) -> None:
    from emnist_lines.reading import demo

    demo.serve(options.port, options.model, options.language, options.words)


def summarize(folder: Path) -> str:
    """A few lines about the metrics in `folder`.

    Raises:
        UserError: there are none, or they are damaged.
    """
    path = folder / "test.json"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        lines = []
        for kind, title in KIND_TITLES.items():
            if kind in metrics:
                lines += _rows(f"{metrics[kind]['lines']} test {title}", metrics["decoding"], metrics[kind])
        if not lines:
            lines = _rows(f"{metrics['lines']} test lines", metrics["decoding"], metrics)
        lines[0] += f", source: {metrics['source']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.UserError(
            f"{path} holds no metrics ({errors.one_line(error)}); make them with `dvc repro`"
        ) from None
    found = [path for path in (folder / "plots" / "predictions.png", folder / "predictions.png") if path.exists()]
    return "\n".join(lines + [f"pictured in {path}" for path in found])


def _rows(heading: str, decoding: str, metrics: dict[str, Any]) -> list[str]:
    """A heading, and a row for each decoding."""
    rows = [(DECODINGS[decoding], metrics)]
    rows += [(title, metrics[name]) for name, title in DECODINGS.items() if name in metrics]
    return [f"{heading}, {metrics['characters']} characters", *(_row(name, figures) for name, figures in rows)]


def _row(name: str, figures: dict[str, Any]) -> str:
    low, high = figures["interval"]["cer"]
    return (
        f"{name:16} CER {figures['cer']:.4f} (95%: {low:.4f} to {high:.4f})  "
        f"WER {figures['wer']:.4f}  lines without an error {figures['exact_match']:.1%}"
    )
