"""The matrix products of the BLAS that NumPy has loaded.

NumPy's wheels come with OpenBLAS, whose functions are found through NumPy's own extension module. Where a distribution
links another BLAS, its names are the same without the prefix.
"""

from __future__ import annotations

import ctypes
import importlib
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_PATTERNS: Final = {
    "scipy_cblas_{}64_": 64,
    "cblas_{}64_": 64,
    "cblas_{}$NEWLAPACK$ILP64": 64,
    "scipy_cblas_{}": 32,
    "cblas_{}": 32,
}
_PRODUCTS: Final = ("sgemm", "dgemm", "sgemv", "dgemv")

_THREADS: Final = (
    "scipy_openblas_{}_num_threads64_",
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads64_",
    "openblas_{}_num_threads",
)
_CALLBACKS: Final = tuple(name.replace("{}_num_threads", "set_threads_callback_function") for name in _THREADS)
_CONFIGURATIONS: Final = tuple(name.replace("{}_num_threads", "get_config") for name in _THREADS)


@dataclass(frozen=True)
class Blas:
    """Where the functions are, as addresses, 0 for one that is missing.

    Attributes
    ----------
    products
        The products of matrices, ``cblas_sgemm`` and ``cblas_dgemm``, and those of matrices and vectors,
        ``cblas_sgemv`` and ``cblas_dgemv``, by the ends of these names.
    bits
        How long their integers are.
    threads, set_threads
        OpenBLAS's functions that get and set on how many threads it computes.
    set_callback
        The one by which it is given threads.
    most_threads
        How many threads it was built for, 0 where it does not say.
    """

    products: dict[str, int]
    bits: int
    threads: int
    set_threads: int
    set_callback: int
    most_threads: int


@cache
def blas() -> Blas | None:
    """Return NumPy's BLAS, or None where its functions are not found."""
    library = ctypes.CDLL(importlib.import_module("numpy._core._multiarray_umath").__file__)
    for pattern, bits in _PATTERNS.items():
        products = {name: _address(library, [pattern.format(name)]) for name in _PRODUCTS}
        if all(products.values()):
            get, set_ = (_address(library, [name.format(what) for name in _THREADS]) for what in ("get", "set"))
            return Blas(products, bits, get, set_, _address(library, _CALLBACKS), _most_threads(library))
    return None


def _most_threads(library: ctypes.CDLL) -> int:
    address = _address(library, _CONFIGURATIONS)
    text = ctypes.CFUNCTYPE(ctypes.c_char_p)(address)() if address else b""
    found = re.search(rb"MAX_THREADS=(\d+)", text)
    return int(found[1]) if found else 0


def _address(library: ctypes.CDLL, names: Sequence[str]) -> int:
    """Return where the first of some functions is that there is, or 0."""
    for name in names:
        if hasattr(library, name):
            return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
    return 0
