"""Threads: on how many of them everything computes, set in one place.

BLAS, PyTorch, JAX and deepcore's own loops over blocks of an array each have a number of threads. ``DEEPCORE_THREADS``
sets all of them from the beginning, :func:`set_num_threads` from then on, and :func:`use_threads` for a while. Where
nobody asks for a number, each library keeps its own.
"""

from __future__ import annotations

import operator
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, SupportsIndex

from ._backend import known_backends
from ._errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator

    from ._backend import Backend

ENVIRONMENT: Final = "DEEPCORE_THREADS"

_chosen: list[int | None] = [None]  # of the process, as the threads of BLAS are


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def num_threads() -> int:
    """Return on how many threads deepcore computes: what was set, or ``DEEPCORE_THREADS``, or one for each core.

    Raises
    ------
    ConfigError
        If ``DEEPCORE_THREADS`` is not a whole number, at least 1.

    Examples
    --------
    >>> import deepcore as dc
    >>> with dc.use_threads(2):
    ...     dc.num_threads()
    2
    """
    return _wanted() or usable_cores()


def set_num_threads(n: SupportsIndex | None, /) -> None:
    """Compute on so many threads from now on, in every library and every thread; None returns to the initial numbers.

    It is told to the array libraries that are loaded, and to each of the others as soon as one of its devices is used.

    Parameters
    ----------
    n
        The number, at least 1: of BLAS and OpenMP, of PyTorch, of Numba where it is loaded, and of deepcore's own work
        on large arrays. JAX takes the number when it begins, and keeps it.

    Raises
    ------
    ConfigError
        If it is not a whole number, at least 1.

    Warns
    -----
    UserWarning
        If JAX has begun with another number.
    """
    _chosen[0] = None if n is None else _checked(n, "a number of threads")
    loaded = [backend for backend in known_backends() if backend.module in sys.modules]
    for backend in loaded:
        _ = backend.initial_threads  # of all of them first: they may share the threads of OpenMP
    for backend in loaded:
        backend.set_num_threads(_wanted())


@contextmanager
def use_threads(n: SupportsIndex | None, /) -> Generator[int]:
    """Compute on so many threads within a ``with`` block.

    The threads of BLAS belong to the process, and so does this number: other threads of Python see it too.

    Parameters
    ----------
    n
        The number, at least 1, as for :func:`set_num_threads`.

    Raises
    ------
    ConfigError
        If it is not a whole number, at least 1.

    Examples
    --------
    >>> import deepcore as dc
    >>> before = dc.num_threads()
    >>> with dc.use_threads(1) as n:
    ...     n
    1
    >>> dc.num_threads() == before
    True
    """
    before = _chosen[0]
    set_num_threads(n)
    try:
        yield num_threads()
    finally:
        set_num_threads(before)


def tell(backend: Backend) -> None:
    """Let a backend of which a device is used for the first time know the number, where there is one."""
    n = _wanted()
    if n is not None:
        _ = backend.initial_threads
        backend.set_num_threads(n)


def _wanted() -> int | None:
    """Return the number that somebody asked for, or None."""
    if _chosen[0] is not None:
        return _chosen[0]
    given = os.environ.get(ENVIRONMENT, "")
    if not given:
        return None
    try:
        return _checked(int(given), ENVIRONMENT)
    except ValueError:
        msg = f"{ENVIRONMENT} is a whole number, at least 1, not {given!r}"
        raise ConfigError(msg) from None


def _checked(n: Any, what: str) -> int:
    try:
        number = operator.index(n)
    except TypeError:
        number = 0
    if number < 1 or isinstance(n, bool):
        msg = f"{what} is a whole number, at least 1, not {n!r}"
        raise ConfigError(msg)
    return number
