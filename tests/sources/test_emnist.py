"""The same characters give the same glyphs, however they were packed and whoever served them."""

import gzip
import hashlib
import io
import json
import socket
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import Glyphs, write_glyphs
from emnist_lines.sources import brown as corpus
from emnist_lines.sources import emnist
from tests.servers import Site, serve


def packed(folder: Path, glyphs: Glyphs, part: str, columns: int, per_file: int) -> Path:
    """`folder/emnist-byclass/…` with grids of tiles and their list."""
    inner = folder / "emnist-byclass"
    inner.mkdir(parents=True)
    names = []
    for start in range(0, len(glyphs.labels), per_file):
        tiles = glyphs.images[start : start + per_file]
        rows = -(-len(tiles) // columns)
        grid = np.zeros((rows * columns, 28, 28), dtype=np.uint8)
        grid[: len(tiles)] = tiles
        page = grid.reshape(rows, columns, 28, 28).swapaxes(1, 2).reshape(rows * 28, columns * 28)
        names.append(f"X_{part}_{start}.webp")
        Image.fromarray(page).convert("RGB").save(inner / names[-1], lossless=True)
    index = {"files": names, "id": glyphs.labels.tolist(), "mapping": [ord(c) for c in CLASSES]}
    (inner / f"{part}.json").write_text(json.dumps(index))
    return folder


def nist_zip(glyphs: Glyphs, part: str) -> bytes:
    """NIST's archive: IDX files, gzipped, their pictures transposed."""
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_DEFLATED) as archive:
        stem = f"gzip/emnist-byclass-{part}"
        count = len(glyphs.labels)
        images = b"\0\0\x08\x03" + np.array([count, 28, 28], ">u4").tobytes() + glyphs.images.swapaxes(1, 2).tobytes()
        labels = b"\0\0\x08\x01" + np.array([count], ">u4").tobytes() + glyphs.labels.tobytes()
        archive.writestr(f"{stem}-images-idx3-ubyte.gz", gzip.compress(images))
        archive.writestr(f"{stem}-labels-idx1-ubyte.gz", gzip.compress(labels))
        archive.writestr("gzip/emnist-letters-something-else.gz", np.random.default_rng(0).bytes(5_000_000))
    return stored.getvalue()


@dataclass
class Internet:
    """Where the public addresses point during a test."""

    site: Site
    cache: Path


