"""CuPy: NVIDIA GPUs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from deepcore._backend import Backend, Library, numpy_dtypes

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from deepcore._dtype import DType
    from deepcore._typing import Kernel, Namespace, Raw, Shape

compat: Any = Library("array_api_compat.cupy")
cupy: Any = Library("cupy")
cupyx: Any = Library("cupyx")


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

    def from_host(self, array: np.ndarray[Any, Any], device: str) -> Raw:
        with self.raw_device(device):
            return cupy.asarray(array)

    def to_host(self, array: Raw) -> np.ndarray[Any, Any]:
        host: np.ndarray[Any, Any] = cupy.asnumpy(array)
        return host

    @property
    def overrides(self) -> Mapping[str, Kernel]:
        return {"scatter": _scatter}

    def synchronize(self) -> None:
        cupy.cuda.get_current_stream().synchronize()

    def memory_in_use(self) -> int | None:
        return int(cupy.get_default_memory_pool().used_bytes())


def _scatter(x: Any, /, *, shape: Shape, key: Any) -> Any:
    y = cupy.zeros(shape, x.dtype)
    cupyx.scatter_add(y, key, x)
    return y


backend = CuPyBackend()
