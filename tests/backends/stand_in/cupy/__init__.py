"""A stand-in for CuPy on a machine without a GPU: ``PYTHONPATH=tests/backends/stand_in pytest --device cuda``.

It has CuPy's functions with CuPy's own signatures, arrays that neither NumPy nor another device can read, and two
devices, of which one is current. What it computes, NumPy computes, and kernels run as C++ on the host. So it finds
calls that CuPy does not take, host arrays where arrays of the device have to be, computations on the wrong device and
wrong arguments of kernels. It says nothing of CuPy's own numbers, nor of speed, and shows nothing that needs a GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import cuda as cuda
from . import host
from ._array import Array
from ._functions import functions, shared

ndarray = Array
__version__ = "14.2.0+stand.in"

globals().update(functions("") | shared())


def asnumpy(a: Any, *_: object, **__: object) -> Any:
    """Return a copy in host memory."""
    return a.get() if isinstance(a, Array) else np.asarray(a)


def array(obj: Any, dtype: Any = None, copy: bool = True, order: str = "K", subok: bool = False, ndmin: int = 0) -> Any:
    """Return a new array on the current device, from the host or another device."""
    if isinstance(obj, Array):
        same = obj._index == cuda.runtime.getDevice() and (dtype is None or obj.dtype == dtype)
        return obj if same and not copy else Array(np.array(obj._host, dtype=dtype))
    if isinstance(obj, (list, tuple)):
        obj = [x._host if isinstance(x, Array) else x for x in obj]
    return Array(np.array(obj, dtype=dtype))


def asarray(a: Any, dtype: Any = None, order: str | None = None, *, blocking: bool = False) -> Any:
    """Return an array on the current device, a copy only where one is needed."""
    return array(a, dtype=dtype, copy=False)


class RawModule:
    """A CUDA source, run on the host."""

    def __init__(self, *, code: str, options: tuple[str, ...] = ()) -> None:
        self._code = code

    def get_function(self, name: str) -> Any:
        """Return one of its kernels."""

        def launch(grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
            given: list[Any] = []
            for x in args:
                if isinstance(x, Array):
                    assert x._index == cuda.runtime.getDevice(), "a kernel of one device on memory of another"
                    assert x._host.flags.c_contiguous, "a kernel counts elements, not strides"
                    given.append(x._host)
                else:
                    assert isinstance(x, np.generic), f"a {type(x).__name__} has no size that a kernel could know"
                    given.append(x)
            host.run(self._code, name, grid[0], block[0], tuple(given))

        return launch


class _Pool:
    def used_bytes(self) -> int:
        return 0


def get_default_memory_pool() -> _Pool:
    """Return a memory pool that nothing is in."""
    return _Pool()
