"""What the split decides: `python -m benchmarks.splits` prints the test figures of two splits side by side.

Glyphs, documents and people are dealt anew by another seed, and the network is trained anew on its lines from random
weights on (how: docs/results.md). `second_split.json` is that training's `metrics/test.json`.
"""

import json
from pathlib import Path
from typing import Any

from benchmarks.tables import markdown

HERE = Path(__file__).parent
FILES = {
    "released (seed 0)": HERE.parent / "metrics" / "test.json",
    "another split (seed 1)": HERE / "second_split.json",
}
KINDS = {"as the lab composes them": "lab", "natural proportions": "natural", "written by people": "written"}


def table(files: dict[str, Path] = FILES) -> str:
    """CER and its 95% interval by kind of lines and split, with language and greedily."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in files.values()]
    rows = []
    for title, kind in KINDS.items():
        rows.append([f"{title}, with language", *(cell(one[kind]) for one in found)])
        rows.append(["… greedy decoding", *(cell(one[kind]["greedy"]) for one in found)])
    return markdown(["test lines", *files], rows)


def cell(rates: dict[str, Any]) -> str:
    """A CER and its interval."""
    low, high = rates["interval"]["cer"]
    return f"{rates['cer']:.4f} ({low:.4f} to {high:.4f})"


if __name__ == "__main__":
    print(table())
