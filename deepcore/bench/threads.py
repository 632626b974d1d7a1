"""The number of threads to compute with, of deepcore and of the libraries that it is compared with."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .._backend import NOTHING, backend_for_module
from .._threads import usable_cores, use_threads
from .machine import THREAD_VARIABLES, blas

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from .._backend import Backend
    from .peers import Peer
    from .report import Report


def threads_in_use() -> int:
    """Return on how many threads NumPy's BLAS computes, as far as that can be known."""
    known = blas()["threads"]
    if known is not None:
        return int(known)
    given = [os.environ[name] for name in THREAD_VARIABLES if os.environ.get(name, "").isdecimal()]
    return int(given[0]) if given else usable_cores()


@contextmanager
def using_threads(wanted: int | None, peers: Sequence[Peer] = ()) -> Generator[int]:
    """Compute on so many threads within a ``with`` block; None is as many as BLAS has."""
    n = wanted or threads_in_use()
    with NOTHING if wanted is None else use_threads(wanted):
        for backend in _libraries(peers):
            if wanted is not None or backend.name != "jax":
                backend.set_num_threads(n)
                _ = backend.devices  # JAX begins
        yield n


def note_on_threads(report: Report, threads: int, peers: Sequence[Peer]) -> None:
    """Note in a report which of the peers do not keep to the number of threads."""
    for backend in _libraries(peers):
        found = backend.num_threads or usable_cores()
        if backend.name == "jax" and found != threads:
            report.note(
                f"JAX computes on {found} threads, and the others on {threads}; --threads {threads} is for all of them"
            )


def _libraries(peers: Sequence[Peer]) -> list[Backend]:
    """Return the adapters of those peers that have one, and are installed."""
    found = [backend_for_module(peer.module) for peer in peers if peer.is_installed]
    return [backend for backend in found if backend is not None]
