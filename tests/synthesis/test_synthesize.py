"""Lines share nothing between splits, and are the same bytes each time and everywhere."""

import hashlib
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
from benchmarks.parameters import Params

from emnist_lines.common.alphabet import CLASSES, SYMBOLS
from emnist_lines.common.files import sha256
from emnist_lines.common.glyphs import Glyphs, read_glyphs
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.synthesis.config import SplitFractions, SynthesizeConfig, VariationConfig
from emnist_lines.synthesis.documents import Document, read_documents
from emnist_lines.synthesis.splits import SPLITS
from emnist_lines.synthesis.statistics import statistics
from tests.conftest import REAL, ROOT, needs_real
from tests.synthesis.helpers import fingerprints, one_pixel_each, some


def whole_numbers(count: int = 8) -> Glyphs:
    """Glyphs made of whole numbers alone, so that every machine has the same: ink in the middle, paper around."""
    number, row, column = np.ogrid[: 62 * count, :28, :28]
    ink = (37 * number + 11 * row**2 + 5 * column * (number % 7 + 1) + 3 * row * column) % 256
    ink[(ink < 100) | (np.abs(2 * row - 27) > 20) | (np.abs(2 * column - 27) > 20)] = 0
    return Glyphs.in_order(ink.astype(np.uint8), np.repeat(np.arange(62, dtype=np.uint8), count), "emnist", ("test",))


def some_documents() -> list[Document]:
    """Twenty documents with all characters."""
    letters = CLASSES * 20
    return [[letters[7 * d + 5 * w : 7 * d + 5 * w + 1 + (d + w) % 6] for w in range(40)] for d in range(20)]


def test_splits_share_no_glyph_and_no_document(documents: list[Document], small: Params) -> None:
    makers = synthesis.composers(one_pixel_each(), documents, small.synthesize)
    inks = {name: fingerprints(maker.ink[:-1]) for name, maker in makers.items()}
    assert len(set.union(*inks.values())) == sum(map(len, inks.values())) == 744
    for maker in makers.values():
        assert (maker.counts[:62] > 0).all()
    corpora = ["".join(chr(c + 32) for c in maker.sampler.classes) for maker in makers.values()]
    for document in documents:
        found = [" ".join(document) in corpus for corpus in map(readable, corpora)]
        assert sum(found) == 1


def test_only_the_train_glyphs_vary(glyphs: Glyphs, documents: list[Document], small: Params) -> None:
    config = small.synthesize.replace(max_overlap=0.0)
    for name, composer in synthesis.composers(glyphs, documents, config).items():
        block = some(composer, 40)
        cells = block.images.reshape(40, 28, 10, 28).swapaxes(1, 2)
        written = np.arange(10) < np.char.str_len(block.texts)[:, None]
        spaces = np.array([[c == " " for c in line.decode().ljust(10)] for line in block.texts])
        assert spaces[written].any()
        assert not cells[spaces].any()
        inked = cells[written & ~spaces]
        known = fingerprints(composer.ink.reshape(-1, 28, 28).swapaxes(1, 2))
        share = np.mean([cell.tobytes() in known for cell in inked])
        assert share < 0.1 if name == "train" else share == 1
        assert inked.any(axis=(1, 2)).all()


def test_what_the_lab_shared_between_splits(documents: list[Document], small: Params) -> None:
    apart = synthesis.composers(one_pixel_each(), documents, small.synthesize)
    shared = synthesis.composers(one_pixel_each(), documents, small.synthesize.replace(shared_as_in_lab=True))
    inks = {name: fingerprints(maker.ink[:-1]) for name, maker in apart.items()}
    both = inks["train"] | inks["val"]
    assert fingerprints(shared["train"].ink[:-1]) == fingerprints(shared["val"].ink[:-1]) == both
    assert fingerprints(shared["test"].ink[:-1]) == inks["test"]
    characters = [len(maker.sampler.classes) for maker in shared.values()]
    assert len(set(characters)) == 1
    assert characters[0] > max(len(maker.sampler.classes) for maker in apart.values())


def readable(classes: str) -> str:
    letters = CLASSES + " "
    return "".join(letters[ord(c) - 32] for c in classes)


