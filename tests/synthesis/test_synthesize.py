"""Lines share nothing between splits, and are the same bytes each time and everywhere."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.material import LAB_ALONE
from benchmarks.parameters import Params

from emnist_lines.common.alphabet import CLASSES
from emnist_lines.common.errors import UserError
from emnist_lines.common.files import sha256
from emnist_lines.common.glyphs import Glyphs, read_glyphs
from emnist_lines.lines.dataset import LinesDataset
from emnist_lines.lines.line_file import LAB, NATURAL, NO_GLYPH, SPLITS, WRITTEN, path_of, read_lines
from emnist_lines.lines.render import render
from emnist_lines.sources.drawn_written import render_written
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.synthesis.composer import Composer
from emnist_lines.synthesis.config import Mix, SplitFractions, SynthesizeConfig
from emnist_lines.synthesis.documents import Document, read_documents
from emnist_lines.synthesis.statistics import statistics
from tests.conftest import REAL, ROOT, made, needs_real
from tests.synthesis.helpers import fingerprints, one_pixel_each


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


def inks(glyphs: Glyphs, composer: Composer) -> set[bytes]:
    """The glyphs of a composer; its last index is the space's."""
    assert composer.index[-1] == NO_GLYPH
    return fingerprints(glyphs.images[composer.index[:-1]])


def test_splits_share_no_glyph_and_no_document(documents: list[Document], small: Params) -> None:
    glyphs = one_pixel_each()
    makers = synthesis.composers(glyphs, documents, small.synthesize)
    found = {name: inks(glyphs, maker) for name, maker in makers.items()}
    assert len(set.union(*found.values())) == sum(map(len, found.values())) == 744
    for maker in makers.values():
        assert (maker.counts[:62] > 0).all()
    corpora = ["".join(chr(c + 32) for c in maker.sampler.classes) for maker in makers.values()]
    for document in documents:
        among = [" ".join(document) in corpus for corpus in map(readable, corpora)]
        assert sum(among) == 1


def test_what_the_lab_shared_between_splits(documents: list[Document], small: Params) -> None:
    glyphs = one_pixel_each()
    apart = synthesis.composers(glyphs, documents, small.synthesize)
    shared = synthesis.composers(glyphs, documents, small.synthesize.replace(shared_as_in_lab=True))
    both = inks(glyphs, apart["train"]) | inks(glyphs, apart["val"])
    assert inks(glyphs, shared["train"]) == inks(glyphs, shared["val"]) == both
    assert inks(glyphs, shared["test"]) == inks(glyphs, apart["test"])
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
    few, many = (
        made(glyphs, documents, small.synthesize.replace(num_train=count), tmp_path / str(count)) for count in (16, 30)
    )
    one, other = LinesDataset(few, "train"), LinesDataset(many, "train")
    for number in range(16):
        assert np.array_equal(one.image(number), other.image(number))
    assert one.texts == other.texts[:16]
    assert len(set(other.texts)) > 15


@pytest.mark.parametrize("mix", [LAB_ALONE, Mix(lab=0.25, natural=0.25, written=0.5)], ids=["lab", "all kinds"])
def test_the_number_of_one_split_s_lines_changes_no_other_split(
    glyphs: Glyphs, documents: list[Document], small: Params, tmp_path: Path, mix: Mix
) -> None:
    """So that more train lines ask for no evaluation, and more test lines for no training."""
    config, written = small.synthesize.replace(mix=mix), render_written(12, 0)
    lines = made(glyphs, documents, config, tmp_path / "lines", written)
    for split in SPLITS:
        data = made(glyphs, documents, config.replace(**{f"num_{split}": 40}), tmp_path / split, written)
        same = {s for s in SPLITS if path_of(data, s).read_bytes() == path_of(lines, s).read_bytes()}
        assert same == set(SPLITS) - {split}


