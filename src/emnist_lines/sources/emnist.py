"""EMNIST by-class (Cohen et al. 2017, from NIST Special Database 19): where to fetch it and how to decode it."""

import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from remotezip import RangeNotSupported, RemoteZip, RemoteZipError
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import DAMAGED, one_line
from emnist_lines.common.glyphs import SIZE, Glyphs
from emnist_lines.sources.fetching import FetchError, Session, connection_problem, fetch, first_served, is_url, located

PACKED = "https://raw.githubusercontent.com/0r4nd/emnist-packed/0f121efc642634809af4f2f443b70152f71b9a51"
NIST = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
COUNTS = {"train": 697_932, "test": 116_323}
MAX_MEMBER = 1 << 30  # bytes; the largest member has 547 million

FILE_SHA256 = {
    "test.json": "b2d4f5349865e3e808b93c432df28358dea9a46b63e8da1bc9916726d89a56da",
    "X_test_0_to_16128.webp": "0e413f4196363ee451fa9589e64adc0c29edb3e3ec0ac8743e715ac0bfe00787",
    "X_test_16129_to_32257.webp": "99dec7b5cb928e057dfe3209687e69bac68a317b2f57390ac32cbcf845c65459",
    "X_test_32258_to_48386.webp": "c52a7f82ba45d288e1ac25b8bab69934691a38499cd8a932c44ca28f005bc246",
    "X_test_48387_to_64515.webp": "4887b7ea0c3af1c35b7882a571d9b6a18a78a4a14b4cafae57acb0befd81af01",
    "X_test_64516_to_80644.webp": "f1751a8de8c810eec3d063bd0bf783b2a527146caad14bac7dff334e1ec5461b",
    "X_test_80645_to_96773.webp": "77c13c0725cf7fd32d696f264e38c7e3ac43bc401bb884df6018e02112d5a072",
    "X_test_96774_to_112902.webp": "42c84e24fbe955643e1eb335a959060c78cca926c2b28e9ceff424ad81c93a95",
    "X_test_112903_to_116322.webp": "f653a84706346a63615839e32bfdc9d11d4855b5a5f864c5472722fc96b0e5e6",
}
PART_SHA256 = {"test": "f70002eedb4e70e4f80f6f3ac022b36279d88ef798e8381e26eabcb1eb626e9c"}
"""Of a part's images, then labels, in canonical order: the same from every source. None is pinned for train."""

