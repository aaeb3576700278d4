"""Text and tokens, there and back."""

import pytest

from emnist_lines.common.alphabet import (
    BLANK,
    CHARACTERS,
    CLASSES,
    END,
    PAD,
    SPACE,
    START,
    SYMBOLS,
    decode,
    encode,
    frame,
)


def test_83_symbols_in_the_lab_s_order() -> None:
    assert len(SYMBOLS) == 83
    assert SYMBOLS[:6] == ("<B>", "<S>", "<E>", "<P>", "0", "1")
    assert [SYMBOLS[i] for i in (BLANK, START, END, PAD, SPACE)] == ["<B>", "<S>", "<E>", "<P>", " "]
    assert "".join(SYMBOLS[66:]) == " !\"#&'()*+,-./:;?"
    assert len(CLASSES) == 62


@pytest.mark.parametrize("text", ["", "a", "Hello World 42", CHARACTERS])
@pytest.mark.parametrize("with_tokens", [True, False])
def test_round_trip(text: str, with_tokens: bool) -> None:
    tokens = frame(encode(text), 90, with_tokens)
    assert len(tokens) == 90
    assert decode(tokens) == text


def test_frame() -> None:
    assert frame([7, 8], 6) == [START, 7, 8, END, PAD, PAD]
    assert frame([7, 8], 3, with_start_end_tokens=False) == [7, 8, PAD]
    with pytest.raises(ValueError, match="4 tokens do not fit into max_length 3"):
        frame([7, 8], 3)


def test_what_follows_the_end_is_not_read() -> None:
    assert decode([START, 7, END, 8, 9]) == SYMBOLS[7]


@pytest.mark.parametrize("text", ["é", "a\n", "50%"])
def test_unknown_characters_are_named(text: str) -> None:
    with pytest.raises(ValueError, match="the alphabet has no character"):
        encode(text)


@pytest.mark.parametrize("index", [-1, 83])
def test_unknown_tokens_are_named(index: int) -> None:
    with pytest.raises(ValueError, match=f"no token {index}"):
        decode([index])
