"""Lines are what they claim to be, share nothing between splits, and are the same bytes each time."""

import hashlib
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from emnist_lines.common.alphabet import CLASSES, END, PAD, START, decode, encode, frame
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.common.params import Params, Synthesize
from emnist_lines.synthesis import documents as text
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.synthesis.composer import Block, Composer


def one_pixel_each(count: int = 12) -> Glyphs:
    """Glyphs of one ink value per glyph, so that a line tells which it used: 62 classes × `count`, values 1 to 124."""
    labels = np.repeat(np.arange(62, dtype=np.uint8), count)
    images = np.zeros((len(labels), 28, 28), dtype=np.uint8)
    for number, image in enumerate(images):
        image[number % 28, number // 28 % 28] = 200  # its place is its name
    return Glyphs(images, labels, "emnist", ("test",))


def some(composer: Composer, count: int) -> Block:
    """Lines that a composer makes."""
    return composer.compose(composer.draw(count, np.random.default_rng(0)))


def fingerprints(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}


def test_a_line_is_its_glyphs_side_by_side(glyphs: Glyphs, documents: list[text.Document], small: Params) -> None:
    params = replace(small.synthesize, min_overlap=0.0, max_overlap=0.0)
    composer = synthesis.composers(glyphs, documents, params)["test"]
    known = {label: fingerprints(glyphs.images[glyphs.labels == label]) for label in range(62)}
    block = some(composer, 40)
    for image, tokens, width, written in zip(block.images, block.tokens, block.widths, block.texts, strict=True):
        string = written.decode()
        assert tokens.tolist() == frame(encode(string), 10)
        assert width == 28 * len(string)
        assert not image[:, width:].any()
        for place, character in enumerate(string):
            cell = image[:, 28 * place : 28 * place + 28]
            if character == " ":
                assert not cell.any()
            else:
                assert cell.tobytes() in known[CLASSES.index(character)]


@pytest.mark.parametrize("within_line", [False, True])
def test_overlaps_lie_in_their_range(
    glyphs: Glyphs, documents: list[text.Document], small: Params, within_line: bool
) -> None:
    params = replace(
        small.synthesize, min_overlap=0.25, max_overlap=0.5, overlap_varies_within_line=within_line, max_length=20
    )
    block = some(synthesis.composers(glyphs, documents, params)["train"], 200)
    lengths = np.char.str_len(block.texts)
    several = lengths > 1
    assert (block.overlaps[several] >= 0.25).all()
    assert (block.overlaps[several] <= 0.5).all()
    assert (block.overlaps[~several] == 0).all()
    joints = lengths - 1
    assert (block.widths >= 28 + joints * 14).all()
    assert (block.widths <= 28 + joints * 21).all()
    even = (block.widths[several] - 28) % joints[several] == 0
    assert even.all() != within_line


def test_sums_of_ink_saturate(documents: list[text.Document], small: Params) -> None:
    labels = np.repeat(np.arange(62, dtype=np.uint8), 3)
    full = Glyphs(np.full((186, 28, 28), 200, dtype=np.uint8), labels, "emnist", ("test",))
    params = replace(small.synthesize, min_overlap=0.5, max_overlap=0.5)
    composer = Composer(full, [["ab"] * 20], params)
    block = some(composer, 20)
    assert set(np.unique(block.images)) == {0, 200, 255}
    two = block.images[np.flatnonzero(block.texts == b"ab")[0]]
    assert (two[:, :14] == 200).all()
    assert (two[:, 14:28] == 255).all()
    assert (two[:, 28:42] == 200).all()


@pytest.mark.parametrize("fresh", [True, False])
def test_a_fresh_glyph_for_each_character_or_one_per_line(small: Params, fresh: bool) -> None:
    params = replace(small.synthesize, max_overlap=0.0, fresh_glyph_per_character=fresh)
    block = some(Composer(one_pixel_each(), [["aaaaaaaa"] * 3], params), 30)
    kinds = [len(fingerprints(image[:, : 28 * 8].reshape(28, 8, 28).swapaxes(0, 1))) for image in block.images]
    assert (max(kinds) == 1) != fresh
    assert len(fingerprints(block.images)) > 5


def test_splits_share_no_glyph_and_no_document(documents: list[text.Document], small: Params) -> None:
    makers = synthesis.composers(one_pixel_each(), documents, small.synthesize)
    inks = {name: fingerprints(maker.ink[:-1]) for name, maker in makers.items()}
    assert len(set.union(*inks.values())) == sum(map(len, inks.values())) == 744
    for maker in makers.values():
        assert (maker.counts[:62] > 0).all()
    corpora = ["".join(chr(c + 32) for c in maker.sampler.classes) for maker in makers.values()]
    for document in documents:
        found = [" ".join(document) in corpus for corpus in map(readable, corpora)]
        assert sum(found) == 1


def test_only_the_train_glyphs_vary(glyphs: Glyphs, documents: list[text.Document], small: Params) -> None:
    params = replace(small.synthesize, max_overlap=0.0)
    for name, composer in synthesis.composers(glyphs, documents, params).items():
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


def test_what_the_lab_shared_between_splits(documents: list[text.Document], small: Params) -> None:
    apart = synthesis.composers(one_pixel_each(), documents, small.synthesize)
    shared = synthesis.composers(one_pixel_each(), documents, replace(small.synthesize, shared_as_in_lab=True))
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


def test_without_start_and_end_tokens_lines_may_be_longer(
    glyphs: Glyphs, documents: list[text.Document], small: Params
) -> None:
    params = replace(small.synthesize, with_start_end_tokens=False)
    block = some(synthesis.composers(glyphs, documents, params)["train"], 200)
    assert not np.isin(block.tokens, (START, END)).any()
    assert np.char.str_len(block.texts).max() == 10
    for tokens, written in zip(block.tokens, block.texts, strict=True):
        assert decode(tokens) == written.decode()
        assert (tokens == PAD).sum() == 10 - len(written)


def test_shortest_possible_lines(glyphs: Glyphs, documents: list[text.Document], small: Params) -> None:
    params = replace(small.synthesize, max_length=3)
    block = some(synthesis.composers(glyphs, documents, params)["val"], 20)
    assert (np.char.str_len(block.texts) == 1).all()
    assert block.images.shape == (20, 28, 84)
    assert (block.widths == 28).all()


def test_more_lines_begin_with_the_same_lines(
    glyphs: Glyphs, documents: list[text.Document], small: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "BLOCK", 8)
    for count in (16, 30):
        params = replace(small.synthesize, num_train=count)
        synthesis.synthesize(glyphs, documents, params, tmp_path / f"{count}.h5")
    with h5py.File(tmp_path / "16.h5") as few, h5py.File(tmp_path / "30.h5") as many:
        assert np.array_equal(few["train/images"], many["train/images"][:16])
        assert np.array_equal(few["test/images"], many["test/images"])
        assert len(set(many["train/texts"][:])) > 15


def test_the_file_and_its_statistics(
    lines: Path, small: Params, glyphs: Glyphs, documents: list[text.Document]
) -> None:
    with h5py.File(lines) as file:
        assert file.attrs["source"] == "drawn"
        for split, count in (("train", 96), ("val", 24), ("test", 24)):
            group = file[split]
            assert group["images"].shape == (count, 28, 280)
            assert group["tokens"].shape == (count, 10)
            assert {group[name].dtype.str for name in ("images", "tokens")} == {"|u1"}
            assert group["texts"].shape == group["widths"].shape == group["overlaps"].shape == (count,)
        texts = [written.decode() for written in file["train/texts"]]
    statistics = synthesis.synthesize(glyphs, documents, small.synthesize, lines.with_name("again.h5"))
    train = statistics["train"]
    assert statistics["source"] == "drawn"
    assert train["lines"] == 96
    assert train["characters"] == len("".join(texts))
    lengths = train["distributions"][0]
    assert lengths["max"] == max(map(len, texts))
    assert lengths["mean"] == round(sum(map(len, texts)) / 96, 4)
    counts = {row["character"]: row["count"] for row in train["count_by_character"]}
    assert counts == {c: "".join(texts).count(c) for c in " " + CLASSES}
    assert sum(row["lines"] for row in train["lines_by_length"]) == 96


RUN = """
import sys
from dataclasses import replace
from pathlib import Path
from emnist_lines.sources import brown as corpus
from emnist_lines.common import params
from emnist_lines.synthesis import synthesize as synthesis
from emnist_lines.synthesis import documents as text
from emnist_lines.sources import drawn
from emnist_lines.common import glyphs as store
root, out = map(Path, sys.argv[1:])
values = params.load(root / "params.yaml").synthesize
values = replace(values, num_train=1200, num_val=8, num_test=8)
store.write(drawn.draw(10, 3), out / "glyphs.h5")
corpus.write_builtin(out / "brown.zip")
glyphs, documents = store.read(out / "glyphs.h5"), text.read_documents(out / "brown.zip")
synthesis.synthesize(glyphs, documents, values, out / "lines.h5")
"""


def test_the_number_of_processes_does_not_matter(
    glyphs: Glyphs,
    documents: list[text.Document],
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
    from tests.conftest import ROOT

    found = []
    for number, hash_seed in enumerate("17"):
        out = tmp_path / str(number)
        out.mkdir()
        environment = {"PYTHONHASHSEED": hash_seed, "TZ": f"UTC+{number}", "PATH": "/usr/bin:/bin"}
        subprocess.run([sys.executable, "-c", RUN, str(ROOT), str(out)], check=True, env=environment)
        names = ("glyphs.h5", "brown.zip", "lines.h5")
        found.append([hashlib.sha256((out / name).read_bytes()).hexdigest() for name in names])
    assert found[0] == found[1]


def test_memory_does_not_grow_with_the_number_of_lines(
    glyphs: Glyphs, documents: list[text.Document], defaults: Params, tmp_path: Path
) -> None:
    composer = synthesis.composers(glyphs, documents, defaults.synthesize)["train"]
    some(composer, synthesis.BLOCK)

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def write(count: int) -> int:
        params: Synthesize = replace(defaults.synthesize, num_train=count, num_val=1, num_test=1)
        before = peak()
        synthesis.synthesize(glyphs, documents, params, tmp_path / "lines.h5")
        (tmp_path / "lines.h5").unlink()
        return peak() - before

    write(1000)
    assert write(10_000) < 60e6  # their images alone are 250 MB
