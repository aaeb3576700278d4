"""The 83 symbols that a line is written in, and the way between text and token ids.

The order is that of the Full Stack Deep Learning lab's EMNIST mapping, so that token ids agree with it.
"""

from collections.abc import Iterable, Sequence

BLANK, START, END, PAD = 0, 1, 2, 3
SPECIALS = ("<B>", "<S>", "<E>", "<P>")
CLASSES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The 62 characters that EMNIST by-class holds, in the order of its labels."""
CHARACTERS = CLASSES + " !\"#&'()*+,-./:;?"
SYMBOLS = SPECIALS + tuple(CHARACTERS)
SPACE = SYMBOLS.index(" ")
_IDS = {symbol: index for index, symbol in enumerate(SYMBOLS)}


def encode(text: str) -> list[int]:
    """Token ids of `text`, one per character, without `<S>` and `<E>`.

    Raises:
        ValueError: a character is not in the alphabet.
    """
    try:
        return [_IDS[character] for character in text]
    except KeyError as error:
        raise ValueError(f"the alphabet has no character {error.args[0]!r} (in {text!r})") from None


def frame(ids: Sequence[int], max_length: int, with_start_end_tokens: bool = True) -> list[int]:
    """`<S>` ids `<E>` `<P>`… (or ids `<P>`…), exactly `max_length` long.

    Raises:
        ValueError: the ids do not fit.
    """
    tokens = [START, *ids, END] if with_start_end_tokens else list(ids)
    if len(tokens) > max_length:
        raise ValueError(f"{len(tokens)} tokens do not fit into max_length {max_length}")
    return tokens + [PAD] * (max_length - len(tokens))


def decode(ids: Iterable[int]) -> str:
    """Text of token ids up to the first `<E>`; the other special tokens are left out.

    Raises:
        ValueError: an id is outside the alphabet.
    """
    characters = []
    for index in ids:
        if not 0 <= index < len(SYMBOLS):
            raise ValueError(f"the alphabet has {len(SYMBOLS)} symbols, and no token {index}")
        if index == END:
            break
        if index >= len(SPECIALS):
            characters.append(SYMBOLS[index])
    return "".join(characters)
