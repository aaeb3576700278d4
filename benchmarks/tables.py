"""Markdown tables, and the two files of a benchmark: its figures as JSON, and the page that tells them."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from emnist_lines.common.files import atomic_write


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells in Markdown."""
    lines = [f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in cells)}|" for cells in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def write(figures: dict[str, Any], path: Path, text: str, page: Path) -> None:
    """Write figures to `path`, and the text about them to `page`."""
    for file, content in ((path, json.dumps(figures, indent=1, ensure_ascii=False) + "\n"), (page, text)):
        with atomic_write(file) as part:
            part.write_text(content, encoding="utf-8")
