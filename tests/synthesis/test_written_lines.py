"""Written lines: whose they are, which items they are of, and where their ink goes."""

from dataclasses import fields, replace

import numpy as np
import pytest
from benchmarks.parameters import Params

from emnist_lines.common.alphabet import decode
from emnist_lines.common.config import ParamError
from emnist_lines.common.errors import UserError
from emnist_lines.common.written import Written
from emnist_lines.lines.line_file import UNIT, WRITTEN, Lines
from emnist_lines.lines.pitch import INK_ROWS, TOP, stretch_of
from emnist_lines.lines.strokes import render_strokes
from emnist_lines.sources.drawn_written import render_written
from emnist_lines.synthesis import written_lines
from emnist_lines.synthesis.config import Mix, SynthesizeConfig
from emnist_lines.synthesis.handwriting import INKED, PENS, SIDE
from emnist_lines.synthesis.written_items import Ink, rows
from emnist_lines.synthesis.written_layout import PEN
from emnist_lines.synthesis.written_lines import SORTS, compose_written, split_writers
from tests.written_items import Stroke, written_of


@pytest.fixture(scope="module")
def written() -> Written:
    return render_written(per_person=24, seed=0)


@pytest.fixture(scope="module")
def config(small: Params) -> SynthesizeConfig:
    return small.synthesize.replace(max_length=20, with_start_end_tokens=True)


def composed(
    written: Written, config: SynthesizeConfig, count: int | None = None, seed: int = 0, writers: tuple[int, ...] = ()
) -> tuple[Lines, np.ndarray]:
    people = np.array(writers or np.unique(written.writers))
    rng = np.random.default_rng(seed)
    return compose_written(written, people, count or len(written.texts), config, rng, varied=count is not None)


def images_of(lines: Lines, written: Written, more: int = 0) -> np.ndarray:
    """All lines, with `more` columns behind the widest."""
    return render_strokes(lines, written, np.arange(len(lines.texts)), int(lines.widths.max()) + more)


def pieces_of(lines: Lines) -> list[list[int]]:
    return [part.tolist() for part in np.split(lines.glyphs, lines.starts[1:-1])]


def letter(left: int, top: int, height: int = 40, width: int = 20) -> Stroke:
    """An arch, as of an n: up, over and down to its base line."""
    return [(left, top + height), (left, top), (left + width, top), (left + width, top + height)]


def word(left: int, base: int, count: int) -> list[Stroke]:
    return [letter(left + 30 * number, base - 40) for number in range(count)]


def test_nobody_writes_for_two_splits(written: Written) -> None:
    people = split_writers(written, np.random.default_rng(0))
    assert sorted(np.concatenate(list(people.values())).tolist()) == np.unique(written.writers).tolist()
    assert all(len(some) > 0 and np.array_equal(some, np.sort(some)) for some in people.values())
    other = split_writers(written, np.random.default_rng(1))
    assert any(not np.array_equal(people[split], other[split]) for split in people)


def test_three_people_are_one_for_each_split() -> None:
    words = written_of(*[("n", word(0, 40, 1))] * 3, writers=[4, 7, 9])
    assert {split: len(some) for split, some in split_writers(words, np.random.default_rng(0)).items()} == {
        "train": 1,
        "val": 1,
        "test": 1,
    }
    with pytest.raises(UserError, match="2 people"):
        split_writers(written_of(*[("n", word(0, 40, 1))] * 2, writers=[4, 7]), np.random.default_rng(0))


def test_val_and_test_have_people_and_items_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written_lines, "WRITERS", 4)
    monkeypatch.setattr(written_lines, "LEAST", 8)
    writers = sorted([*range(30), *range(0, 30, 2)] * 2)
    words = written_of(*[("n", word(0, 40, 1))] * len(writers), writers=writers)
    for seed in range(5):
        people = split_writers(words, np.random.default_rng(seed))
        for split in ("val", "test"):
            assert 4 <= len(people[split]) <= 10
            assert np.isin(words.writers, people[split]).sum() >= 20


def test_each_item_that_fits_is_used_once(written: Written, config: SynthesizeConfig) -> None:
    lines, sorts = composed(written, config, writers=(1, 3))
    fit = np.isin(written.writers, (1, 3)) & (np.char.str_len(written.texts) <= 18)
    assert sorted(lines.glyphs.tolist()) == np.flatnonzero(fit).tolist()
    assert len(sorts) == len(lines.texts)
    assert set(sorts.tolist()) <= set(range(len(SORTS)))


def test_a_line_is_one_persons_and_says_what_its_pieces_say(written: Written, config: SynthesizeConfig) -> None:
    lines, sorts = composed(written, config, count=300)
    assert len(lines.texts) == len(sorts) == 300
    for number, pieces in enumerate(pieces_of(lines)):
        assert len(set(written.writers[pieces].tolist())) == 1
        assert lines.texts[number] == b" ".join(written.texts[pieces].tolist())
        assert decode(lines.tokens[number, 1:].tolist()).encode() == lines.texts[number]
        assert len(lines.texts[number]) <= 18
        assert (len(pieces) > 1) == (SORTS[sorts[number]] in ("neighbours", "joined"))
    assert set(lines.kinds.tolist()) == {WRITTEN}
    assert not lines.known.any()
    assert not lines.overlaps.any()


def test_lines_without_start_and_end_may_be_longer(written: Written, config: SynthesizeConfig) -> None:
    lines, _ = composed(written, config.replace(with_start_end_tokens=False), count=300)
    assert np.char.str_len(lines.texts).max() > 18
    assert decode(lines.tokens[0].tolist()).encode() == lines.texts[0]


