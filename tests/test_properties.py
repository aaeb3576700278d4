"""What holds for any input: generated ones (Hypothesis), and thousands of spoilt parameter files."""

import copy
import io
import random
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from benchmarks.parameters import Params, load_all
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from torchmetrics.text import CharErrorRate

from emnist_lines.common import alphabet
from emnist_lines.common.config import SECTIONS, ParamError, Section, section_of
from emnist_lines.common.errors import UserError
from emnist_lines.common.glyphs import Glyphs
from emnist_lines.evaluation.alignment import align, align_all
from emnist_lines.evaluation.rates import edits
from emnist_lines.lines.bucket_sampler import BucketSampler
from emnist_lines.lines.render import render
from emnist_lines.network.greedy import greedy_ctc
from emnist_lines.reading import picture_file, preprocessing
from emnist_lines.synthesis.documents import Document
from emnist_lines.synthesis.synthesize import compose, composers
from tests.conftest import ROOT

TEXTS = st.text(alphabet.CHARACTERS, max_size=30)
TOKENS = st.lists(st.integers(0, len(alphabet.SYMBOLS) - 1), max_size=40)


def mistake(call: Callable[[], object]) -> str | None:
    """What a person is told of a mistake; None where there was none."""
    try:
        call()
    except (UserError, ParamError) as error:
        return str(error)
    return None


@given(TEXTS, st.booleans(), st.integers(0, 5))
def test_text_survives_its_tokens(text: str, with_tokens: bool, spare: int) -> None:
    ids = alphabet.encode(text)
    framed = alphabet.frame(ids, len(ids) + 2 * with_tokens + spare, with_tokens)
    assert alphabet.decode(framed) == text
    assert len(framed) == len(ids) + 2 * with_tokens + spare


@given(TOKENS)
def test_any_tokens_are_some_text(tokens: list[int]) -> None:
    text = alphabet.decode(tokens)
    assert set(text) <= set(alphabet.CHARACTERS)
    assert alphabet.decode(alphabet.encode(text)) == text


def distance(one: Sequence[str], two: Sequence[str]) -> int:
    """As error rates count it."""
    return int(edits(pd.Series([one]), pd.Series([two]))[0])


@pytest.mark.parametrize(
    ("one", "two", "fewest"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("kitten", "sitting", 3),
        ("flaw", "lawn", 2),
        ("intention", "execution", 5),
        ("Saturday", "Sunday", 3),
        ("same", "same", 0),
        ("ab", "ba", 2),
    ],
)
def test_known_distances(one: str, two: str, fewest: int) -> None:
    assert distance(one, two) == distance(two, one) == fewest
    assert distance(one.split("t"), one.split("t")) == 0  # of words too
    assert distance(["tt", "a"], ["t", "t", "a"]) == 2


@given(TEXTS, TEXTS, TEXTS)
def test_edit_distance_is_a_metric(one: str, two: str, three: str) -> None:
    assert (distance(one, two) == 0) == (one == two)
    assert distance(one, two) == distance(two, one)
    assert distance(one, three) <= distance(one, two) + distance(two, three)
    assert abs(len(one) - len(two)) <= distance(one, two) <= max(len(one), len(two))


@example([("sitting", "kitten"), ("a", "a"), ("xxxx", "yy")], 2)  # 7 of 9
@given(st.lists(st.tuples(TEXTS, TEXTS.filter(bool)), min_size=1, max_size=8), st.integers(0, 8))
def test_the_rate_of_all_lines_does_not_depend_on_how_they_are_grouped(pairs: list[tuple[str, str]], at: int) -> None:
    """Validation's, which sees batches, is evaluation's: edits over reference characters of all lines together."""
    grouped = CharErrorRate()
    for part in filter(None, (pairs[:at], pairs[at:])):
        predictions, texts = zip(*part, strict=True)
        grouped.update(list(predictions), list(texts))
    characters = sum(len(text) for _, text in pairs)
    assert float(grouped.compute()) == pytest.approx(sum(distance(p, t) for p, t in pairs) / characters)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6))
