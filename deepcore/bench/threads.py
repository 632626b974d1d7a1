"""The number of threads to compute with: of BLAS, and of PyTorch."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .._backend import Library
from .._errors import ConfigError
from .machine import THREAD_VARIABLES, blas, has_threadpoolctl, usable_cores

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from .peers import Peer
    from .report import Report

threadpoolctl: Any = Library("threadpoolctl")
torch: Any = Library("torch")


def threads_in_use() -> int:
    """Return on how many threads NumPy's BLAS computes, as far as that can be known."""
    known = blas()["threads"]
    if known is not None:
        return int(known)
    given = [os.environ[name] for name in THREAD_VARIABLES if os.environ.get(name, "").isdecimal()]
    return int(given[0]) if given else usable_cores()


@contextmanager
def using_threads(wanted: int | None, peers: Sequence[Peer] = ()) -> Generator[int]:
    """Compute on so many threads within a ``with`` block; None is as many as BLAS has.

    Raises
    ------
    ConfigError
        If BLAS has another number of threads, and there is no threadpoolctl to change that.
    """
    if wanted is None or wanted == threads_in_use():
        found = threads_in_use()
        _tell_torch(found, peers)
        yield found
        return
    if not has_threadpoolctl():
        variables = " ".join(f"{name}={wanted}" for name in THREAD_VARIABLES[:2])
        msg = (
            f"BLAS computes on {threads_in_use()} threads, and to change that for --threads {wanted} needs "
            f"threadpoolctl (pip install threadpoolctl); or set it before Python begins: {variables} deepcore bench ..."
        )
        raise ConfigError(msg)
    with threadpoolctl.threadpool_limits(wanted):
        _tell_torch(wanted, peers)
        yield wanted


def _tell_torch(threads: int, peers: Sequence[Peer]) -> None:
    if any(peer.name == "torch" and peer.is_installed for peer in peers):
        torch.set_num_threads(threads)


def note_on_threads(report: Report, threads: int, peers: Sequence[Peer]) -> None:
    """Note in a report which of the peers do not keep to the number of threads."""
    if any(peer.name == "jax" and peer.is_installed for peer in peers) and threads != usable_cores():
        report.note(
            f"JAX computes on as many threads as there are cores, {usable_cores()}, and the others on {threads}; "
            "`taskset` limits the cores of a process"
        )
