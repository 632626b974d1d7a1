"""Threads that compute a program together.

All of them run the same function, each its own share of every step, or that of another who is late, and go on when all
shares of a step are done (single program, multiple data [1]_). Between programs they wait: awake for some microseconds,
as the next step of a training loop comes soon, and then asleep. Whoever waits lets other processes run.

BLAS computes on one thread meanwhile, because each of these threads calls it with its own part of a product. Otherwise
it computes on these threads too, where it lets itself be told: threads of its own, which look for work for a tenth of a
second after each product, would compete with these.

References
----------
.. [1] F. Darema et al., A single-program-multiple-data computational model for EPEX/FORTRAN, Parallel Computing 7,
       1988
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
import time
from functools import cache
from importlib import resources
from typing import Final

from ._blas import Blas, blas
from ._compiler import Library

MOST: Final = 64
"""The largest number of threads."""
PIECES: Final = 4
"""How many shares of a phase there may be for each thread."""
ALONE: Final = -(1 << 62)
"""The first phase of a program that one thread computes."""

SHARING: Final = ("take", "give", "meet")
"""The functions that hand out shares."""

_PAUSES: Final = {"x86_64": "pause", "amd64": "pause", "aarch64": "yield", "arm64": "yield"}
_NUMBERS: Final = {
    "MOST": MOST,
    "SHARES": MOST * PIECES,
    "ALONE": ALONE,
    "SPINS": 20_000,  # how many times a thread looks for work before it sleeps: about a millisecond
    "LONG": 512,  # how many times the one that launches looks for the others before it takes notice
    # In nanoseconds:
    "SLICE": 2_000_000,  # a wait that is shorter, in all, says nothing: the system's time slices are about as long
    "WINDOW": 64_000_000,  # how long what was noticed matters
    "LENGTHY": 40_000_000,  # a program that takes as long is always computed together
    "SOON": 10_000_000,  # how long the one that launches computes alone at first, ...
    "LATE": 640_000_000,  # ... and at most
}
_FUNCTIONS: Final = ("begin", "start", "launch", "lend", *SHARING)


class Pool:
    """The threads of a process.

    Parameters
    ----------
    library
        NumPy's BLAS, which has to have functions that get and set its number of threads.

    Attributes
    ----------
    launch
        The address of the function that runs programs.
    shares
        Those of the functions that hand out shares.
    lends
        Whether BLAS computes on these threads too.
    """

    def __init__(self, library: Blas) -> None:
        symbols = {"deepcore_blas_threads": library.threads, "deepcore_set_blas_threads": library.set_threads}
        self._library = Library(_source(library.most_threads), _FUNCTIONS, symbols)
        self.shares = {name: self._library.addresses[name] for name in SHARING}
        self.launch = self._library.addresses["launch"]
        self._start = ctypes.CFUNCTYPE(None, ctypes.c_int64)(self._library.addresses["start"])
        self.forget()
        threads = ctypes.CFUNCTYPE(ctypes.c_int)(library.threads)()
        self.lends = bool(library.set_callback) and 2 * threads <= library.most_threads
        if self.lends:
            ctypes.CFUNCTYPE(None, ctypes.c_void_p)(library.set_callback)(self._library.addresses["lend"])
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))  # threads and BLAS have its code until the process ends

    def forget(self) -> None:
        """Begin with one thread, as in a process that was just forked."""
        ctypes.CFUNCTYPE(None)(self._library.addresses["begin"])()

    def start(self, threads: int) -> None:
        """See to it that there are so many threads, with the one that asks."""
        self._start(threads)


def _source(most: int) -> str:
    instruction = _PAUSES.get(platform.machine().lower())
    pause = f'call void asm sideeffect "{instruction}", ""()' if instruction else ""
    settle = _read("settle.ll") if sys.platform == "linux" else "define internal void @settle() { ret void }"
    files = "\n".join(map(_read, ("pool.ll", "share.ll", "crowd.ll")))
    text = f"{files}\n{settle}\ndefine internal void @pause() {{ {pause} ret void }}\n"
    for name, number in {**_NUMBERS, "CLOCK": time.CLOCK_MONOTONIC, "HIGHEST": most - 1}.items():
        text = re.sub(rf"\b{name}\b", str(number), text)
    return text


def _read(name: str) -> str:
    return resources.files("deepcore_llvm").joinpath(name).read_text(encoding="utf-8")


@cache
def pool() -> Pool | None:
    """Return the threads of this process, or None where there can be none."""
    library = blas()
    if library is None or not library.set_threads or os.name != "posix":
        return None
    return Pool(library)


def _forget() -> None:
    threads = pool() if pool.cache_info().currsize else None
    if threads is not None:
        threads.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
