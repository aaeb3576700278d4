"""The command line says what happened, or what went wrong, in words."""

import json
from pathlib import Path
from typing import Any

import pytest

from emnist_lines import cli

RATES = {"cer": 0.0512, "wer": 0.2, "exact_match": 0.625, "interval": {"cer": [0.04, 0.06]}}
METRICS: dict[str, Any] = {"source": "drawn", "lines": 200, "characters": 3000, **RATES}


def test_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test.json").write_text(json.dumps(METRICS | {"ctc": RATES | {"cer": 0.1}, "joint": RATES}))
    (tmp_path / "readings.png").write_bytes(b"")
    cli.main(["summary", str(tmp_path)])
    assert capsys.readouterr().out == (
        "200 test lines, 3000 characters, source: drawn\n"
        "greedy decoding  CER 0.0512 (95%: 0.0400 to 0.0600)  WER 0.2000  lines without an error 62.5%\n"
        "greedy CTC       CER 0.1000 (95%: 0.0400 to 0.0600)  WER 0.2000  lines without an error 62.5%\n"
        "both, by beam    CER 0.0512 (95%: 0.0400 to 0.0600)  WER 0.2000  lines without an error 62.5%\n"
        f"pictured in {tmp_path}/readings.png\n"
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