def test_a_mix_has_its_shares_and_val_and_test_lines_of_each_kind(
    glyphs: Glyphs, documents: list[Document], small: Params, tmp_path: Path
) -> None:
    config, written = small.synthesize.replace(mix=Mix(lab=0.5, natural=0.0, written=0.5)), render_written(12, 0)
    data = made(glyphs, documents, config, tmp_path, written)
    kinds = {split: np.bincount(read_lines(path_of(data, split))[0].kinds, minlength=3).tolist() for split in SPLITS}
    assert kinds == {"train": [48, 0, 48], "val": [24, 0, 24], "test": [24, 0, 24]}
    people = {}
    for split in SPLITS:
        lines = read_lines(path_of(data, split))[0]
        pieces = np.repeat(lines.kinds == WRITTEN, np.diff(lines.starts))
        people[split] = set(written.writers[lines.glyphs[pieces]].tolist())
    assert len(set.union(*people.values())) == sum(map(len, people.values()))
    with pytest.raises(UserError, match=r"there are no written words; set synthesize\.mix\.written to 0"):
        made(glyphs, documents, config, tmp_path / "without")


def test_the_files_and_their_statistics(
    lines: Path, small: Params, glyphs: Glyphs, documents: list[Document], tmp_path: Path
) -> None:
    found = synthesis.synthesize(glyphs, documents, small.synthesize, tmp_path)
    assert found["source"] == "drawn"
    for split, count in (("train", 96), ("val", 24), ("test", 24)):
        assert path_of(tmp_path, split).read_bytes() == path_of(lines, split).read_bytes()
        written, source = read_lines(path_of(tmp_path, split))
        assert source == "drawn"
        assert len(written.texts) == found[split]["lines"] == count
        assert [len(text) for text in written.texts.tolist()] == np.diff(written.starts).tolist()
        shared = found[split].pop("shared_text", None)
        assert found[split] == statistics(written)
        assert (shared is None) == (split == "train")


RUN = """
import sys
from pathlib import Path
from emnist_lines.common import config
from emnist_lines.common.glyphs import read_glyphs, write_glyphs
from emnist_lines.common.written import write_written
from emnist_lines.sources import brown, drawn
from emnist_lines.sources.drawn_written import render_written
from emnist_lines.synthesis.config import SynthesizeConfig
from emnist_lines.synthesis.documents import read_documents
from emnist_lines.synthesis.synthesize import synthesize
root, out = map(Path, sys.argv[1:])
values = config.load(root / "params.yaml", synthesize=SynthesizeConfig)
write_glyphs(drawn.render_glyphs(4, 3), out / "glyphs.h5")
brown.write_builtin(out / "brown.zip")
glyphs, documents = read_glyphs(out / "glyphs.h5"), read_documents(out / "brown.zip")
written = render_written(12, 3)
write_written(written, out / "written.h5")
synthesize(glyphs, documents, values.replace(num_train=520, num_val=8, num_test=8), out, written)
"""


def test_two_fresh_processes_write_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for number, hash_seed in enumerate("17"):
        out = tmp_path / str(number)
        out.mkdir()
        environment = {"PYTHONHASHSEED": hash_seed, "TZ": f"UTC+{number}", "PATH": "/usr/bin:/bin"}
        subprocess.run([sys.executable, "-c", RUN, str(ROOT), str(out)], check=True, env=environment)
        names = ("glyphs.h5", "brown.zip", "written.h5", *(f"lines/{split}.h5" for split in SPLITS))
        found.append([sha256(out / name) for name in names])
    assert found[0] == found[1]


FRESH = SynthesizeConfig(
    seed=7,
    mix=LAB_ALONE,
    num_train=24,
    num_val=12,
    num_test=12,
    max_length=12,
    min_overlap=0.0,
    max_overlap=0.33,
    overlap_varies_within_line=False,
    with_start_end_tokens=True,
    fresh_glyph_per_character=True,
    split_fractions=SplitFractions(train=0.7, val=0.15, test=0.15),
    shared_as_in_lab=False,
)
AS_IN_LAB = FRESH.replace(
    min_overlap=0.1,
    max_overlap=0.5,
    overlap_varies_within_line=True,
    with_start_end_tokens=False,
    fresh_glyph_per_character=False,
    shared_as_in_lab=True,
)


