"""The train documents, as synthesis leaves them, and nothing else, are what is counted."""

from pathlib import Path

import pytest
from benchmarks.parameters import Params

from emnist_lines.common.errors import FileError
from emnist_lines.language.documents import read_documents
from emnist_lines.synthesis.documents import Document
from emnist_lines.synthesis.synthesize import TRAIN_DOCUMENTS, split_text


def test_nothing_of_val_and_test_reaches_the_counts(lines: Path, documents: list[Document], small: Params) -> None:
    counted = read_documents(lines / TRAIN_DOCUMENTS)
    split = split_text(documents, small.synthesize)
    assert counted == split["train"]
    assert len(counted) + len(split["val"]) + len(split["test"]) == len(documents)
    for name in ("val", "test"):
        assert split[name]
        assert not {" ".join(words) for words in split[name]} & {" ".join(words) for words in counted}


@pytest.mark.parametrize("content", [b"", b"\n \n", b"with-punctuation and more", b"caf\xc3\xa9", b"tab\tbed"])
def test_other_files_are_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train_documents.txt"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"train_documents\.txt holds no documents") as raised:
        read_documents(path)
    assert raised.value.path == path
