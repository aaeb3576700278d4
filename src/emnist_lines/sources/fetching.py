"""Fetching files from folders and web addresses: tried in order, resumed, verified, moved into place when whole."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import requests
from filelock import FileLock
from tqdm import tqdm

from emnist_lines.common.files import sha256, whole

TIMEOUT = (10, 30)  # seconds to connect, seconds without a byte
ATTEMPTS = 4
BACK_OFF = 1.0  # seconds before the second attempt; doubled for each further one
CHUNK = 1 << 16
MAX_BYTES = 2 << 30

T = TypeVar("T")


class FetchError(Exception):
    """Why one address could not serve a file."""


class Refused(FetchError):
    """An answer that trying again will not change."""


def fetch(address: str, cache: Path, expected_sha256: str | None) -> Path:
    """A local, verified copy of what stands at `address`. Of several processes that want it, one fetches it.

    Args:
        address: a path (served where it lies) or an http(s) URL (kept under `cache`).
        cache: where a download is kept; what an earlier try left unfinished there is resumed.
        expected_sha256: of the whole file, or None when nobody pinned one.

    Raises:
        FetchError: the address does not serve the right bytes.
    """
    if not address.startswith(("http://", "https://")):
        path = Path(address)
        if not path.is_file():
            raise FetchError("no such file")
        _verify(path, expected_sha256)
        return path
    cache.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(cache.with_name(f".{cache.name}.lock")):
        return _kept(address, cache, expected_sha256)


def _kept(address: str, cache: Path, expected_sha256: str | None) -> Path:
    if cache.is_file():
        try:
            _verify(cache, expected_sha256)
            return cache
        except FetchError:
            cache.unlink()
    unfinished = cache.with_name(cache.name + ".unfinished")
    last: Exception | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(BACK_OFF * 2 ** (attempt - 1))
        try:
            _download(address, unfinished)
            _verify(unfinished, expected_sha256)
            unfinished.replace(cache)
            return cache
        except Refused:
            raise
        except (requests.RequestException, FetchError) as error:
            last = error
    raise FetchError(f"{_reason(last)} (tried {ATTEMPTS} times)")


def _download(address: str, unfinished: Path) -> None:
    """Append to `unfinished` what it lacks; afterwards it has all the bytes that the server announced."""
    have = unfinished.stat().st_size if unfinished.exists() else 0
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with requests.get(address, stream=True, timeout=TIMEOUT, headers=headers) as response:
        if response.status_code == 416:  # nothing after what we have: whole, or of another file
            return
        if 400 <= response.status_code < 500 and response.status_code not in (408, 429):
            raise Refused(f"HTTP {response.status_code} {response.reason}")
        response.raise_for_status()
        resumed = have > 0 and response.status_code == 206
        length = response.headers.get("Content-Length")
        total = None if length is None else int(length) + (have if resumed else 0)
        if total is not None and total > MAX_BYTES:
            raise Refused(f"{total} bytes announced, more than any file of ours")
        with (
            unfinished.open("ab" if resumed else "wb") as file,
            tqdm(
                desc=address.rsplit("/", 1)[-1],
                total=total,
                initial=have if resumed else 0,
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
            ) as bar,
        ):
            for chunk in response.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
                if bar.n > MAX_BYTES:
                    raise Refused("it sends more bytes than any file of ours has")
            if total is not None and bar.n != total:
                raise FetchError(f"the connection ended after {bar.n} of {total} bytes")


def _verify(path: Path, expected: str | None) -> None:
    if expected is not None and (found := sha256(path)) != expected:
        if path.name.endswith(".unfinished"):
            path.unlink()  # never resume wrong bytes
        raise FetchError(f"its SHA-256 is {found[:12]}…, not {expected[:12]}…")


def _reason(error: Exception | None) -> str:
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {TIMEOUT[0]} s"
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):  # the latter in the middle of a body
        return f"no byte for {TIMEOUT[1]} s"
    if isinstance(error, requests.TooManyRedirects):
        return "it redirects in a circle"
    if isinstance(error, requests.HTTPError):
        return f"HTTP {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.ConnectionError):
        return "the connection failed"
    return str(error)


def first_served(what: str, tries: Iterable[tuple[str, Callable[[], T]]]) -> T:
    """The result of the first of `tries` (address, call) that raises no `FetchError`.

    Raises:
        FetchError: all failed; it names each address with its reason.
    """
    failures = []
    for address, call in tries:
        try:
            return call()
        except FetchError as error:
            failures.append(f"{address}: {error}")
            tqdm.write(f"{what}: not from {address} ({error})")
    raise FetchError("; ".join(failures))


def copy(source: Path, destination: Path) -> None:
    """Copy a file so that `destination` is either whole or as it was."""
    with whole(destination) as part:
        part.write_bytes(source.read_bytes())
