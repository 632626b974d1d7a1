"""Memory for results, which go to whoever called.

The caller holds a result for as long as it likes, and so each run writes to memory that nobody holds: that of an
earlier result, where it was given up, and new memory otherwise. A large block of new memory comes from the system,
which clears it page by page, and that takes longer than most computations of its elements.
"""

from __future__ import annotations

from sys import getrefcount
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from deepcore._typing import Shape

    Array = np.ndarray[Any, Any]

LARGE: Final = 1 << 18
"""The bytes from which a result is computed where it stays. Memory for smaller ones costs little."""

KEPT: Final = 2
"""How many blocks of memory are kept: one that the caller has from the run before, and one for the next."""

ALIGNMENT: Final = 64


class Results:
    """The memory of a result: gives an array that nobody else has, in each run.

    Every array that is a view of a block, however it was made, holds the block. So Python's count of references tells
    whether anybody does.

    Parameters
    ----------
    shape, dtype
        Those of the array.

    Examples
    --------
    >>> import numpy as np
    >>> results = Results((3,), np.dtype(np.float32))
    >>> first, second = results(), results()
    >>> np.may_share_memory(first, second)
    False
    >>> address = first.ctypes.data
    >>> del first
    >>> results().ctypes.data == address
    True
    """

    def __init__(self, shape: Shape, dtype: Any) -> None:
        self._shape = shape
        self._dtype = dtype
        self._n_bytes = int(np.prod(shape)) * dtype.itemsize
        self._blocks: list[Array] = [np.empty(0, np.uint8)]
        (self._idle,) = map(getrefcount, self._blocks)
        self._blocks.clear()

    def __call__(self) -> Array:
        """Return an array, whose content means nothing."""
        counts = list(map(getrefcount, self._blocks))
        if self._idle in counts:
            block = self._blocks[counts.index(self._idle)]
        else:
            block = np.empty(self._n_bytes + ALIGNMENT, np.uint8)
            self._blocks = [*self._blocks[-KEPT + 1 :], block]
        start = -block.__array_interface__["data"][0] % ALIGNMENT
        return block[start : start + self._n_bytes].view(self._dtype).reshape(self._shape)