Part = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""(N, 28, 28) uint8 images and (N,) uint8 labels."""


def load(parts: tuple[str, ...], mirror: str | None, cache: Path) -> Glyphs:
    """All characters of `parts`, each from the first address that serves it.

    Args:
        parts: train, test or both.
        mirror: a folder or base URL that is tried first, for packed tiles in `emnist-byclass/`, then for NIST's
            `gzip.zip`.
        cache: the folder that keeps downloads.

    Raises:
        UserError: no address serves a part.
    """
    loaded = [_load(part, mirror, cache) for part in parts]
    images, labels = (np.concatenate(arrays) for arrays in zip(*loaded, strict=True))
    return Glyphs.in_order(images, labels, "emnist", parts)


def _load(part: str, mirror: str | None, cache: Path) -> Part:
    tries = [partial(_packed, part, f"{PACKED}/emnist-byclass", cache), partial(_zipped, part, NIST, cache)]
    if mirror:
        packed, zipped = located(mirror, "emnist-byclass"), located(mirror, "gzip.zip")
        tries = [partial(_packed, part, packed, cache), partial(_zipped, part, zipped, cache), *tries]
    needed = f"emnist-byclass/{part}.json and the pictures that it lists, or NIST's gzip.zip"
    return first_served(f"EMNIST's {part} part", needed, tries)


def _checked(part: str, images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Part:
    """The part in canonical order.

    Raises:
        ValueError: it is not the part that NIST published.
    """
    if images.shape != (len(labels), SIZE, SIZE) or len(labels) != COUNTS[part]:
        raise ValueError(f"{len(labels)} characters, not {COUNTS[part]}")
    if labels.max() >= len(CLASSES) or (np.bincount(labels, minlength=len(CLASSES)) == 0).any():
        raise ValueError(f"its labels are not the {len(CLASSES)} classes")
    glyphs = Glyphs.in_order(images, labels, "emnist", (part,))
    found = hashlib.sha256(glyphs.images.tobytes() + glyphs.labels.tobytes()).hexdigest()
    if PART_SHA256.get(part) not in (None, found):
        raise ValueError(f"other characters than EMNIST's, with the SHA-256 {found}")
    return glyphs.images, glyphs.labels


def _packed(part: str, folder: str, cache: Path) -> Part:
    """A part from a folder, or its URL, of grids of tiles (`X_*.webp`) and their list (`test.json`)."""
    unpinned: list[Path] = []

    def fetched(name: str) -> Path:
        kept = cache / "emnist-byclass" / name
        if name not in FILE_SHA256:
            unpinned.append(kept)
        return fetch(f"{folder}/{name}", kept, FILE_SHA256.get(name))

    listed = fetched(f"{part}.json")
    with _reading(f"{folder}/{part}.json", unpinned):
        index = json.loads(listed.read_bytes())
        labels = np.array(index["id"], dtype=np.uint8)
        names = [Path(name).name for name in index["files"]]  # a list from outside names files, never folders
        if [chr(point) for point in index["mapping"]] != list(CLASSES):
            raise ValueError("its classes are not 0-9A-Za-z")
    with _reading(folder, unpinned):
        grids = [fetched(name) for name in names]
        return _checked(part, np.concatenate([_tiles(path) for path in grids])[: len(labels)], labels)


@contextmanager
def _reading(address: str, unpinned: Sequence[Path] = ()) -> Iterator[None]:
    """Turn the errors of a block that reads what `address` serves into a `FetchError`.

    Args:
        address: for the message.
        unpinned: downloads that no hash vouches for; they leave the cache when the block fails.

    Raises:
        FetchError: the files are not what they should be, or the connection broke off.
    """
    try:
        yield
    except FetchError:  # what such a download names is not served: another address may have other names
        _remove(unpinned)
        raise
    except (*DAMAGED, Image.DecompressionBombError, RemoteZipError, HTTPError) as error:
        if isinstance(error, RangeNotSupported):
            raise
        _remove(unpinned)
        if isinstance(error, HTTPError):
            raise FetchError(f"{address}: {connection_problem(error)}") from None
        raise FetchError(f"{address}: wrong content ({one_line(error)})") from None


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _tiles(path: Path) -> NDArray[np.uint8]:
    """(N, 28, 28) tiles of a picture, row by row."""
    with Image.open(path) as image:
        grid = np.asarray(image.convert("RGB"))[:, :, 0]
    rows, columns = grid.shape[0] // SIZE, grid.shape[1] // SIZE
    return grid.reshape(rows, SIZE, columns, SIZE).swapaxes(1, 2).reshape(-1, SIZE, SIZE)


def _zipped(part: str, address: str, cache: Path) -> Part:
    """A part from NIST's zip. Where the server allows it, only the two members of this part are transferred."""
    if is_url(address):
        with (
            suppress(RangeNotSupported),
            Session() as session,
            _reading(address),
            RemoteZip(address, session=session, support_suffix_range=False) as archive,
        ):
            return _checked(part, *_members(archive, part))
    kept = cache / "gzip.zip"
    path = fetch(address, kept, None)
    with _reading(address, [kept]), zipfile.ZipFile(path) as archive:
        return _checked(part, *_members(archive, part))


def _members(archive: zipfile.ZipFile, part: str) -> Part:
    stem = f"gzip/emnist-byclass-{part}"
    images = _idx(archive, f"{stem}-images-idx3-ubyte.gz")
    labels = _idx(archive, f"{stem}-labels-idx1-ubyte.gz")
    return np.ascontiguousarray(images.swapaxes(1, 2)), labels  # NIST's pictures are transposed


def _idx(archive: zipfile.ZipFile, name: str) -> NDArray[np.uint8]:
    """An array in LeCun's IDX format: two zeros, type 8 (uint8), dimensions, their sizes (big-endian), the bytes."""
    size = archive.getinfo(name).file_size
    bar = tqdm(desc=name.rpartition("/")[2], total=size, unit="B", unit_scale=True, unit_divisor=1024, disable=None)
    with archive.open(name) as packed, bar, gzip.open(packed) as file:
        content = io.BytesIO(b"".join(_bounded(file, lambda: bar.update(packed.tell() - bar.n))))
    zero, kind, dimensions = np.frombuffer(content.read(4), dtype=">u2, u1, u1")[0]
    if zero != 0 or kind != 8:
        raise ValueError(f"{name} is not an IDX file of bytes")
    shape = np.frombuffer(content.read(4 * int(dimensions)), dtype=">u4").astype(int)
    return np.frombuffer(content.read(), dtype=np.uint8).reshape(shape)


def _bounded(file: gzip.GzipFile, each: Callable[[], object]) -> Iterator[bytes]:
    total = 0
    while chunk := file.read(1 << 20):
        total += len(chunk)
        if total > MAX_MEMBER:
            raise ValueError("a member unpacks to more than any of EMNIST's")
        each()
        yield chunk
