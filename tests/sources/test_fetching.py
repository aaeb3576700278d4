"""A fetched file has the right bytes, or there is a reason why not."""

import hashlib
import socket
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from emnist_lines.sources import fetching
from emnist_lines.sources.fetching import FetchError, fetch, first_served
from tests.servers import Site, serve

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "BACK_OFF", 0.01)


def test_a_path_is_served_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    assert fetch(str(tmp_path / "file"), tmp_path / "cache", SHA256) == tmp_path / "file"
    with pytest.raises(FetchError, match="no such file"):
        fetch(str(tmp_path / "other"), tmp_path / "cache", SHA256)
    with pytest.raises(FetchError, match="its SHA-256 is"):
        fetch(str(tmp_path / "file"), tmp_path / "cache", "0" * 64)
    assert (tmp_path / "file").exists()


def test_a_download_is_kept_and_not_repeated(tmp_path: Path) -> None:
    with serve(Site({"file": CONTENT})) as site:
        for _ in range(2):
            path = fetch(f"{site.url}/file", tmp_path / "deep" / "file", SHA256)
            assert path.read_bytes() == CONTENT
        assert len(site.requests) == 1
    assert [found.name for found in (tmp_path / "deep").iterdir() if not found.name.startswith(".")] == ["file"]


def test_a_broken_copy_is_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"half")
    with serve(Site({"file": CONTENT})) as site:
        assert fetch(f"{site.url}/file", tmp_path / "file", SHA256).read_bytes() == CONTENT


def test_a_dropped_connection_is_resumed(tmp_path: Path) -> None:
    with serve(Site({"file": CONTENT}, cut={"file": 100_000})) as site:
        assert fetch(f"{site.url}/file", tmp_path / "file", SHA256).read_bytes() == CONTENT
        assert site.requests[0] == ("file", None)
        start = int(str(site.requests[1][1]).removeprefix("bytes=").rstrip("-"))
        assert 0 < start <= 100_000


def test_without_range_support_it_starts_over(tmp_path: Path) -> None:
    with serve(Site({"file": CONTENT}, cut={"file": 100_000}, ranges=False)) as site:
        assert fetch(f"{site.url}/file", tmp_path / "file", SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize("ranges", [True, False])
def test_without_an_announced_length_the_hash_tells_what_is_missing(tmp_path: Path, ranges: bool) -> None:
    with serve(Site({"file": CONTENT}, cut={"file": 100_000}, ranges=ranges, lengths=False)) as site:
        assert fetch(f"{site.url}/file", tmp_path / "file", SHA256).read_bytes() == CONTENT
        assert len(site.requests) == 2


def test_a_body_that_stalls_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "TIMEOUT", (5, 0.3))
    with serve(Site({"file": CONTENT}, stalls={"file": 200_000})) as site:
        assert fetch(f"{site.url}/file", tmp_path / "file", SHA256).read_bytes() == CONTENT
        assert site.requests[1] == ("file", f"bytes={200_000 // fetching.CHUNK * fetching.CHUNK}-")
    monkeypatch.setattr(fetching, "ATTEMPTS", 1)
    with (
        serve(Site({"file": CONTENT}, stalls={"file": 10})) as site,
        pytest.raises(FetchError, match=r"^no byte for 0.3 s"),
    ):
        fetch(f"{site.url}/file", tmp_path / "other", SHA256)


def test_two_processes_fetch_a_file_once(tmp_path: Path) -> None:
    with serve(Site({"file": CONTENT}, slow=0.5)) as site, ProcessPoolExecutor(2) as pool:
        arguments = (f"{site.url}/file", tmp_path / "file", SHA256)
        for done in [pool.submit(fetch, *arguments) for _ in range(2)]:
            assert done.result().read_bytes() == CONTENT
        assert len(site.requests) == 1


def test_an_unfinished_file_that_is_too_long_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "file.unfinished").write_bytes(CONTENT + b"more")
    with serve(Site({"file": CONTENT})) as site:
        assert fetch(f"{site.url}/file", tmp_path / "file", SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize("codes", [[500], [503, 502], [429]])
def test_passing_failures_are_tried_again(tmp_path: Path, codes: list[int]) -> None:
    with serve(Site({"file": CONTENT}, failures={"file": codes})) as site:
        assert fetch(f"{site.url}/file", tmp_path / "file", SHA256).read_bytes() == CONTENT


def test_reasons_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site({"html": b"<html>"}, failures={"down": [500] * 10})
    with serve(site):
        site.redirects["loop"] = f"{site.url}/loop"
        for path, reason in {
            "missing": "^HTTP 404 Not Found$",
            "down": r"^HTTP 500 Internal Server Error \(tried 4 times\)$",
            "html": r"^its SHA-256 is \w{12}…, not \w{12}… \(tried 4 times\)$",
            "loop": "^it redirects in a circle",
        }.items():
            with pytest.raises(FetchError, match=reason):
                fetch(f"{site.url}/{path}", tmp_path / path, SHA256)
            assert not (tmp_path / path).exists()
        monkeypatch.setattr(fetching, "MAX_BYTES", 3)
        with pytest.raises(FetchError, match="6 bytes announced"):
            fetch(f"{site.url}/html", tmp_path / "html", SHA256)


def test_nobody_there_and_nobody_answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "TIMEOUT", (0.2, 0.2))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        with pytest.raises(FetchError, match="the connection failed"):
            fetch(address, tmp_path / "file", None)
        silent.listen()
        with pytest.raises(FetchError, match=r"no byte for 0.2 s"):
            fetch(address, tmp_path / "file", None)


def test_the_first_that_serves_wins_and_all_reasons_are_told() -> None:
    def fail() -> str:
        raise FetchError("closed")

    assert first_served("it", [("a", fail), ("b", lambda: "from b"), ("c", lambda: "from c")]) == "from b"
    with pytest.raises(FetchError, match=r"^a: closed; b: closed$"):
        first_served("it", [("a", fail), ("b", fail)])
