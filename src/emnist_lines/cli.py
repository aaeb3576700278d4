"""`emnist-lines`: what a person asks of the package in a terminal."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emnist_lines import errors

OTHERS = {"ctc": "greedy CTC", "joint": "both, by beam"}
"""The decodings that metrics may tell beside the greedy one."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line's entry point; a user's mistake is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="emnist-lines", description="Read lines of handwriting.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    summary = commands.add_parser("summary", help="say in a few lines how well the test lines were read")
    summary.add_argument("folder", type=Path, nargs="?", default=Path("metrics"), help="where test.json lies (metrics)")
    summary.set_defaults(call=lambda options: print(summarize(options.folder)))
    options = parser.parse_args(arguments)
    errors.run(lambda: options.call(options))


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
        raise errors.UserError(f"{path} holds no metrics ({error}); make them with `dvc repro`") from None
    pictures = [path for path in (folder / "plots" / "readings.png", folder / "readings.png") if path.exists()]
    return "\n".join(lines + [f"pictured in {path}" for path in pictures])


def _row(name: str, figures: dict[str, Any]) -> str:
    low, high = figures["interval"]["cer"]
    return (
        f"{name:16} CER {figures['cer']:.4f} (95%: {low:.4f} to {high:.4f})  "
        f"WER {figures['wer']:.4f}  lines without an error {figures['exact_match']:.1%}"
    )
