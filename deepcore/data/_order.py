"""Random orders that are pure functions of a seed: the same on every machine and in every version of NumPy."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from ..random._bits import check_seed, order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Purpose(IntEnum):
    """What an order is for. Orders of one seed for different purposes are independent."""

    SHUFFLE = int.from_bytes(b"shuf")
    SPLIT = int.from_bytes(b"splt")
    TRANSFORM = int.from_bytes(b"tran")
    WEIGHTED = int.from_bytes(b"wght")
    STRATIFIED = int.from_bytes(b"strt")
    BATCHES = int.from_bytes(b"btch")
    OFFSET = int.from_bytes(b"ofst")
    WITHIN = int.from_bytes(b"with")


def random_order(n: int, *, seed: int, purpose: Purpose, index: int = 0) -> NDArray[np.intp]:
    """Return a random permutation of 0 .. n-1: the order of n numbers of Philox4x64-10 with key (seed, stream).

    The stream is that of the purpose and the index (0 ≤ index < 2**32).
    """
    return order(n, check_seed(seed), stream(purpose, index))


def stream(purpose: Purpose, index: int) -> int:
    """Return the number of a stream: the upper half is the purpose, the lower half the index."""
    return purpose << 32 | index