def test_more_lines_begin_with_the_same_lines(
    glyphs: Glyphs, documents: list[Document], small: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "BLOCK", 8)
    for count in (16, 30):
        config = small.synthesize.replace(num_train=count)
        synthesis.synthesize(glyphs, documents, config, tmp_path / f"{count}.h5")
    with h5py.File(tmp_path / "16.h5") as few, h5py.File(tmp_path / "30.h5") as many:
        assert np.array_equal(few["train/images"], many["train/images"][:16])
        assert np.array_equal(few["test/images"], many["test/images"])
        assert len(set(many["train/texts"][:])) > 15


def test_the_file_and_its_statistics(lines: Path, small: Params, glyphs: Glyphs, documents: list[Document]) -> None:
    found = synthesis.synthesize(glyphs, documents, small.synthesize, lines.with_name("again.h5"))
    assert lines.with_name("again.h5").read_bytes() == lines.read_bytes()
    assert found["source"] == "drawn"
    with h5py.File(lines) as file:
        assert file.attrs["source"] == "drawn"
        assert json.loads(file.attrs["alphabet"]) == list(SYMBOLS)
        assert SynthesizeConfig(**json.loads(file.attrs["params"])) == small.synthesize
        for split, count in (("train", 96), ("val", 24), ("test", 24)):
            group = file[split]
            assert group["images"].shape == (count, 28, 280)
            assert group["tokens"].shape == (count, 10)
            assert {group[name].dtype.str for name in ("images", "tokens")} == {"|u1"}
            assert group["texts"].shape == group["widths"].shape == group["overlaps"].shape == (count,)
            assert found[split] == statistics(group["texts"][:], group["overlaps"][:], group["widths"][:])
            assert found[split]["lines"] == count


RUN = """
import sys
from pathlib import Path
from emnist_lines.common import config
from emnist_lines.common.glyphs import read_glyphs, write_glyphs
from emnist_lines.sources import brown, drawn
from emnist_lines.synthesis.config import SplitFractions, SynthesizeConfig, VariationConfig
from emnist_lines.synthesis.documents import read_documents
from emnist_lines.synthesis.synthesize import synthesize
root, out = map(Path, sys.argv[1:])
values = config.load(root / "params.yaml", synthesize=SynthesizeConfig)
write_glyphs(drawn.render_glyphs(4, 3), out / "glyphs.h5")
brown.write_builtin(out / "brown.zip")
glyphs, documents = read_glyphs(out / "glyphs.h5"), read_documents(out / "brown.zip")
synthesize(glyphs, documents, values.replace(num_train=520, num_val=8, num_test=8), out / "lines.h5")
"""


def test_the_number_of_processes_does_not_matter(
    glyphs: Glyphs,
    documents: list[Document],
    small: Params,
    lines: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(synthesis, "BLOCK", 7)
    for processes in (1, 3):
        synthesis.synthesize(glyphs, documents, small.synthesize, tmp_path / str(processes), processes)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "3").read_bytes() != lines.read_bytes()


def test_two_fresh_processes_write_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for number, hash_seed in enumerate("17"):
        out = tmp_path / str(number)
        out.mkdir()
        environment = {"PYTHONHASHSEED": hash_seed, "TZ": f"UTC+{number}", "PATH": "/usr/bin:/bin"}
        subprocess.run([sys.executable, "-c", RUN, str(ROOT), str(out)], check=True, env=environment)
        found.append([sha256(out / name) for name in ("glyphs.h5", "brown.zip", "lines.h5")])
    assert found[0] == found[1]


def test_memory_does_not_grow_with_the_number_of_lines(defaults: Params, tmp_path: Path) -> None:
    glyphs, documents = whole_numbers(), some_documents()

    def peak(count: int) -> int:
        config = defaults.synthesize.replace(num_train=count, num_val=1, num_test=1)
        tracemalloc.start()  # numpy tells it of its arrays
        synthesis.synthesize(glyphs, documents, config, tmp_path / "lines.h5")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    images = synthesis.BLOCK * 28 * 28 * 32  # bytes of a block's
    few = peak(2 * synthesis.BLOCK)
    assert few > images  # it is told of them
    assert peak(5 * synthesis.BLOCK) - few < images / 2


