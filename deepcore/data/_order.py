"""Random orders that are pure functions of a seed: the same on every machine and in every version of NumPy."""

from __future__ import annotations

import operator
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from .._errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Purpose(IntEnum):
    """What an order is for. Orders of one seed for different purposes are independent."""

    SHUFFLE = int.from_bytes(b"shuf")
    SPLIT = int.from_bytes(b"splt")


def check_seed(seed: int) -> int:
    """Return a seed as an integer, or raise ConfigError."""
    try:
        value = operator.index(seed)
    except TypeError:
        value = -1
    if not 0 <= value < 2**64:
        message = f"seed is an integer from 0 to 2**64 - 1, not {seed!r}"
        raise ConfigError(message)
    return value


def random_order(n: int, *, seed: int, purpose: Purpose, index: int = 0) -> NDArray[np.intp]:
    """Return a random permutation of 0 .. n-1: the order of n numbers of Philox4x64-10 with key (seed, stream).

    The upper half of the stream's number is the purpose, the lower half the index (0 ≤ index < 2**32). The numbers
    are sorted, rather than `numpy.random.Generator.permutation` used, because NumPy guarantees the numbers of Philox
    for ever but the permutations made of them only within a version.
    """
    key = np.array([check_seed(seed), purpose << 32 | index], dtype=np.uint64)
    return np.argsort(np.random.Philox(key=key).random_raw(n), kind="stable")