def test_no_item_is_short_enough(config: SynthesizeConfig) -> None:
    with pytest.raises(UserError, match="at most 3 char"):
        composed(written_of(("nnnn", word(0, 80, 4))), config.replace(max_length=5))
    with pytest.raises(ParamError, match=r"^max_length must be at least 5 where synthesize\.mix\.written is above 0"):
        config.replace(mix=Mix(lab=0, natural=0, written=1), max_length=4)


def test_the_same_seed_makes_the_same_lines(written: Written, config: SynthesizeConfig) -> None:
    for count in (None, 100):
        first, again, other = (composed(written, config, count, seed)[0] for seed in (0, 0, 1))
        assert all(np.array_equal(getattr(first, f.name), getattr(again, f.name)) for f in fields(Lines))
        assert not np.array_equal(first.glyphs[:50], other.glyphs[:50])


@pytest.mark.parametrize("count", [None, 200])
def test_ink_stays_in_its_frame(written: Written, config: SynthesizeConfig, count: int | None) -> None:
    lines, _ = composed(written, config, count)
    for image, width in zip(images_of(lines, written, more=80), lines.widths.tolist(), strict=True):
        ink = image >= INKED
        across, down = np.flatnonzero(ink.any(axis=0)), np.flatnonzero(ink.any(axis=1))
        assert across[0] >= SIDE - 1
        assert across[-1] < width - SIDE + 2
        assert TOP - 1 <= down[0] <= down[-1] <= TOP + INK_ROWS
    assert lines.widths.max() <= 28 * (20 - 2)


def test_val_lines_are_as_wide_as_they_are_read(written: Written, config: SynthesizeConfig) -> None:
    lines, _ = composed(written, config)
    assert set(lines.pens[:, 1].tolist()) == {round(PEN * UNIT)}
    assert not lines.slants.any()
    found = [stretch_of(image >= INKED) for image in images_of(lines, written)]
    assert np.median(found) == pytest.approx(1.9, abs=0.4)  # the picture's columns count as FINE = 2 of the writing's


def test_train_lines_vary(written: Written, config: SynthesizeConfig) -> None:
    lines, _ = composed(written, config, count=200)
    assert PENS[0] * UNIT - 1 <= lines.pens[:, 1].min() < lines.pens[:, 1].max() <= PENS[1] * UNIT + 1
    assert lines.slants.min() < -5
    assert lines.slants.max() > 5


def test_a_line_too_wide_is_narrowed(config: SynthesizeConfig) -> None:
    wide = written_of(("nnnnnnnn", [letter(300 * number, 0) for number in range(8)]))
    lines, _ = composed(wide, config.replace(max_length=10), count=20)
    assert lines.widths.max() <= 28 * 8
    assert (np.flatnonzero(images_of(lines, wide, more=50).any(axis=(0, 1))) < 28 * 8).all()


def test_a_dash_stays_flat(config: SynthesizeConfig) -> None:
    dash = written_of(("-", [[(0, 0), (500, 4)]]), (".", [[(7, 7)]]))
    lines, sorts = composed(dash, config)
    for number in range(len(sorts)):
        image = images_of(lines, dash)[number] >= INKED
        down = np.flatnonzero(image.any(axis=1))
        assert 1 <= len(down) <= 5
        assert down.mean() == pytest.approx(TOP + INK_ROWS / 2, abs=1.5)


def test_neighbours_stand_in_a_row_with_a_space_between() -> None:
    sheet = written_of(
        ("nn", word(0, 100, 2)),
        ("nnn", word(90, 102, 3)),  # a space behind the one before
        ("nn", word(180, 101, 2)),  # hardly any
        ("nn", word(0, 200, 2)),  # another row
        ("n", word(300, 200, 1)),  # far away
        ("n", word(340, 200, 1)),  # a single character behind another
    )
    assert rows(sheet, Ink.of(sheet), np.arange(6)) == [[0, 1], [2], [3], [4], [5]]
    elsewhere = replace(sheet, sheets=np.array([0, 1, 1, 2, 2, 2], dtype=np.int32))
    assert rows(elsewhere, Ink.of(elsewhere), np.arange(6)) == [[0], [1], [2], [3], [4], [5]]


def test_words_side_by_side_share_a_base_line() -> None:
    deep: list[Stroke] = [[*letter(60, 460), (80, 540), (60, 540)]]  # the last letter reaches below it
    words = written_of(("nnnn", word(0, 40, 4)), ("nny", [*word(0, 500, 2), *deep]), ("0", [letter(0, 800, 60)]))
    ink = Ink.of(words)
    assert ink.base == pytest.approx([40, 500, 860])
    assert ink.body[:2] == pytest.approx([40, 40])
    boxes = written_lines._side_by_side([0, 1, 2], ink, np.random.default_rng(0))
    assert boxes[:, 3] == pytest.approx([0, 40, 0])
    assert (boxes[1:, 0] - boxes[:-1, 2] > 0.8 * 30).all()


def test_noise_of_a_tablet_does_not_move_the_base_line() -> None:
    steps = [(x, y + (x % 2)) for x, y in ((x, abs((x % 40) - 20) * 2) for x in range(200))]
    words = written_of(("nnnnn", [steps]), ("o", [[(0, 0), (20, 20), (0, 40), (-20, 20), (0, 0)]]))
    ink = Ink.of(words)
    assert ink.base[0] == pytest.approx(40, abs=2)
    assert ink.base[1] == 40