FRESH = SynthesizeConfig(
    seed=7,
    num_train=24,
    num_val=12,
    num_test=12,
    max_length=12,
    min_overlap=0.0,
    max_overlap=0.33,
    overlap_varies_within_line=False,
    with_start_end_tokens=True,
    fresh_glyph_per_character=True,
    train_variation=VariationConfig(shift=1.0, stretch=2.5, bend=1.0, pen=0.5),
    split_fractions=SplitFractions(train=0.7, val=0.15, test=0.15),
    shared_as_in_lab=False,
)
AS_IN_LAB = FRESH.replace(
    min_overlap=0.1,
    max_overlap=0.5,
    overlap_varies_within_line=True,
    with_start_end_tokens=False,
    fresh_glyph_per_character=False,
    train_variation=VariationConfig(shift=0.0, stretch=0.0, bend=0.0, pen=0.0),
    shared_as_in_lab=True,
)


@pytest.mark.parametrize(
    ("config", "pinned"),
    [
        (FRESH, "fba1959534d6632e4472413028d6377e42026569a282989ab7e6e33d90d25f9f"),
        (AS_IN_LAB, "ae73807fe845e6494815efc513789cb54781fb07f59499a076ac3301fb8e917c"),
    ],
    ids=["fresh", "as in the lab"],
)
def test_the_pixels_of_a_small_file_are_pinned(tmp_path: Path, config: SynthesizeConfig, pinned: str) -> None:
    """Of glyphs that are whole numbers: all that follows is whole numbers too, or rounded to them."""
    synthesis.synthesize(whole_numbers(), some_documents(), config, tmp_path / "lines.h5")
    digest = hashlib.sha256()
    with h5py.File(tmp_path / "lines.h5") as file:
        for split in SPLITS:
            for column in ("images", "tokens", "widths"):
                digest.update(file[split][column][:].tobytes())
            digest.update(b"\n".join(file[split]["texts"][:]))
    assert digest.hexdigest() == pinned


REAL_IMAGES = {
    "test": "af9c8a37efd6f06d4100d80946337d06715cbf1bcd101fd5b69837a3d5a9676c",
    "val": "0bc14bfb0cae37e5d97a477bb906d746c3e5f291ba2fa6e6525e32fb3329649a",
}
REAL_TEXTS = {
    "test": "cae3c169d80a5bb5cfc070ebbe7a6948622dbac1e64f18c6bd99e84890e729f8",
    "val": "800d5c088cd3848077286093fca1996ad64af06c72f694943eb53eeac5444e25",
}
"""SHA-256 of the lines that every published number was measured on."""
DATA = REAL.parent


def require_default_lines(defaults: Params) -> None:
    """Skip where data/ holds lines of other parameters."""
    with h5py.File(REAL) as file:
        params, source = json.loads(file.attrs["params"]), file.attrs["source"]
    with h5py.File(DATA / "glyphs.h5") as file:
        parts = file.attrs["parts"]
    ours = defaults.synthesize.model_dump(exclude_none=True)
    for train_only in ("num_train", "train_variation"):
        params.pop(train_only, None)
        ours.pop(train_only, None)
    if (params, source, parts) != (ours, defaults.download.source, ",".join(defaults.download.parts)):
        pytest.skip("data/ holds lines of other parameters than params.yaml's")


@needs_real
@pytest.mark.parametrize("split", ["test", "val"])
def test_the_default_lines_are_those_that_were_published(defaults: Params, split: str) -> None:
    require_default_lines(defaults)
    with h5py.File(REAL) as file:
        images, texts = file[split]["images"][:], file[split]["texts"][:]
    assert hashlib.sha256(images.tobytes()).hexdigest() == REAL_IMAGES[split]
    assert hashlib.sha256(b"\n".join(texts)).hexdigest() == REAL_TEXTS[split]


@needs_real
def test_the_code_still_composes_the_default_lines(defaults: Params) -> None:
    """The file may be older than the code."""
    require_default_lines(defaults)
    glyphs, documents = read_glyphs(DATA / "glyphs.h5"), read_documents(DATA / "brown.zip")
    for split, composer in synthesis.composers(glyphs, documents, defaults.synthesize).items():
        if split == "train":
            continue
        tasks = synthesis.blocks(getattr(defaults.synthesize, f"num_{split}"), split, defaults.synthesize.seed)
        made = [composer.compose(composer.sample(where.stop - where.start, rng)) for where, rng in tasks]
        images = hashlib.sha256()
        for block in made:
            images.update(block.images.tobytes())
        assert images.hexdigest() == REAL_IMAGES[split]
        texts = b"\n".join(text for block in made for text in block.texts.tolist())
        assert hashlib.sha256(texts).hexdigest() == REAL_TEXTS[split]
