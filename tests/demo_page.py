"""The page, served for as long as a test or a measurement needs it."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emnist_lines.reading import demo

ROOT = Path(__file__).parent.parent


@contextmanager
def served(*options: str) -> Iterator[str]:
    """The page's address: the command, with these options, serves it on a free port."""
    with socket.create_server((demo.HOST, 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from emnist_lines import cli; cli.main()", "demo", "--port", str(port)]
    process = subprocess.Popen(
        [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    try:
        assert first == f"http://{demo.HOST}:{port}  (Ctrl-C ends it)\n", first + process.stdout.read()
        yield f"http://{demo.HOST}:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)
