"""A fetched file has the right bytes, or there is a reason why not."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from emnist_lines.common.errors import UserError
from emnist_lines.sources import fetching
from emnist_lines.sources.fetching import FetchError, Session, fetch, first_served, located
from tests.servers import Site, serve

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_a_path_is_served_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert fetch(str(tmp_path / "file"), tmp_path / "cache", SHA256) == tmp_path / "file"
    with pytest.raises(FetchError, match=r"/other: No such file or directory$"):
        fetch(str(tmp_path / "other"), tmp_path / "cache", SHA256)
    with pytest.raises(FetchError, match=r"/file: its SHA-256 is not 0000"):
        fetch(str(tmp_path / "file"), tmp_path / "cache", "0" * 64)
    assert (tmp_path / "file").exists()


def test_a_download_is_kept_and_not_repeated(tmp_path: Path) -> None:
    with serve(Site({"file": CONTENT})) as site:
        for _ in range(2):
            path = fetch(f"{site.url}/file", tmp_path / "deep" / "file", SHA256)
            assert path.read_bytes() == CONTENT
        assert len(site.requests) == 1
    assert [found.name for found in (tmp_path / "deep").iterdir()] == ["file"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_broken_copy_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"half")
    with serve(Site({"file": CONTENT})) as site:
        assert fetch(f"{site.url}/file", tmp_path / "file", SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("lengths", [True, False])
def test_a_dropped_connection_is_followed_by_another_attempt(tmp_path: Path, ranges: bool, lengths: bool) -> None:
    """Without an announced length only the hash tells what is missing."""
    site = Site({"file": CONTENT}, cut={"file": 100_000}, ranges=ranges, lengths=lengths)
    with serve(site):
        assert fetch(f"{site.url}/file", tmp_path / "file", SHA256).read_bytes() == CONTENT
    assert site.requests == [("file", None)] * 2


def test_a_connection_that_drops_each_time_is_a_reason(tmp_path: Path, pauses: list[float]) -> None:
    class Always(dict[str, int]):
        def pop(self, path: str, *default: object) -> int:  # type: ignore[override]
            return self[path]

    with serve(Site({"file": CONTENT}, cut=Always(file=1000))) as site:
        with pytest.raises(FetchError, match=r"/file: the connection failed$"):
            fetch(f"{site.url}/file", tmp_path / "file", None)
        assert len(site.requests) == 4
    assert pauses == sorted(set(pauses))
    assert not list(tmp_path.iterdir())


def test_a_body_that_stalls_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "TIMEOUT", (5, 0.3))
    with serve(Site({"file": CONTENT}, stalls={"file": 200_000})) as site:
        assert fetch(f"{site.url}/file", tmp_path / "file", SHA256).read_bytes() == CONTENT
        assert len(site.requests) == 2
    monkeypatch.setattr(fetching, "ATTEMPTS", 1)
    with (
        serve(Site({"file": CONTENT}, stalls={"file": 10})) as site,
        pytest.raises(FetchError, match=r"/file: no connection, because no answer came in time$"),
    ):
        fetch(f"{site.url}/file", tmp_path / "other", SHA256)


def test_two_processes_at_once_both_end_with_the_right_file(tmp_path: Path) -> None:
    with serve(Site({"file": CONTENT}, slow=0.5, pace=0.01)) as site, ProcessPoolExecutor(2) as pool:
        arguments = (f"{site.url}/file", tmp_path / "new" / "file", SHA256)
        for done in [pool.submit(fetch, *arguments) for _ in range(2)]:
            assert done.result().read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]


def test_a_killed_download_leaves_nothing_that_is_taken_for_complete(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from emnist_lines.sources.fetching import fetch; "
    script += "fetch(sys.argv[1], Path(sys.argv[2]), None)"
    with serve(Site({"file": CONTENT}, pace=0.1)) as site:
        kept = tmp_path / "cache" / "file"
        process = subprocess.Popen([sys.executable, "-c", script, f"{site.url}/file", str(kept)])
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("cache/*")) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert list(tmp_path.glob("cache/*"))
        assert not kept.exists()
        site.pace = 0
        assert fetch(f"{site.url}/file", kept, None).read_bytes() == CONTENT


@pytest.mark.parametrize("codes", [[500], [503, 502], [429], [408]])
def test_passing_failures_are_tried_again(tmp_path: Path, codes: list[int]) -> None:
    with serve(Site({"file": CONTENT}, failures={"file": codes})) as site:
        assert fetch(f"{site.url}/file", tmp_path / "file", SHA256).read_bytes() == CONTENT


def test_the_pauses_between_requests_grow() -> None:
    retry = Session().get_adapter("https://example.org").max_retries  # type: ignore[attr-defined]
    waits = []
    while retry.total:
        retry = retry.increment("GET", "/", error=OSError())
        waits.append(retry.get_backoff_time() / fetching.BACK_OFF)
    assert waits == [0, 2, 4]


@pytest.mark.parametrize(
    ("path", "reason", "requests"),
    [
        ("missing", "HTTP 404 Not Found", 1),
        ("down", "HTTP 500 Internal Server Error", 4),
        ("page", f"its SHA-256 is not {SHA256}", 4),
        ("loop", "it redirects in a circle", 31),
    ],
)
def test_reasons_are_told(tmp_path: Path, path: str, reason: str, requests: int) -> None:
    with serve(Site({"page": b"<html>"}, failures={"down": [500] * 10})) as site:
        site.redirects["loop"] = f"{site.url}/loop"
        with pytest.raises(FetchError) as raised:
            fetch(f"{site.url}/{path}", tmp_path / path, SHA256)
        assert str(raised.value) == f"{site.url}/{path}: {reason}"
        assert len(site.requests) == requests
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("lengths", [True, False])
@pytest.mark.parametrize("bar", ["0", "1"])
def test_too_large_a_file_is_refused(tmp_path: Path, lengths: bool, bar: str) -> None:
    """In a process of its own, because tqdm reads its settings when it is imported."""
    script = "import sys; from pathlib import Path; from emnist_lines.sources import fetching; "
    script += "fetching.MAX_BYTES = 100_000; fetching.fetch(sys.argv[1], Path(sys.argv[2]), None)"
    with serve(Site({"file": CONTENT}, lengths=lengths)) as site:
        command = [sys.executable, "-c", script, f"{site.url}/file", str(tmp_path / "file")]
        environment = {**os.environ, "TQDM_DISABLE": bar}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.stderr.splitlines()[-1].endswith("/file: it has more than 100000 bytes")
        assert len(site.requests) == 1
    assert not list(tmp_path.iterdir())


def test_nobody_there_and_nobody_answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "TIMEOUT", (0.2, 0.2))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        with pytest.raises(FetchError, match=r"/file: the connection failed$"):
            fetch(address, tmp_path / "file", None)
        silent.listen()
        with pytest.raises(FetchError, match=r"/file: no connection, because no answer came in time$"):
            fetch(address, tmp_path / "file", None)


@pytest.mark.parametrize("address", ["http://", f"http://{'x' * 70}.org/file", "http://[/file"])
def test_an_address_that_is_none_is_a_reason(tmp_path: Path, address: str) -> None:
    with pytest.raises(FetchError):
        fetch(address, tmp_path / "file", None)


def test_a_cache_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file")
    with serve(Site({"file": CONTENT})) as site, pytest.raises(UserError, match="set EMNIST_LINES_CACHE"):
        fetch(f"{site.url}/file", tmp_path / "cache" / "file", SHA256)


def test_the_first_that_serves_wins_and_all_reasons_are_told() -> None:
    def fail(name: str) -> str:
        raise FetchError(f"{name}: closed")

    assert first_served("it", "file", [lambda: fail("a"), lambda: "from b", lambda: "from c"]) == "from b"
    with pytest.raises(UserError) as raised:
        first_served("it", "file", [lambda: fail("a"), lambda: fail("b")])
    assert str(raised.value) == (
        "it could not be fetched (a: closed; b: closed); set EMNIST_LINES_MIRROR to a folder or address that has file"
    )


@pytest.mark.parametrize(
    "mirror",
    [
        "{folder}",
        "{folder}/",
        "~/my mirror",
        "my mirror",
        "./my mirror/",
        "file://{folder}",
        "file:{folder}",
        "FILE://localhost{folder}",
        "file:///{quoted}",
        "file://~/my%20mirror",
    ],
)
def test_a_folder_may_be_written_in_many_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirror: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my mirror" / "nltk").mkdir(parents=True)
    (tmp_path / "my mirror" / "nltk" / "brown.zip").write_bytes(CONTENT)
    folder = str(tmp_path / "my mirror")
    address = located(mirror.format(folder=folder, quoted=quote(folder.lstrip("/"))), "nltk/brown.zip")
    assert address == f"{folder}/nltk/brown.zip"
    assert fetch(address, tmp_path / "cache", SHA256).read_bytes() == CONTENT


def test_a_mirror_on_the_web_may_end_in_a_slash(tmp_path: Path) -> None:
    with serve(Site({"mirror/nltk/brown.zip": CONTENT})) as site:
        for number, mirror in enumerate((f"{site.url}/mirror", f"{site.url.upper()}/mirror/")):
            address = located(mirror, "nltk/brown.zip")
            assert fetch(address, tmp_path / str(number), SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize("mirror", ["s3://bucket/mirror", "ftp://host/mirror", "~nobody-of-this-name/mirror"])
def test_a_mirror_that_cannot_be_read_is_one_sentence(mirror: str) -> None:
    with pytest.raises(UserError, match=rf"^EMNIST_LINES_MIRROR is '{mirror}' \(.*\); set it to a folder or an http"):
        located(mirror, "nltk/brown.zip")
