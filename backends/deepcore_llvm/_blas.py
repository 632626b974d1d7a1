"""The matrix products of the BLAS that NumPy has loaded.

NumPy's wheels come with OpenBLAS, whose functions are found through NumPy's own extension module. Where a distribution
links another BLAS, its names are the same without the prefix.
"""

from __future__ import annotations

import ctypes
import importlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

_PATTERNS: Final = {
    "scipy_cblas_{}gemm64_": 64,
    "cblas_{}gemm64_": 64,
    "cblas_{}gemm$NEWLAPACK$ILP64": 64,
    "scipy_cblas_{}gemm": 32,
    "cblas_{}gemm": 32,
}

_THREADS: Final = (
    "scipy_openblas_{}_num_threads64_",
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads64_",
    "openblas_{}_num_threads",
)


@dataclass(frozen=True)
class Blas:
    """Where the functions are, as addresses, 0 for one that is missing.

    Attributes
    ----------
    sgemm, dgemm
        The products of matrices: ``cblas_sgemm`` and ``cblas_dgemm``.
    bits
        How long their integers are.
    threads, set_threads
        OpenBLAS's functions that get and set on how many threads it computes.
    """

    sgemm: int
    dgemm: int
    bits: int
    threads: int
    set_threads: int

    @contextmanager
    def on_one_thread(self) -> Generator[None]:
        """Let it compute on one thread, where that can be set.

        Its other threads look for work for a tenth of a second after a product, and would take a core from whatever
        else computes on several threads in the meantime.
        """
        if not (self.threads and self.set_threads):
            yield
            return
        threads = ctypes.CFUNCTYPE(ctypes.c_int)(self.threads)()
        set_threads = ctypes.CFUNCTYPE(None, ctypes.c_int)(self.set_threads)
        set_threads(1)
        try:
            yield
        finally:
            set_threads(threads)


@cache
def blas() -> Blas | None:
    """Return NumPy's BLAS, or None where its functions are not found."""
    library = ctypes.CDLL(importlib.import_module("numpy._core._multiarray_umath").__file__)
    for pattern, bits in _PATTERNS.items():
        sgemm, dgemm = (_address(library, [pattern.format(letter)]) for letter in "sd")
        if sgemm and dgemm:
            threads = [_address(library, [name.format(what) for name in _THREADS]) for what in ("get", "set")]
            return Blas(sgemm, dgemm, bits, *threads)
    return None


def _address(library: ctypes.CDLL, names: Sequence[str]) -> int:
    """Return where the first of some functions is that there is, or 0."""
    for name in names:
        if hasattr(library, name):
            return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
    return 0