@pytest.mark.parametrize(
    ("config", "pinned"),
    [
        (FRESH, "7c34a203454b32c60c9fbba4246f3fbbeb715a7ca3410551e8fcf492c3baa9cb"),
        (AS_IN_LAB, "ae73807fe845e6494815efc513789cb54781fb07f59499a076ac3301fb8e917c"),
    ],
    ids=["fresh", "as in the lab"],
)
def test_the_pixels_of_a_small_file_are_pinned(tmp_path: Path, config: SynthesizeConfig, pinned: str) -> None:
    """Of glyphs that are whole numbers: all that follows is whole numbers too, or rounded to them."""
    data = made(whole_numbers(), some_documents(), config, tmp_path)
    digest = hashlib.sha256()
    for split in SPLITS:
        lines = LinesDataset(data, split)
        every = np.arange(len(lines))
        for column in (render(lines.lines, lines.glyphs, every, lines.columns), lines.tokens, lines.widths):
            digest.update(column.tobytes())
        digest.update("\n".join(lines.texts).encode())
    assert digest.hexdigest() == pinned


REAL_IMAGES = {
    "test": "af9c8a37efd6f06d4100d80946337d06715cbf1bcd101fd5b69837a3d5a9676c",
    "val": "0bc14bfb0cae37e5d97a477bb906d746c3e5f291ba2fa6e6525e32fb3329649a",
}
REAL_TEXTS = {
    "test": "cae3c169d80a5bb5cfc070ebbe7a6948622dbac1e64f18c6bd99e84890e729f8",
    "val": "800d5c088cd3848077286093fca1996ad64af06c72f694943eb53eeac5444e25",
}
"""SHA-256 of the lines that every published number was measured on, of the lab's kind …"""
REAL_OTHERS = {
    ("test", NATURAL): "cdd9f94eeb5b5de9dcbe2e6623f09e2f5734386d598a56255f87e0dd65388b9b",
    ("test", WRITTEN): "d3e023db81ae7d70fda6f63b3118f80dc603d20354764b0d63c2e081a9c1d56f",
    ("val", NATURAL): "daa0afcbe8ec0cecc90c279dca2ebefbc967c76f63b67e86cb19199743a34411",
    ("val", WRITTEN): "30f5f01139742fdf793797d3f85c800e1d28f5a153e8d2d865e249b0345ee8d8",
}
"""… and, images and texts together, of the others."""


@needs_real
@pytest.mark.parametrize("split", ["test", "val"])
def test_the_default_lines_are_those_that_were_published(defaults: Params, split: str, tmp_path: Path) -> None:
    """Those in data/, and those that the code composes."""
    glyphs = read_glyphs(REAL / "glyphs.h5")
    count = getattr(defaults.synthesize, f"num_{split}")
    found = LinesDataset(REAL, split)
    lab = int((found.kinds == LAB).sum())
    if (glyphs.source, glyphs.parts, lab) != (defaults.download.source, defaults.download.parts, count):
        pytest.skip("data/ holds lines of other parameters than params.yaml's")
    composer = synthesis.composers(glyphs, read_documents(REAL / "brown.zip"), defaults.synthesize)[split]
    composed = synthesis.compose(composer, count, split, defaults.synthesize.seed)
    for lines in (found.lines, composed):
        images = render(lines, glyphs.images, np.arange(count), lines.columns)
        assert hashlib.sha256(images.tobytes()).hexdigest() == REAL_IMAGES[split]
        assert hashlib.sha256(b"\n".join(lines.texts[:count].tolist())).hexdigest() == REAL_TEXTS[split]
    for kind in (NATURAL, WRITTEN):
        digest = hashlib.sha256()
        for row in np.flatnonzero(found.kinds == kind).tolist():
            digest.update(found.image(row).tobytes() + found.texts[row].encode() + b"\n")
        assert digest.hexdigest() == REAL_OTHERS[split, kind]
