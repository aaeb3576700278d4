"""Fetch files from folders and web addresses, each in turn. Pooch keeps the downloads and checks their hashes."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import pooch
import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from emnist_lines.common.errors import NO_ROOM, UserError, one_line
from emnist_lines.common.files import sha256

TIMEOUT = (10, 30)  # seconds to connect, seconds without a byte
ATTEMPTS = 4
BACK_OFF = 1.0  # seconds; the pauses before another request are 0, 2 and 4 times as long (pooch's own: 1, 2, 3 s)
PASSING = (408, 429, *range(500, 600))  # HTTP statuses that another attempt may not meet
PROBLEMS = {
    "Failed to resolve": "no connection, because the name of the host is unknown here",
    "timed out": "no connection, because no answer came in time",
    "CERTIFICATE_VERIFY_FAILED": "no secure connection, because the certificate of the host is not trusted here",
    "Exceeded": "it redirects in a circle",
    "Invalid URL": "it is not a valid address",
}
"""What is wrong, by words in the error of `requests`: one class of it stands for several problems."""
CHUNK = 1 << 16
MAX_BYTES = 2 << 30  # no file of ours is larger

T = TypeVar("T")


class FetchError(Exception):
    """An address, and why it could not serve a file."""


class Session(requests.Session):
    """Requests that return an answer with content or raise a `FetchError`; failures that may pass are tried again."""

    def __init__(self) -> None:
        super().__init__()
        retry = Retry(
            ATTEMPTS - 1, backoff_factor=BACK_OFF, status_forcelist=PASSING, raise_on_status=False, retry_after_max=60
        )
        for scheme in ("http://", "https://"):
            self.mount(scheme, HTTPAdapter(max_retries=retry))
        self.headers["Accept-Encoding"] = "identity"  # sizes and ranges count the bytes of the file

    def request(self, method: Any, url: Any, *arguments: Any, **options: Any) -> requests.Response:
        options.update(timeout=TIMEOUT, allow_redirects=True)  # which `head` would switch off
        try:
            response = super().request(method, url, *arguments, **options)
        except (requests.RequestException, HTTPError) as error:
            raise FetchError(f"{url}: {connection_problem(error)}") from None
        if not response.ok:
            raise FetchError(f"{url}: HTTP {response.status_code} {response.reason}")
        return response


def is_url(address: str) -> bool:
    """Whether an address is an http(s) URL."""
    return address.lower().startswith(("http://", "https://"))


def located(mirror: str, name: str) -> str:
    """The address of a file in a mirror.

    Args:
        mirror: a folder (`~` and relative ones too), a `file:` URL, or the http(s) URL above `name`.
        name: the path of the file in the mirror.

    Returns:
        An absolute path or an http(s) URL.

    Raises:
        UserError: the mirror is something else.
    """
    if is_url(mirror):
        return f"{mirror.rstrip('/')}/{name}"
    folder = mirror
    if mirror.lower().startswith("file:"):
        folder = unquote(mirror[len("file:") :]).removeprefix("//").removeprefix("localhost")
    try:
        if "://" in folder:
            raise RuntimeError("only folders, file: and http(s) addresses can be read")
        return str(Path(folder).expanduser().absolute() / name)
    except RuntimeError as error:  # also from `expanduser`, about an unknown user
        raise UserError(
            f"EMNIST_LINES_MIRROR is {mirror!r} ({error}); set it to a folder or an http(s) address"
        ) from None


def fetch(address: str, kept: Path, expected_sha256: str | None) -> Path:
    """The path of a complete, verified copy of a file.

    A download goes to a temporary file beside `kept` and is renamed when its hash is right, so that a process that is
    killed, or a second one that fetches the same file, does no harm.

    Args:
        address: a path, whose file stays where it is, or an http(s) URL.
        kept: where a download is kept. A right file that is already there is used; a wrong one is fetched again.
        expected_sha256: of the file, in hexadecimal, or None for a file without a pinned hash.

    Raises:
        FetchError: the address does not serve the right file.
        UserError: the folder of `kept` cannot be used.
    """
    if not is_url(address):
        return _verified(Path(address), expected_sha256)
    files = pooch.create(
        kept.parent, "", registry={kept.name: expected_sha256}, urls={kept.name: address}, retry_if_failed=ATTEMPTS - 1
    )
    try:
        return Path(files.fetch(kept.name, downloader=_download))
    except requests.RequestException as error:
        raise FetchError(f"{address}: {connection_problem(error)}") from None
    except ValueError:  # from pooch, about the hash
        raise FetchError(f"{address}: its SHA-256 is not {expected_sha256}") from None
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise UserError(
            f"downloads cannot be kept in {kept.parent} ({one_line(error)}); set EMNIST_LINES_CACHE to another folder"
        ) from None


def _verified(path: Path, expected_sha256: str | None) -> Path:
    try:
        found = sha256(path)
    except OSError as error:
        raise FetchError(f"{path}: {error.strerror}") from None
    if expected_sha256 not in (None, found):
        raise FetchError(f"{path}: its SHA-256 is not {expected_sha256}")
    return path


def _download(url: str, output_file: str, _: pooch.Pooch) -> None:
    """Pooch's downloader: all bytes of an answer, up to `MAX_BYTES`.

    Raises:
        FetchError: the address does not serve the file; pooch does not try again.
        requests.RequestException: the connection broke off; pooch tries again.
    """
    with Session() as session, session.get(url, stream=True) as response, Path(output_file).open("wb") as file:
        name, received, announced = url.rpartition("/")[2], 0, response.raw.length_remaining
        with tqdm(desc=name, total=announced, unit="B", unit_scale=True, unit_divisor=1024, disable=None) as bar:
            for chunk in response.iter_content(CHUNK):
                received += len(chunk)
                if max(received, announced or 0) > MAX_BYTES:
                    raise FetchError(f"{url}: it has more than {MAX_BYTES} bytes")
                file.write(chunk)
                bar.update(len(chunk))
    Path(output_file).chmod(0o644)  # pooch's temporary files are private, but people may share a cache


def connection_problem(error: Exception) -> str:
    """Why a request failed, in words for people who do not know `requests` and `urllib3`."""
    return next((words for mark, words in PROBLEMS.items() if mark in str(error)), "the connection failed")


def first_served(what: str, needed: str, tries: Iterable[Callable[[], T]]) -> T:
    """The result of the first call in `tries` that raises no `FetchError`.

    Args:
        what: what is fetched, for messages.
        needed: the files that a mirror must have for it.
        tries: calls in order of preference.

    Raises:
        UserError: all failed; it names each address with its reason.
    """
    failures = []
    for attempt in tries:
        try:
            return attempt()
        except FetchError as error:
            failures.append(str(error))
            tqdm.write(f"{what}: not from {error}")
    raise UserError(
        f"{what} could not be fetched ({'; '.join(failures)}); "
        f"set EMNIST_LINES_MIRROR to a folder or address that has {needed}"
    )
