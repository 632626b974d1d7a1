"""The matrix products of the BLAS that NumPy has loaded.

NumPy's wheels come with OpenBLAS, whose functions are found through NumPy's own extension module. Where a distribution
links another BLAS, its names are the same without the prefix.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Final

from numpy._core import _multiarray_umath

_PATTERNS: Final = {
    "scipy_cblas_{}gemm64_": 64,
    "cblas_{}gemm64_": 64,
    "cblas_{}gemm$NEWLAPACK$ILP64": 64,
    "scipy_cblas_{}gemm": 32,
    "cblas_{}gemm": 32,
}


@dataclass(frozen=True)
class Blas:
    """Where ``cblas_sgemm`` and ``cblas_dgemm`` are, and how long their integers are, in bits."""

    sgemm: int
    dgemm: int
    bits: int


@cache
def blas() -> Blas | None:
    """Return NumPy's BLAS, or None where its functions are not found."""
    library = ctypes.CDLL(_multiarray_umath.__file__)
    for pattern, bits in _PATTERNS.items():
        found = [getattr(library, pattern.format(letter), None) for letter in "sd"]
        if all(found):
            sgemm, dgemm = (ctypes.cast(function, ctypes.c_void_p).value or 0 for function in found)
            return Blas(sgemm, dgemm, bits)
    return None
