"""Documents become words with glyphs only."""

import zipfile
from pathlib import Path

import pytest

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import FileError
from emnist_lines.sources import brown
from emnist_lines.synthesis.documents import Document, read_documents

BROWN = {
    "brown/README": "read/me this/too",
    "brown/ca01": "\n\n\tThe/at Fulton/np-tl jury's/nn ``/`` over-all/jj 1/2/cd charge/nn ''/'' ./.\n",
    "brown/cb02": "Second/od document/nn",
    "brown/cr09": "--/-- Third/od ,/, one/cd",
    "brown/cd01": "./. ,/,",
}


def archive(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_brown_s_tags_and_punctuation_go(tmp_path: Path) -> None:
    documents = read_documents(archive(tmp_path / "brown.zip", BROWN))
    assert documents == [
        ["The", "Fulton", "jurys", "overall", "12", "charge"],
        ["Second", "document"],
        ["Third", "one"],
    ]


def test_the_built_in_sentences(documents: list[Document]) -> None:
    words = [word for document in documents for word in document]
    assert set("".join(words)) == set(CLASSES)
    assert len(documents) >= 20
    assert len({word.lower() for word in words}) > 1400


def test_the_built_in_corpus_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    brown.write_builtin(tmp_path / "one.zip")
    brown.write_builtin(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_three_documents_are_enough_and_two_are_not(tmp_path: Path) -> None:
    assert len(read_documents(archive(tmp_path / "three.zip", BROWN))) == 3
    path = archive(tmp_path / "two.zip", {name: BROWN[name] for name in ("brown/ca01", "brown/cb02")})
    with pytest.raises(FileError, match="holds 2 documents, too few for three splits") as raised:
        read_documents(path)
    assert raised.value.path == path


def test_documents_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    plain = {f"plain/{name}.txt": f"text {name}" for name in ("002", "000", "001")}
    documents = read_documents(archive(tmp_path / "plain.zip", plain))
    assert documents == [["text", "000"], ["text", "001"], ["text", "002"]]


@pytest.mark.parametrize("content", [b"", b"PK no zip"])
def test_a_damaged_corpus_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "brown.zip"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"brown\.zip holds no documents \(.+\)$") as raised:
        read_documents(path)
    assert raised.value.path == path
