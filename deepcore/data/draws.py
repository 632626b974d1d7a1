r"""Random numbers for each sample of a batch, which do not depend on how the samples are put into batches.

They are words of Philox4x64-10 with the key (seed, stream of the epoch) and the counter (block, 0, row, repeat),
computed for all rows at once; :class:`numpy.random.Philox` gives the same words, one row after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from ..random._bits import check_seed
from ._order import Purpose, stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words: TypeAlias = NDArray[np.uint64]

_ROUNDS: Final = 10
_MULTIPLIERS: Final = tuple(
    (np.uint64(word & 0xFFFFFFFF), np.uint64(word >> 32)) for word in (0xD2E7470EE14C6C93, 0xCA5A826395121157)
)
_INCREMENTS: Final = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_LOW: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)


class Draws:
    """The random numbers of the samples in a batch: functions of the seed, the epoch, and the sample's row.

    Each call of `uniform` gives fresh numbers. Two `Draws` of the same samples give the same numbers in the same order,
    whatever else is in the batch, whichever thread asks, and on every machine.

    Parameters
    ----------
    seed
        0 to 2**64 - 1.
    epoch
        0 to 2**32 - 1.
    rows
        The rows of the samples in their data set, of shape (n,).
    repeats
        How often each row was served before in this epoch, of shape (n,), where a sampler repeats rows; 0 by default.

    Examples
    --------
    >>> from deepcore.data import Draws
    >>> both, one = Draws(0, 3, [7, 8]), Draws(0, 3, [8])
    >>> bool((both.uniform()[1] == one.uniform()[0]).all())
    True

    References
    ----------
    J. K. Salmon, M. A. Moraes, R. O. Dror and D. E. Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011.
    """

    def __init__(self, seed: int, epoch: int, rows: Any, repeats: Any = None) -> None:
        self._key = (check_seed(seed), stream(Purpose.TRANSFORM, epoch))
        self._rows: Words = np.asarray(rows, np.uint64)
        self._repeats: Words = np.zeros_like(self._rows) if repeats is None else np.asarray(repeats, np.uint64)
        self._block = 0

    def __len__(self) -> int:
        return len(self._rows)

    def uniform(self, count: int = 1) -> NDArray[np.float64]:
        """Return numbers from [0, 1), multiples of 2**-53, of shape (n, count)."""
        n, blocks = len(self), -(-count // 4)
        block = np.arange(self._block + 1, self._block + blocks + 1, dtype=np.uint64)  # NumPy too begins with 1
        self._block += blocks
        rows, repeats = np.repeat(self._rows, blocks), np.repeat(self._repeats, blocks)
        parts = _philox((np.tile(block, n), np.zeros_like(rows), rows, repeats), self._key)
        words = np.stack(parts, axis=1).reshape(n, 4 * blocks)[:, :count]
        return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def integers(self, *highs: int) -> NDArray[np.intp]:
        """Return whole numbers from 0 to high - 1 for each high: uniform numbers times it, rounded down.

        The shape is (n, number of highs).
        """
        return (self.uniform(len(highs)) * highs).astype(np.intp)


def _philox(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """Return the four words of Philox4x64-10 at each counter."""
    a, b, c, d = counter
    for i in range(_ROUNDS):
        k, m = (np.uint64((word + i * increment) % 2**64) for word, increment in zip(key, _INCREMENTS, strict=True))
        high_a, low_a = _product(a, *_MULTIPLIERS[0])
        high_c, low_c = _product(c, *_MULTIPLIERS[1])
        a, b, c, d = high_c ^ b ^ k, low_c, high_a ^ d ^ m, low_a
    return a, b, c, d


def _product(x: Words, low: np.uint64, high: np.uint64) -> tuple[Words, Words]:
    """Return the upper and the lower word of products with a constant of two half words."""
    x_low, x_high = x & _LOW, x >> _HALF
    first = x_low * low
    second = x_high * low + (first >> _HALF)  # below 2**64: (2**32 - 1)**2 + 2**32 - 1
    third = x_low * high + (second & _LOW)
    return x_high * high + (second >> _HALF) + (third >> _HALF), (third << _HALF) | (first & _LOW)
