"""Train lines in several files are the lines that one file would hold."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.parameters import Params

from emnist_lines.common.errors import FileError
from emnist_lines.common.files import sha256
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.lines import line_file
from emnist_lines.lines.bucket_sampler import MicroBatch
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.synthesis.documents import Document


@pytest.fixture(scope="module")
def both(
    glyphs: Glyphs, documents: list[Document], small: Params, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """1,200 lines in one file, and in three."""
    found = []
    for name, most, processes in (("one", None, 1), ("three", 500, 2)):
        path = tmp_path_factory.mktemp(name) / "lines.h5"
        values = small.synthesize.replace(num_train=1200, lines_per_file=most)
        statistics = synthesis.synthesize(glyphs, documents, values, path, processes)
        assert statistics["train"]["lines"] == 1200
        found.append(path)
    return found[0], found[1]


def test_the_same_lines_in_as_many_files(both: tuple[Path, Path]) -> None:
    one, three = both
    assert [path.name for path in line_file.files(one)] == ["lines.h5"]
    assert [path.name for path in line_file.folder(one).iterdir()] == ["README"]
    assert [path.name for path in line_file.files(three)] == ["lines.h5", "train-00001.h5", "train-00002.h5"]
    whole, parted = (LinesDataset(path, "train", step=8) for path in both)
    assert [len(line_file.read_lines(path, "train").texts) for path in line_file.files(three)] == [500, 500, 200]
    assert whole.texts == parted.texts
    assert np.array_equal(whole.tokens, parted.tokens)
    assert np.array_equal(whole.widths, parted.widths)
    assert all(np.array_equal(whole.image(index), parted.image(index)) for index in range(1200))
    across = [0, 499, 500, 999, 1000, 1199]
    batches = [dataset[MicroBatch(across, across)] for dataset in (whole, parted)]
    assert all(np.array_equal(a, b) for a, b in zip(*batches, strict=True))
    val = [LinesDataset(path, "val", step=8) for path in both]
    assert val[0].texts == val[1].texts


def test_the_hash_is_of_all_files(both: tuple[Path, Path]) -> None:
    one, three = both
    assert line_file.sha256_of_all(one) == sha256(one)
    before = line_file.sha256_of_all(three)
    last = line_file.shard(three, 2)
    content = last.read_bytes()
    last.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert line_file.sha256_of_all(three) != before
    last.write_bytes(content)


def test_a_missing_or_damaged_file_is_one_sentence(both: tuple[Path, Path]) -> None:
    """That names the file itself, not the first one."""
    _, three = both
    last = line_file.shard(three, 2)
    content = last.read_bytes()
    try:
        for spoilt in (content[: len(content) // 2], b"", b"no HDF5"):
            last.write_bytes(spoilt)
            told = r"train-00002\.h5 holds (no train lines|lines of another format)"
            with pytest.raises(FileError, match=told) as raised:
                LinesDataset(three, "train", step=8)
            assert raised.value.path == last
        last.unlink()
        for read in (lambda path: LinesDataset(path, "train", step=8), line_file.sha256_of_all):
            with pytest.raises(FileError, match=r"train-00002\.h5 is missing$") as raised:
                read(three)
            assert raised.value.path == last
        assert len(LinesDataset(three, "val", step=8)) == 24  # has no part of them
    finally:
        last.write_bytes(content)


def test_files_of_an_earlier_run_do_not_stay(
    both: tuple[Path, Path], glyphs: Glyphs, documents: list[Document], small: Params, tmp_path: Path
) -> None:
    values = small.synthesize.replace(num_train=1000, lines_per_file=500)
    path = tmp_path / "lines.h5"
    stale = line_file.shard(path, 9)
    stale.parent.mkdir()
    stale.write_bytes(b"of an earlier run")
    synthesis.synthesize(glyphs, documents, values, path)
    assert sorted(file.name for file in line_file.folder(path).iterdir()) == ["README", "train-00001.h5"]
