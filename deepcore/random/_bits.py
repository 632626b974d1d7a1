r"""Random words by counting, and what is made of them by exact arithmetic: uniform numbers, integers and orders.

The words are those of Philox4x64-10 with the key (seed, draw), which NumPy promises to keep
(:class:`numpy.random.Philox`, ``random_raw``). What NumPy's ``Generator`` makes of them it may change (NEP 19), so
nothing here uses it.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORDS: Final = 2**64


def check_word(name: str, value: int) -> int:
    """Return a seed, or another half of a key, as an integer, or raise ConfigError."""
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if not 0 <= number < WORDS:
        msg = f"{name} is an integer from 0 to 2**64 - 1, not {value!r}"
        raise ConfigError(msg)
    return number


def check_seed(seed: int) -> int:
    """Return a seed as an integer, or raise ConfigError."""
    return check_word("seed", seed)


def words(seed: int, draw: int, n: int) -> NDArray[np.uint64]:
    """Return the first n words of the stream with this key."""
    return np.random.Philox(key=np.array([seed, draw], np.uint64)).random_raw(n)


def halves(seed: int, draw: int, n: int) -> NDArray[np.uint32]:
    """Return the first n half words of a stream, the lower half of each word first."""
    return words(seed, draw, (n + 1) // 2).astype("<u8", copy=False).view("<u4")[:n]


def folded(seed: int, draw: int, data: int) -> int:
    """Return a word that depends on a key and on a number: the counter is where no draw arrives."""
    key = np.array([seed, draw], np.uint64)
    counter = np.array([0, 0, data, 1], np.uint64)
    return int(np.random.Philox(counter=counter, key=key).random_raw())


def uniforms(seed: int, draw: int, n: int, dtype: type[np.floating[Any]]) -> NDArray[Any]:
    r"""Return n multiples of $2^{-24}$ (float32) or $2^{-53}$ (float64) in [0, 1), each equally likely.

    They are the upper bits of half words or words, and what ``Generator.random`` of NumPy gives today.
    """
    if dtype is np.float32:
        h = halves(seed, draw, n)
        h >>= np.uint32(8)
        u = h.astype(np.float32)
        u *= np.float32(2.0**-24)
        return u
    w = words(seed, draw, n)
    w >>= np.uint64(11)
    v = w.astype(np.float64)
    v *= 2.0**-53
    return v


def below(bound: int, seed: int, draw: int, n: int) -> NDArray[np.uint64]:
    r"""Return n integers from 0 to bound - 1, each equally likely, for a bound from 1 to $2^{64}$.

    They are remainders of words. Of the $2^{64}$ words the last $2^{64} \bmod \text{bound}$, which would favour small
    remainders, are rejected, and the words that follow in the stream take their places, in order.
    """
    if bound == WORDS:
        return words(seed, draw, n)
    bits = np.random.Philox(key=np.array([seed, draw], np.uint64))
    result = bits.random_raw(n)
    last = np.uint64(WORDS - WORDS % bound - 1)
    while (rejected := np.flatnonzero(result > last)).size:
        result[rejected] = bits.random_raw(rejected.size)
    result %= np.uint64(bound)
    return result


def order(n: int, seed: int, draw: int) -> NDArray[np.intp]:
    """Return a random permutation of 0 .. n-1: the order of the first n words of a stream.

    Equal words, which keep their order, would make it uneven; that any two of n are equal has probability n²/2**65.
    """
    return np.argsort(words(seed, draw, n), kind="stable")
