"""CuPy: NVIDIA GPUs.

A machine may have several, and CuPy computes on the *current* one, whatever device its arrays are on. Where there are
several, each has kernels of its own here, which make it the current one for the time of a call.
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from deepcore._backend import Backend, Kernels, numpy_dtypes

from ._library import compat, cupy
from ._philox import draw
from ._scatter import scatter, setitem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    import numpy as np

    from deepcore._dtype import DType
    from deepcore._typing import Kernel, Namespace, Raw, Shape


class CuPyBackend(Backend):
    """Arrays of CuPy."""

    name = "cupy"
    module = "cupy"
    distribution = "cupy"
    requirement = "cupy-cuda13x[ctk]"
    is_host = False

    @property
    def namespace(self) -> Namespace:
        return compat

    @property
    def version(self) -> str:
        # The distribution is called cupy-cuda12x, cupy-cuda13x, ... and only the module knows which it is.
        return str(cupy.__version__)

    @property
    def devices(self) -> tuple[str, ...]:
        return self._devices

    @cached_property
    def _devices(self) -> tuple[str, ...]:
        try:
            return tuple(f"cuda:{i}" for i in range(cupy.cuda.runtime.getDeviceCount()))
        except cupy.cuda.runtime.CUDARuntimeError:  # no driver, or no GPU
            return ()

    def canonical(self, name: str) -> str:
        return "cuda:0" if name in ("", "cuda") else name

    def device_of(self, array: Raw) -> str:
        return f"cuda:{array.device.id}"

    def raw_device(self, name: str) -> Any:
        return cupy.cuda.Device(int(name.partition(":")[2]))

    @cached_property
    def raw_dtypes(self) -> Mapping[DType, Any]:
        return numpy_dtypes()

    def current(self, device: str) -> AbstractContextManager[Any]:
        return super().current(device) if len(self.devices) == 1 else _Current(self.raw_device(device).id)

    def kernels_on(self, device: str) -> Kernels:
        return self.kernels if len(self.devices) == 1 else _KernelsOn(self, device)

    def from_host(self, array: np.ndarray[Any, Any], device: str) -> Raw:
        with self.raw_device(device):
            return cupy.array(array)  # through a pinned buffer of CuPy's own, without waiting for the copy

    def to_host(self, array: Raw) -> np.ndarray[Any, Any]:
        with array.device:
            host: np.ndarray[Any, Any] = cupy.asnumpy(array)
            return host

    def uniform(self, key: tuple[int, int], shape: Shape, dtype: DType, device: str) -> Raw:
        with self.raw_device(device):
            return draw(f"uniform_{dtype.name}", key, shape, dtype.name)

    @property
    def overrides(self) -> Mapping[str, Kernel]:
        return {"scatter": scatter, "setitem": setitem}

    def synchronize(self) -> None:
        for name in self.devices:
            self.raw_device(name).synchronize()

    def memory_in_use(self) -> int | None:
        total = 0
        for name in self.devices:
            with self.raw_device(name):
                total += cupy.get_default_memory_pool().used_bytes()
        return total


class _Current(threading.local):
    """A context in which one device is the current one. CuPy's own remembers in one place for all threads."""

    def __init__(self, index: int) -> None:  # called in every thread
        self._index = index
        self._before: list[int] = []

    def __enter__(self) -> None:
        self._before.append(cupy.cuda.runtime.getDevice())
        cupy.cuda.runtime.setDevice(self._index)

    def __exit__(self, *_: object) -> None:
        cupy.cuda.runtime.setDevice(self._before.pop())


class _KernelsOn(Kernels):
    """The same functions, called with one device as the current one."""

    def __init__(self, backend: CuPyBackend, device: str) -> None:
        super().__init__(backend)
        self._current = backend.current(device)

    def __missing__(self, name: str) -> Any:
        kernel = super().__missing__(name)
        if isinstance(kernel, type) or not callable(kernel):  # a data type or a constant
            return kernel
        current = self._current

        def on_device(*args: Any, **kwargs: Any) -> Any:
            with current:
                return kernel(*args, **kwargs)

        self[name] = on_device
        return on_device


backend = CuPyBackend()
