"""The table of two splits is that of the committed figures."""

import json

from benchmarks import splits
from tests.conftest import ROOT


def test_the_table_in_the_docs_is_that_of_the_figures() -> None:
    first, second = (json.loads(path.read_text(encoding="utf-8")) for path in splits.FILES.values())
    assert splits.table() in (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for kind in splits.KINDS.values():
        assert first[kind]["lines"] == second[kind]["lines"] == 2000
        assert first[kind]["characters"] != second[kind]["characters"]  # other documents, other people
