"""`emnist-lines`: what a person asks of the package in a terminal."""

import argparse
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from emnist_lines.common import errors
from emnist_lines.reading import preprocessing
from emnist_lines.reading.released import RELEASED

OTHERS = {"ctc": "greedy CTC", "beam": "beam search"}
"""The decodings that metrics may tell beside the greedy one."""
REMEDY = "`dvc pull train` fetches the released one, `dvc repro --force train` trains another"
"""What to do where the released model is missing."""
TOGETHER = 256
"""Pictures whose lines are found and read together, before any of their texts is printed."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line's entry point; a user's mistake is one sentence and exit code 1."""
    options = _parser().parse_args(arguments)
    errors.run(lambda: options.call(options), {str(RELEASED): REMEDY})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="emnist-lines", description="Read lines of handwriting, and tell how well it goes."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    read = commands.add_parser(
        "read",
        help="read pictures of lines of handwriting",
        description="Read pictures that show one line of handwriting each, dark on light or light on dark, of any "
        "size. Prints a row per picture: file, text and confidence (the probability of the whole text), apart by tabs. "
        "A file that cannot be read is told on standard error; the others are read all the same, and the exit code "
        "is 1.",
    )
    read.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="a PNG, JPEG, WebP, TIFF or BMP file, a folder of them (in the order of their names), or - for standard "
        "input",
    )
    read.add_argument(
        "--json", action="store_true", help="print a list of objects with file, text, confidence and each character's"
    )
    _takes_model(read)
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
    demo.add_argument("--port", type=int, default=7860, help="of the page's address http://127.0.0.1:PORT (7860)")
    _takes_model(demo)
    demo.set_defaults(call=_demo)

    summary = commands.add_parser(
        "summary",
        help="say in a few lines how well the test lines were read",
        description="Print the figures of FOLDER/test.json in a few lines.",
    )
    summary.add_argument("folder", type=Path, nargs="?", default=Path("metrics"), help="where test.json lies (metrics)")
    summary.set_defaults(call=lambda options: print(summarize(options.folder)))
    return parser


def _takes_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        type=Path,
        help="a model file; else the one that EMNIST_LINES_MODEL names; else the released one",
    )


def _read(options: argparse.Namespace) -> None:
    from emnist_lines.reading.reader import Reader

    reader = Reader(options.model)
    files = _Files()
    names = list(files.named(options.images))
    rows: list[dict[str, Any]] = []
    for start in range(0, len(names), TOGETHER):
        read: list[str] = []
        texts = reader.read_all(files.opened(names[start : start + TOGETHER], read))
        for name, text in zip(read, texts, strict=True):
            if options.json:
                each = [
                    {"character": c, "confidence": round(p, 4)}
                    for c, p in zip(text.text, text.confidences, strict=True)
                ]
                rows.append(
                    {"file": name, "text": text.text, "confidence": round(text.confidence, 4), "characters": each}
                )
            else:
                print(f"{name}\t{text.text}\t{text.confidence:.4f}", flush=True)
    if options.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    if files.failed:
        raise SystemExit(1)


class _Files:
    """Opens files; of those that cannot be read it tells on standard error and remembers that there were some."""

    def __init__(self) -> None:
        self.failed = False

    def named(self, paths: Sequence[str]) -> Iterator[str]:
        """The paths, in place of a folder the pictures in it."""
        for path in paths:
            folder = Path(path)
            if not folder.is_dir():
                yield path
                continue
            inside = sorted(str(file) for file in folder.iterdir() if file.suffix.lower() in preprocessing.SUFFIXES)
            if not inside:
                self._tell(
                    errors.UserError(f"{path} holds no pictures; give a folder of PNG, JPEG, WebP, TIFF or BMP files")
                )
            yield from inside

    def opened(self, names: Sequence[str], read: list[str]) -> Iterator[Image.Image]:
        """The pictures, one after the other; the names of those that can be opened are added to `read`."""
        for name in names:
            try:
                if name == "-":
                    picture = preprocessing.load(io.BytesIO(sys.stdin.buffer.read()), "standard input")
                else:
                    picture = preprocessing.load(Path(name), name)
            except errors.UserError as error:
                self._tell(error)
            else:
                read.append(name)
                yield picture

    def _tell(self, error: errors.UserError) -> None:
        self.failed = True
        print(f"error: {error}", file=sys.stderr)


def _export(options: argparse.Namespace) -> None:
    from emnist_lines.reading import onnx_export

    for path in onnx_export.export(options.onnx, options.model):
        print(path)


def _demo(options: argparse.Namespace) -> None:
    from emnist_lines.reading import demo

    demo.serve(options.port, options.model)


def summarize(folder: Path) -> str:
    """A few lines about the metrics in `folder`.

    Raises:
        UserError: there are none, or they are damaged.
    """
    path = folder / "test.json"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        rows = [("greedy decoding", metrics)]
        rows += [(title, metrics[name]) for name, title in OTHERS.items() if name in metrics]
        lines = [f"{metrics['lines']} test lines, {metrics['characters']} characters, source: {metrics['source']}"]
        lines += [_row(name, figures) for name, figures in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.UserError(
            f"{path} holds no metrics ({errors.one_line(error)}); make them with `dvc repro`"
        ) from None
    found = [path for path in (folder / "plots" / "readings.png", folder / "readings.png") if path.exists()]
    return "\n".join(lines + [f"pictured in {path}" for path in found])


def _row(name: str, figures: dict[str, Any]) -> str:
    low, high = figures["interval"]["cer"]
    return (
        f"{name:16} CER {figures['cer']:.4f} (95%: {low:.4f} to {high:.4f})  "
        f"WER {figures['wer']:.4f}  lines without an error {figures['exact_match']:.1%}"
    )
