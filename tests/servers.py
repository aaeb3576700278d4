"""A local web server for tests of what fetches."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PIECE = 1 << 14


@dataclass
class Site:
    """What a server serves, how it misbehaves, and what it was asked.

    Attributes:
        files: content by path, without the leading slash.
        cut: paths whose connection ends after so many bytes of the first answer that is longer.
        stalls: paths that send so many bytes, once, and then nothing more.
        slow: seconds before each answer.
        pace: seconds between pieces of 16 KiB.
        failures: paths that answer with these status codes first.
        redirects: paths that lie elsewhere, with the other address.
        ranges: whether range requests are honoured.
        lengths: whether the length of an answer is announced.
        requests: path and Range header of each request so far.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    stalls: dict[str, int] = field(default_factory=dict)
    slow: float = 0.0
    pace: float = 0.0
    failures: dict[str, list[int]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    lengths: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    @classmethod
    def of_folder(cls, folder: Path) -> "Site":
        return cls({str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()})


@contextmanager
def serve(site: Site) -> Iterator[Site]:
    """Serve `site` on a loopback port; `site.url` has no trailing slash."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            path, wanted = self.path.lstrip("/"), self.headers.get("Range")
            site.requests.append((path, wanted))
            time.sleep(site.slow)
            if site.failures.get(path):
                self.send_error(site.failures[path].pop(0))
                return
            if path in site.redirects:
                self.send_response(302)
                self.send_header("Location", site.redirects[path])
                self.end_headers()
                return
            if path not in site.files:
                self.send_error(404)
                return
            content, first = site.files[path], 0
            last = len(content) - 1
            if wanted and site.ranges:
                low, _, high = wanted.removeprefix("bytes=").partition("-")
                first, last = (int(low), min(int(high or last), last)) if low else (len(content) - int(high), last)
                if first > last:
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            else:
                self.send_response(200)
            if site.ranges:
                self.send_header("Accept-Ranges", "bytes")
            if site.lengths:
                self.send_header("Content-Length", str(last - first + 1))
            self.end_headers()
            if body:
                stall = site.stalls.pop(path, None)
                sent = content[first : last + 1][:stall]
                if len(sent) > site.cut.get(path, len(sent)):
                    sent = sent[: site.cut.pop(path)]
                with suppress(ConnectionError):  # who asked may be gone
                    for start in range(0, len(sent), PIECE):
                        self.wfile.write(sent[start : start + PIECE])
                        time.sleep(site.pace)
                if stall is not None:
                    over.wait(20)

        def log_message(self, *arguments: object) -> None:
            pass

    over = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
