"""The tree of n-grams: as a file holds it, and with what a search needs beside it.

The root is the empty n-gram; the child of a node by a symbol is the n-gram with that symbol behind it. Nodes stand in
order of their length, then of their parents, then of their last symbols.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emnist_lines.common.alphabet import SYMBOLS
from emnist_lines.language.config import DEEPEST
from emnist_lines.language.counts import KNOWN

LEAST = -40
"""Of logs of shares and escapes: no text is long enough for less. So no probability becomes 0."""


@dataclass(frozen=True)
class Packed:
    """What cannot be derived.

    Attributes:
        symbols: (N,) uint8, each node's last symbol; the root's is 0.
        children: (N,) uint8, how many children it has.
        shares: (N - 1,) float16, natural log of the share of its context's probability that each node but the root has
            for itself, up to a factor per context.
        escapes: (contexts,) float16, natural log of what each node that has children leaves to the shorter context.
    """

    symbols: NDArray[np.uint8]
    children: NDArray[np.uint8]
    shares: NDArray[np.float16]
    escapes: NDArray[np.float16]


@dataclass(frozen=True)
class Tree:
    """All nodes and, behind them, one that stands for nothing: the root's shorter context.

    Attributes:
        followers: (N + 1,) int64, bit s is set if there is a child by symbol s.
        first: (N + 1,) int32, the first child.
        shorter: (N + 1,) int32, the n-gram without its first symbol.
        context: (N + 1,) int32, the longest end of the n-gram that has children: the context of what comes next.
        log_probs: (N + 1,) float32, natural log of the probability of the last symbol in its context; the root's is
            that of each symbol of the alphabet where nothing is known.
        escapes: (N + 1,) float32, as in `Packed`; 0 without children.
        depth: the longest n-gram's symbols.
    """

    followers: NDArray[np.int64]
    first: NDArray[np.int32]
    shorter: NDArray[np.int32]
    context: NDArray[np.int32]
    log_probs: NDArray[np.float32]
    escapes: NDArray[np.float32]
    depth: int


def unpack(packed: Packed) -> Tree:
    """The tree.

    Raises:
        ValueError: these are not the n-grams of a text.
    """
    nodes = len(packed.symbols)
    _check(packed, nodes)
    children = packed.children.astype(np.int64)
    inner = np.flatnonzero(children)
    first = 1 + np.cumsum(children) - children
    parents = np.repeat(np.arange(nodes), children)  # of all nodes but the root
    bits = np.int64(1) << packed.symbols[1:].astype(np.int64)
    followers = np.zeros(nodes + 1, dtype=np.int64)
    followers[inner] = np.add.reduceat(bits, first[inner] - 1)
    same_parent = parents[1:] == parents[:-1]
    if (packed.symbols[2:] <= packed.symbols[1:-1])[same_parent].any():
        raise ValueError("its n-grams are in disorder")
    escapes = np.zeros(nodes + 1)
    escapes[inner] = packed.escapes
    shares = np.exp(packed.shares.astype(np.float64))
    sums = np.add.reduceat(shares, first[inner] - 1)
    shares *= np.repeat(-np.expm1(escapes[inner]) / sums, children[inner])  # with the escape they sum to 1
    left = np.exp(escapes)

    shorter, context = np.zeros(nodes + 1, dtype=np.int64), np.arange(nodes + 1)
    shorter[[0, nodes]] = nodes
    probs = np.ones(nodes + 1)
    probs[0] = 1 / len(SYMBOLS)
    start, stop, depth = 1, 1 + int(children[0]), 0
    while stop > start:
        if depth == DEEPEST:
            raise ValueError(f"its n-grams are longer than {DEEPEST}")
        level, depth = slice(start, stop), depth + 1
        above = parents[start - 1 : stop - 1]
        if depth > 1:
            by = shorter[above]
            bit = bits[start - 1 : stop - 1]
            if not (followers[by] & bit).all():
                raise ValueError("a part of one of its n-grams is missing")
            shorter[level] = first[by] + np.bitwise_count(followers[by] & (bit - 1))
        probs[level] = shares[start - 1 : stop - 1] + left[above] * probs[shorter[level]]
        context[level] = np.where(children[level] > 0, np.arange(start, stop), context[shorter[level]])
        start, stop = stop, stop + int(children[level].sum())
    return Tree(
        followers,
        np.append(first, 0).astype(np.int32),
        shorter.astype(np.int32),
        context.astype(np.int32),
        np.log(probs).astype(np.float32),
        escapes.astype(np.float32),
        depth,
    )


def _check(packed: Packed, nodes: int) -> None:
    """Whether the arrays belong together.

    Raises:
        ValueError: they do not.
    """
    shapes = [array.shape for array in (packed.symbols, packed.children, packed.shares, packed.escapes)]
    if nodes < 2 or shapes != [(nodes,), (nodes,), (nodes - 1,), (np.count_nonzero(packed.children),)]:
        raise ValueError("its arrays are not of one tree")
    if packed.children.sum(dtype=np.int64) != nodes - 1 or packed.symbols.max() >= len(KNOWN):
        raise ValueError("its nodes are not those of a tree")
    behind = 1 + np.cumsum(packed.children, dtype=np.int64)  # where the children of all nodes so far end
    if (behind[:-1] <= np.arange(1, nodes)).any():
        raise ValueError("a node of it has no parent")
    for logs, most in ((packed.shares, 0), (packed.escapes, -np.finfo(np.float16).smallest_subnormal)):
        if not ((logs >= LEAST) & (logs <= most)).all():  # nan is neither
            raise ValueError("its probabilities are none")