def test_every_edit_is_accounted_for(pairs: list[tuple[str, str]]) -> None:
    steps = align_all(pd.DataFrame(pairs, columns=["text", "prediction"]))
    wrong = steps[steps["kind"] != "equal"]
    assert len(wrong) == sum(distance(text, prediction) for text, prediction in pairs)
    assert ((steps["written"] == "") == (steps["kind"] == "insert")).all()
    assert ((steps["predicted"] == "") == (steps["kind"] == "delete")).all()


@given(TEXTS, TEXTS)
def test_an_alignment_leads_from_the_text_to_the_prediction(text: str, prediction: str) -> None:
    steps = align(text, prediction)
    assert "".join(step.written for step in steps) == text
    assert "".join(step.predicted for step in steps) == prediction
    assert all(text[step.place] == step.written for step in steps if step.written)
    assert all((step.written == step.predicted) == (step.kind == "equal") for step in steps)


@given(
    arrays(
        np.float32, st.tuples(st.integers(1, 3), st.integers(1, 12), st.just(83)), elements=st.floats(-9, 9, width=32)
    )
)
def test_greedy_ctc_writes_no_more_than_it_saw(logits: Any) -> None:
    lengths = torch.full((len(logits),), logits.shape[1])
    for row in greedy_ctc(torch.from_numpy(logits), lengths).tolist():
        assert len(alphabet.decode(row)) <= logits.shape[1]


@given(
    st.lists(st.integers(28, 896), min_size=1, max_size=200),
    st.integers(1, 64),
    st.integers(1, 4),
    st.one_of(st.none(), st.integers(1, 80)),
    st.integers(1, 4),
    st.integers(0, 3),
)
def test_each_line_is_dealt_out_once_per_pass(
    widths: list[int], size: int, micro_batches: int, per_epoch: int | None, world: int, seed: int
) -> None:
    """Over the epochs of a pass and all processes; which all do as many steps as each other."""
    epochs = -(-len(widths) // (per_epoch or len(widths)))
    assume(len(widths) // epochs >= world)
    seen: list[int] = []
    for epoch in range(epochs):
        samplers = [
            BucketSampler(
                np.array(widths, dtype=np.int32),
                size,
                micro_batches=micro_batches,
                lines_per_epoch=per_epoch,
                seed=seed,
                epoch=epoch,
                rank=rank,
                world_size=world,
            )
            for rank in range(world)
        ]
        assert len({(len(s), s.micro_batches, len(s.batches)) for s in samplers}) == 1
        for sampler in samplers:
            given_out = list(sampler)
            assert len(given_out) == len(sampler)
            assert all(micro_batch.indices for micro_batch in given_out)
            seen += [index for micro_batch in given_out for index in micro_batch.indices]
    assert sorted(seen) == list(range(len(widths)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.floats(0, 0.9), st.booleans(), st.integers(1, 40))
def test_any_composed_line_is_complete(
    glyphs: Glyphs,
    documents: list[Document],
    small: Params,
    seed: int,
    longest: int,
    overlap: float,
    tokens: bool,
    count: int,
) -> None:
    values = small.synthesize.replace(
        seed=seed,
        max_length=longest,
        min_overlap=0.0,
        max_overlap=overlap,
        with_start_end_tokens=tokens,
    )
    block = compose(composers(glyphs, documents, values)["train"], count, "train", seed)
    images = render(block, glyphs.images, np.arange(count), block.columns)
    assert images.shape == (count, 28, 28 * longest)
    for image, width, row, text in zip(images, block.widths, block.tokens, block.texts.tolist(), strict=True):
        assert 0 < width <= 28 * longest
        assert not image[:, width:].any()
        assert alphabet.decode(row.tolist()) == text.decode()
        assert 1 <= len(text) <= longest - 2 * tokens


IMAGES = arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 60)))


@settings(deadline=None)
@given(IMAGES)
def test_any_array_is_some_lines_or_none(image: Any) -> None:
    for line in preprocessing.lines(picture_file.load(image)):
        for way in line.ways:
            assert way.image.shape[0] == 28
            assert way.image.dtype == np.uint8
            assert way.image.shape[1] > 0
            assert way.image.max() > 0