@pytest.fixture
def internet(glyphs: Glyphs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(emnist, "COUNTS", {"train": len(glyphs.labels), "test": len(glyphs.labels)})
    monkeypatch.setattr(emnist, "FILE_SHA256", {})
    monkeypatch.setattr(emnist, "PART_SHA256", {})
    with serve(Site()) as site:
        monkeypatch.setattr(emnist, "PACKED", f"{site.url}/packed")
        monkeypatch.setattr(emnist, "NIST", f"{site.url}/gzip.zip")
        monkeypatch.setattr(corpus, "BROWN_URL", f"{site.url}/brown.zip")
        yield Internet(site, tmp_path / "cache")


def shuffled(glyphs: Glyphs) -> Glyphs:
    order = np.random.default_rng(1).permutation(len(glyphs.labels))
    return Glyphs(glyphs.images[order], glyphs.labels[order], "emnist", ("test",))


def test_every_way_gives_the_same_bytes(glyphs: Glyphs, internet: Internet, tmp_path: Path) -> None:
    one = packed(tmp_path / "one", glyphs, "test", columns=10, per_file=300)
    two = packed(tmp_path / "two", shuffled(glyphs), "test", columns=7, per_file=1000)
    found = [emnist.load(("test",), str(one), internet.cache), emnist.load(("test",), f"{two}/", internet.cache)]
    internet.site.files = {f"packed/{name}": content for name, content in Site.of_folder(two).files.items()}
    found.append(emnist.load(("test",), None, internet.cache))
    internet.site.files = {"gzip.zip": nist_zip(shuffled(glyphs), "test")}
    found.append(emnist.load(("test",), None, tmp_path / "empty"))
    contents = []
    for some in found:
        write_glyphs(some, tmp_path / "glyphs.h5")
        contents.append((tmp_path / "glyphs.h5").read_bytes())
    assert len(set(contents)) == 1
    assert np.array_equal(found[0].images, glyphs.images)


def test_of_nist_s_zip_only_the_members_needed_are_transferred(glyphs: Glyphs, internet: Internet) -> None:
    content = nist_zip(glyphs, "train")
    internet.site.files = {"gzip.zip": content}
    loaded = emnist.load(("train",), None, internet.cache)
    assert np.array_equal(loaded.images, glyphs.images)
    asked = [wanted for path, wanted in internet.site.requests if path == "gzip.zip" and wanted]
    assert asked
    ranges = [str(wanted).removeprefix("bytes=").split("-") for wanted in asked]
    assert sum(int(last) - int(first) + 1 for first, last in ranges) < len(content) / 2


def test_from_a_server_without_ranges_the_whole_zip_is_taken(glyphs: Glyphs, internet: Internet) -> None:
    internet.site.files = {"gzip.zip": nist_zip(glyphs, "test")}
    internet.site.ranges = False
    loaded = emnist.load(("test",), None, internet.cache)
    assert np.array_equal(loaded.images, glyphs.images)
    assert (internet.cache / "gzip.zip").stat().st_size == len(internet.site.files["gzip.zip"])


@pytest.mark.parametrize("ranges", [True, False])
def test_a_damaged_zip_is_an_address_that_failed(glyphs: Glyphs, internet: Internet, ranges: bool) -> None:
    content = bytearray(nist_zip(glyphs, "test"))
    content[1000:1100] = bytes(100)
    internet.site.files = {"gzip.zip": bytes(content)}
    internet.site.ranges = ranges
    with pytest.raises(UserError, match=r"/gzip.zip: wrong content \("):
        emnist.load(("test",), None, internet.cache)


def test_both_parts(glyphs: Glyphs, internet: Internet, tmp_path: Path) -> None:
    folder = packed(tmp_path / "test", glyphs, "test", 10, 300)
    packed(tmp_path / "train", shuffled(glyphs), "train", 10, 300)
    for path in (tmp_path / "train" / "emnist-byclass").iterdir():
        path.rename(folder / "emnist-byclass" / path.name)
    loaded = emnist.load(("train", "test"), str(folder), internet.cache)
    assert (loaded.counts() == 24).all()
    assert loaded.parts == ("train", "test")


def test_all_addresses_failing_is_one_sentence_with_the_ways_on(internet: Internet, tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        emnist.load(("test",), str(tmp_path / "nowhere"), internet.cache)
    message = str(raised.value)
    assert message == (
        "EMNIST's test part could not be fetched "
        f"({tmp_path}/nowhere/emnist-byclass/test.json: No such file or directory; "
        f"{tmp_path}/nowhere/gzip.zip: No such file or directory; "
        f"{internet.site.url}/packed/emnist-byclass/test.json: HTTP 404 Not Found; "
        f"{internet.site.url}/gzip.zip: HTTP 404 Not Found); set EMNIST_LINES_MIRROR to a folder or address "
        "that has emnist-byclass/test.json and the pictures that it lists, or NIST's gzip.zip"
    )
    with pytest.raises(UserError, match=r"/brown.zip: HTTP 404.*; set EMNIST_LINES_MIRROR to .* has nltk/brown.zip$"):
        corpus.fetch_brown(tmp_path / "brown.zip", None, internet.cache)
    assert not (tmp_path / "brown.zip").exists()


def test_brown_is_verified_and_put_in_place(
    internet: Internet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    internet.site.files = {"brown.zip": b"the right bytes"}
    monkeypatch.setattr(corpus, "BROWN_SHA256", hashlib.sha256(b"the right bytes").hexdigest())
    (tmp_path / "mirror" / "nltk").mkdir(parents=True)
    (tmp_path / "mirror" / "nltk" / "brown.zip").write_bytes(b"other bytes")
    corpus.fetch_brown(tmp_path / "data" / "brown.zip", str(tmp_path / "mirror"), internet.cache)
    assert (tmp_path / "data" / "brown.zip").read_bytes() == b"the right bytes"


@pytest.mark.parametrize("damage", ["count", "classes", "mapping", "picture", "list", "pinned", "missing class"])
def test_wrong_characters_are_never_taken(
    glyphs: Glyphs, internet: Internet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    folder = packed(tmp_path / "mirror", glyphs, "test", 10, 300)
    path = folder / "emnist-byclass" / "test.json"
    index = json.loads(path.read_text())
    if damage == "count":
        index["id"] = index["id"][:-1]
    elif damage == "classes":
        index["id"][0] = 62
    elif damage == "missing class":
        index["id"] = [max(label, 1) for label in index["id"]]
    elif damage == "mapping":
        index["mapping"].reverse()
    elif damage == "list":
        index = {"files": "../../secret"}
    elif damage == "picture":
        (folder / "emnist-byclass" / "X_test_300.webp").write_bytes(b"RIFF")
    else:
        monkeypatch.setattr(emnist, "PART_SHA256", {"test": "0" * 64})
    path.write_text(json.dumps(index))
    with pytest.raises(UserError, match="EMNIST's test part could not be fetched"):
        emnist.load(("test",), str(folder), internet.cache)


def test_what_unpacks_to_too_much_is_refused(
    glyphs: Glyphs, internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    internet.site.files = {"gzip.zip": nist_zip(glyphs, "test")}
    monkeypatch.setattr(emnist, "MAX_MEMBER", 100_000)
    with pytest.raises(UserError, match="unpacks to more than any of EMNIST's"):
        emnist.load(("test",), None, internet.cache)


@pytest.mark.parametrize("name", ["train.json", "X_train_300.webp"])
def test_a_page_instead_of_a_file_is_not_kept(glyphs: Glyphs, internet: Internet, tmp_path: Path, name: str) -> None:
    """No hash is pinned of the train part, so that only its content can tell."""
    folder = packed(tmp_path / "there", glyphs, "train", columns=10, per_file=300)
    right = {f"packed/{path}": content for path, content in Site.of_folder(folder).files.items()}
    internet.site.files = {**right, f"packed/emnist-byclass/{name}": b"<html>Sign in</html>"}
    with pytest.raises(UserError, match="EMNIST's train part could not be fetched"):
        emnist.load(("train",), None, internet.cache)
    internet.site.files = right
    assert np.array_equal(emnist.load(("train",), None, internet.cache).images, glyphs.images)


def test_a_list_of_files_that_are_not_served_is_not_kept(glyphs: Glyphs, internet: Internet, tmp_path: Path) -> None:
    """Another address may have the same part in files of other names."""
    folder = packed(tmp_path / "there", glyphs, "train", columns=10, per_file=300)
    right = {f"packed/{path}": content for path, content in Site.of_folder(folder).files.items()}
    wrong = right["packed/emnist-byclass/train.json"].replace(b"X_train", b"Y_train")
    internet.site.files = {**right, "packed/emnist-byclass/train.json": wrong}
    with pytest.raises(UserError, match=r"Y_train.*: HTTP 404"):
        emnist.load(("train",), None, internet.cache)
    internet.site.files = right
    assert np.array_equal(emnist.load(("train",), None, internet.cache).images, glyphs.images)


def test_a_page_instead_of_the_zip_is_not_kept(glyphs: Glyphs, internet: Internet) -> None:
    internet.site.ranges = False
    for content in (b"<html>Sign in</html>", nist_zip(glyphs, "train")[:-100]):
        internet.site.files = {"gzip.zip": content}
        with pytest.raises(UserError, match=r"/gzip.zip: wrong content \("):
            emnist.load(("train",), None, internet.cache)
    internet.site.files = {"gzip.zip": nist_zip(glyphs, "train")}
    assert np.array_equal(emnist.load(("train",), None, internet.cache).images, glyphs.images)


def test_a_connection_that_drops_within_the_zip_is_a_reason(glyphs: Glyphs, internet: Internet) -> None:
    internet.site.files = {"gzip.zip": nist_zip(glyphs, "test")}
    internet.site.cut = {"gzip.zip": 70_000}  # more than the table of contents, less than the images
    with pytest.raises(UserError, match=r"/gzip.zip: the connection failed"):
        emnist.load(("test",), None, internet.cache)
    assert not internet.site.cut


def test_the_zip_may_lie_elsewhere_and_its_server_may_be_busy(glyphs: Glyphs, internet: Internet) -> None:
    internet.site.files = {"moved.zip": nist_zip(glyphs, "test")}
    internet.site.redirects = {"gzip.zip": "/moved.zip"}
    internet.site.failures = {"moved.zip": [503, 429]}
    assert np.array_equal(emnist.load(("test",), None, internet.cache).images, glyphs.images)
    assert not (internet.cache / "gzip.zip").exists()


@pytest.mark.parametrize("web", [True, False])
def test_a_mirror_may_have_nist_s_zip(glyphs: Glyphs, internet: Internet, tmp_path: Path, web: bool) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "gzip.zip").write_bytes(nist_zip(glyphs, "train"))
    with serve(Site.of_folder(tmp_path / "mirror")) as site:
        loaded = emnist.load(("train",), site.url if web else str(tmp_path / "mirror"), internet.cache)
    assert np.array_equal(loaded.images, glyphs.images)
    assert not internet.site.requests
    with pytest.raises(UserError, match=r"/mirror/gzip.zip: wrong content \(.*no item named 'gzip/emnist-byclass-test"):
        emnist.load(("test",), str(tmp_path / "mirror"), internet.cache)
    assert (tmp_path / "mirror" / "gzip.zip").exists()  # only downloads are removed


def test_the_picture_that_a_mirror_lacks_is_named(glyphs: Glyphs, internet: Internet, tmp_path: Path) -> None:
    folder = packed(tmp_path / "mirror", glyphs, "test", columns=10, per_file=300)
    (folder / "emnist-byclass" / "X_test_300.webp").unlink()
    with pytest.raises(UserError, match=r"\(/.*/mirror/emnist-byclass/X_test_300.webp: No such file or directory; "):
        emnist.load(("test",), str(folder), internet.cache)


def test_without_a_name_server_the_reason_is_the_connection(
    internet: Internet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(emnist, "PACKED", "https://packed.invalid")
    monkeypatch.setattr(emnist, "NIST", "https://nist.invalid/gzip.zip")
    reason = "no connection, because the name of the host is unknown here"
    with pytest.raises(UserError) as raised:
        emnist.load(("test",), None, internet.cache)
    assert f"(https://packed.invalid/emnist-byclass/test.json: {reason}; " in str(raised.value)
    assert f"; https://nist.invalid/gzip.zip: {reason}); set EMNIST_LINES_MIRROR to " in str(raised.value)


def test_at_a_closed_port_the_reason_is_the_connection(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setattr(emnist, "NIST", f"{address}/gzip.zip")
        with pytest.raises(UserError) as raised:
            emnist.load(("test",), address, internet.cache)
    assert f"({address}/emnist-byclass/test.json: the connection failed; " in str(raised.value)
    assert str(raised.value).count(f"; {address}/gzip.zip: the connection failed") == 2
