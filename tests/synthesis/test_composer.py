"""A line is its glyphs, side by side and over each other as the configuration says, with its text and its tokens."""

import numpy as np
import pytest
from benchmarks.parameters import Params

from emnist_lines.common.alphabet import CLASSES, END, PAD, START, decode, encode, frame
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.synthesis.composer import Composer
from emnist_lines.synthesis.documents import Document
from emnist_lines.synthesis.synthesize import composers
from tests.synthesis.helpers import fingerprints, one_pixel_each, some


def test_a_line_is_its_glyphs_side_by_side(glyphs: Glyphs, documents: list[Document], small: Params) -> None:
    config = small.synthesize.replace(min_overlap=0.0, max_overlap=0.0)
    composer = composers(glyphs, documents, config)["test"]
    known = {label: fingerprints(glyphs.images[glyphs.labels == label]) for label in range(62)}
    block = some(glyphs, composer, 40)
    rows = zip(block.images, block.lines.tokens, block.lines.widths, block.texts, strict=True)
    for image, tokens, width, string in rows:
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
    glyphs: Glyphs, documents: list[Document], small: Params, within_line: bool
) -> None:
    config = small.synthesize.replace(
        min_overlap=0.25, max_overlap=0.5, overlap_varies_within_line=within_line, max_length=20
    )
    block = some(glyphs, composers(glyphs, documents, config)["train"], 200)
    lengths = np.array([len(text) for text in block.texts])
    several = lengths > 1
    assert (block.lines.overlaps[several] >= 0.25).all()
    assert (block.lines.overlaps[several] <= 0.5).all()
    assert (block.lines.overlaps[~several] == 0).all()
    joints = lengths - 1
    assert (block.lines.widths >= 28 + joints * 14).all()
    assert (block.lines.widths <= 28 + joints * 21).all()
    even = (block.lines.widths[several] - 28) % joints[several] == 0
    assert even.all() != within_line


def test_sums_of_ink_saturate(documents: list[Document], small: Params) -> None:
    labels = np.repeat(np.arange(62, dtype=np.uint8), 3)
    glyphs = Glyphs(np.full((186, 28, 28), 200, dtype=np.uint8), labels, "emnist", ("test",))
    config = small.synthesize.replace(min_overlap=0.5, max_overlap=0.5)
    composer = Composer(labels, np.arange(186), [["ab"] * 20], config)
    block = some(glyphs, composer, 20)
    assert set(np.unique(block.images)) == {0, 200, 255}
    two = block.images[block.texts.index("ab")]
    assert (two[:, :14] == 200).all()
    assert (two[:, 14:28] == 255).all()
    assert (two[:, 28:42] == 200).all()


@pytest.mark.parametrize("fresh", [True, False])
def test_a_fresh_glyph_for_each_character_or_one_per_line(small: Params, fresh: bool) -> None:
    config = small.synthesize.replace(max_overlap=0.0, fresh_glyph_per_character=fresh)
    glyphs = one_pixel_each()
    every = np.arange(len(glyphs.labels))
    block = some(glyphs, Composer(glyphs.labels, every, [["aaaaaaaa"] * 3], config), 30)
    kinds = [len(fingerprints(image[:, : 28 * 8].reshape(28, 8, 28).swapaxes(0, 1))) for image in block.images]
    assert (max(kinds) == 1) != fresh
    assert len(fingerprints(block.images)) > 5


def test_without_start_and_end_tokens_lines_may_be_longer(
    glyphs: Glyphs, documents: list[Document], small: Params
) -> None:
    config = small.synthesize.replace(with_start_end_tokens=False)
    block = some(glyphs, composers(glyphs, documents, config)["train"], 200)
    assert not np.isin(block.lines.tokens, (START, END)).any()
    assert np.array([len(text) for text in block.texts]).max() == 10
    for tokens, written in zip(block.lines.tokens, block.texts, strict=True):
        assert decode(tokens) == written
        assert (tokens == PAD).sum() == 10 - len(written)


def test_shortest_possible_lines(glyphs: Glyphs, documents: list[Document], small: Params) -> None:
    config = small.synthesize.replace(max_length=3)
    block = some(glyphs, composers(glyphs, documents, config)["val"], 20)
    assert (np.array([len(text) for text in block.texts]) == 1).all()
    assert block.images.shape == (20, 28, 84)
    assert (block.lines.widths == 28).all()