@settings(deadline=None)
@given(IMAGES, st.sampled_from(["png", "bmp", "tiff", "webp", "jpeg"]), st.data())
def test_any_spoilt_file_is_a_picture_or_one_sentence(image: Any, kind: str, data: Any) -> None:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    told = mistake(lambda: preprocessing.lines(picture_file.load(io.BytesIO(bytes(content)), "the file")))
    assert told is None or (told.startswith("the file ") and "\n" not in told)


def keys(content: dict[str, Any]) -> list[tuple[str, ...]]:
    """The way to each value of the parameters."""
    inner = [(name, *rest) for name, value in content.items() if isinstance(value, dict) for rest in keys(value)]
    return [*((name,) for name in content), *inner]


def in_sections(content: Any) -> list[Section]:
    """All sections of a file's content, as `config.load` makes them."""
    return [section_of(content, name, Params.model_fields[name].annotation) for name in SECTIONS]


CONTENT = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.binary(max_size=5))
ANY = st.recursive(
    SCALARS, lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=8), some, max_size=3)
)


@given(st.sampled_from(keys(CONTENT)), ANY)
def test_any_value_of_any_parameter_is_taken_or_told_by_its_key(way: tuple[str, ...], value: Any) -> None:
    content = copy.deepcopy(CONTENT)
    target = content
    for name in way[:-1]:
        target = target[name]
    target[way[-1]] = value
    told = mistake(lambda: in_sections(content))
    assert told is None or (way[0] in told and "\n" not in told)


VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**64, 10**400, 0.5, -0.5, 1e-320, 1e308, float("nan"), float("inf")),
    *("", "train", "auto", "1e-3", "\n\0", "x" * 10_000, [], [[]], {}, {"train": 1}, {1: 2}, [None], [1, "a"], b"\xff"),
]


MARKS = ["", ":", "[", "{", "- ", "\t", "&a ", "*a", "!!int ", "'"]


def spoilt(rng: random.Random, content: Any) -> Any:
    """A copy with one to three keys or values changed, removed, added or moved."""
    content = copy.deepcopy(content)
    for _ in range(rng.randint(1, 3)):
        target = content
        while True:
            inner = [value for value in target.values() if isinstance(value, dict) and value]
            if not inner or rng.random() < 0.2:
                break
            target = rng.choice(inner)
        key = rng.choice(list(target)) if target else "key"
        match rng.randrange(5):
            case 0:
                target.pop(key, None)
            case 1:
                target[rng.choice(["", 0, None, "trian", key])] = rng.choice(VALUES)
            case 2:
                target[rng.choice(list(target) or ["key"])] = target.get(key)
            case _:
                target[key] = rng.choice(VALUES)
    return content


@pytest.mark.parametrize("cases", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_spoilt_parameter_files_are_values_or_one_sentence(tmp_path: Path, cases: int) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    content, rng, path = yaml.safe_load(text), random.Random(0), tmp_path / "params.yaml"
    refused = 0
    for case in range(cases):
        if case % 20:  # most change what the file says, some how it is written
            told = mistake(partial(in_sections, spoilt(rng, content)))
        else:
            letters = list(text)
            for _ in range(rng.randint(1, 6)):
                at = rng.randrange(len(letters))
                letters[at : at + rng.randint(0, 3)] = rng.choice(MARKS)
            path.write_text("".join(letters), encoding="utf-8")
            told = mistake(partial(load_all, path))
        if told is not None:
            refused += 1
            assert "\n" not in told
            assert len(told) < 1500
    assert 0.8 * cases < refused < cases


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [1, 1]\n" + "".join(f"{n}: &{n} [{', '.join([f'*{o}'] * 9)}]\n" for o, n in pairwise("abcdefghi")),
        "[" * 5000,
        "a: " + "9" * 5000,
        "!!timestamp yesterday",
        "!!bool maybe",
        "!!float '1,5'",
        "2024-13-45",
        "? [a, b]\n: 1",
        "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace") + "\0",
    ],
)
def test_yaml_s_own_traps_are_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as raised:
        load_all(tmp_path / "params.yaml")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 1500
