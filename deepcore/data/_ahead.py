"""Doing things ahead in threads, a bounded number of them."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, depth: int, workers: int
) -> Generator[Result, None, None]:
    """Yield what a function makes of items, in their order, computing up to `depth` results ahead in threads.

    There are never more than `depth` results besides the one that was yielded. An error is raised where its result
    would have been yielded. The threads end when the generator does, also where it is closed or dropped before.
    """
    rest = iter(items)
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(min(workers, depth), thread_name_prefix="deepcore-data")
    try:
        waiting.extend(pool.submit(function, item) for item in islice(rest, depth))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(rest, 1))
            yield result
            del result  # the reader may be done with it
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
