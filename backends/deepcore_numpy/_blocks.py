"""Work on large arrays, block by block, on as many threads as it is worth: NumPy computes without the interpreter lock.

A block is small enough to stay in the cache from the first operation on it to the last. What a block gives does not
depend on the number of threads, and neither does the order in which the blocks' results are added.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deepcore._threads import num_threads

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK: Final = 65536
"""The elements of a block: a few arrays of as many fit into the second-level cache of most processors."""

PARALLEL: Final = 1 << 20
"""From how many elements on threads cost less than they gain."""

MOST_THREADS: Final = 8
"""More threads wait for memory, and for the interpreter."""


def rows_of_a_block(length: int) -> int:
    """Return how many rows of a length make a block, at least one."""
    return max(1, BLOCK // max(1, length))


def over_blocks(
    work: Callable[[int, int], None], rows: int, step: int, length: int, *, threads: int | None = None
) -> None:
    """Call ``work(start, stop)`` for ranges of whole blocks that together are all rows.

    Parameters
    ----------
    work
        What to do with rows from ``start`` up to ``stop``, in blocks of ``step`` rows.
    rows, step
        The number of all rows, and of those of a block.
    length
        The length of a row.
    threads
        On how many threads at most, if not on as many as :func:`worth_threads` says.
    """
    blocks = -(-rows // step)
    threads = min(worth_threads(rows * length) if threads is None else threads, blocks)
    if threads < 2:
        work(0, rows)
        return
    ends = [min(rows, blocks * i // threads * step) for i in range(threads + 1)]
    # The settings of numpy.errstate are the caller's: they live in the context.
    futures = [_pool().submit(copy_context().run, work, a, b) for a, b in pairwise(ends[1:])]
    work(ends[0], ends[1])
    for future in futures:
        future.result()


def worth_threads(size: int) -> int:
    """Return how many threads a few passes over so many elements are worth."""
    return min(num_threads(), MOST_THREADS) if size >= PARALLEL else 1


def over_elements(function: Callable[..., object], *arrays: Any) -> None:
    """Call a function of each element, of operands and the array for its result, on parts of them on several threads.

    Parameters
    ----------
    function
        A function of NumPy's.
    arrays
        Its operands, which may be numbers too, and what it writes to. If these are not all alike, it is called once.
    """
    *operands, out = arrays
    whole = [x for x in arrays if isinstance(x, np.ndarray) and x.ndim]
    if not all(x.shape == out.shape and x.flags.c_contiguous for x in whole):
        function(*operands, out=out)
        return
    flat = [x.reshape(-1) if isinstance(x, np.ndarray) and x.ndim else x for x in operands]
    target = out.reshape(-1)

    def work(start: int, stop: int) -> None:
        parts = [x[start:stop] if isinstance(x, np.ndarray) and x.ndim else x for x in flat]
        function(*parts, out=target[start:stop])

    over_blocks(work, out.size, BLOCK, 1)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MOST_THREADS - 1, thread_name_prefix="deepcore-numpy")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork
