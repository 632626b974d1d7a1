"""JAX, as an array library: arrays are immutable, and everything may be traced by ``jax.jit``."""

from __future__ import annotations

import os
import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from deepcore._backend import Backend, Library, numpy_dtypes
from deepcore.graph.replay import parted

from . import _convolution

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deepcore._dtype import DType
    from deepcore._typing import Kernel, Namespace, Raw, Shape

jax: Any = Library("jax")
jnp: Any = Library("jax.numpy")


class JaxBackend(Backend):
    """Arrays of JAX. 64-bit types exist where ``jax.config.update("jax_enable_x64", True)`` was called."""

    name = "jax"
    module = "jax"
    distribution = "jax"
    requirement = "jax"
    is_host = False  # nor is the value of what JAX traces
    has_views = False
    _threads: int | None = None

    @property
    def namespace(self) -> Namespace:
        return jnp

    @cached_property
    def _devices(self) -> dict[str, Any]:
        if self._threads is not None:
            os.environ["NPROC"] = str(self._threads)  # read by XLA once, when its threads begin
        found = {}
        for platform in dict.fromkeys(("cpu", jax.default_backend())):
            name = "cuda" if platform == "gpu" else platform
            for device in jax.devices(platform):
                found[name if name == "cpu" and not device.id else f"{name}:{device.id}"] = device
        return found

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(self._devices)

    def is_on_host(self, device: str) -> bool:
        return device.startswith("cpu")

    def canonical(self, name: str) -> str:
        return "cuda:0" if name == "cuda" else name or "cpu"

    def device_of(self, array: Raw) -> str:
        if isinstance(array, jax.core.Tracer):
            return self.devices[0]
        (device,) = array.devices()
        return next(name for name, own in self._devices.items() if own == device)

    def raw_device(self, name: str) -> Any:
        return self._devices[name]

    @cached_property
    def raw_dtypes(self) -> Mapping[DType, Any]:
        return numpy_dtypes()

    def supports(self, dtype: DType, device: str) -> bool:
        wide = (dtype.bits == 64 and not dtype.is_kind("complex floating")) or dtype.name == "complex128"
        return super().supports(dtype, device) and (not wide or bool(jax.config.jax_enable_x64))

    def from_host(self, array: np.ndarray[Any, Any], device: str) -> Raw:
        return jax.device_put(jnp.array(array), self._devices[device])

    def to_host(self, array: Raw) -> np.ndarray[Any, Any]:
        return np.asarray(array)

    def executor(self, program: Any) -> Any:
        host, pure = parted(program)
        compiled = jax.jit(pure)

        def run(inputs: Any) -> Any:
            numbers, arrays, left = host()
            return [*compiled(list(inputs), numbers, arrays), *left]

        return run

    @property
    def num_threads(self) -> int | None:
        return self._threads

    def set_num_threads(self, n: int | None) -> None:
        if "_devices" not in self.__dict__:
            self._threads = n
        elif n not in (None, self._threads):
            own = "one for each core" if self._threads is None else self._threads
            msg = f"JAX keeps the threads that it began with ({own}); set DEEPCORE_THREADS={n} before Python begins"
            warnings.warn(msg, stacklevel=4)

    @property
    def overrides(self) -> Mapping[str, Kernel]:
        return {
            "scatter": _scatter,
            "setitem": _setitem,
            "searchsorted": _searchsorted,
            "permute_dims": _permute_dims,
            **_convolution.KERNELS,
        }

    def synchronize(self) -> None:
        # JAX has no call that waits for a device, but every result that somebody holds is among the live arrays.
        for array in jax.live_arrays():
            array.block_until_ready()


def _scatter(x: Any, /, *, shape: Shape, key: Any) -> Any:
    return jnp.zeros(shape, x.dtype).at[key].add(x)


def _setitem(x: Any, value: Any, /, *, key: Any) -> Any:
    return x.at[key].set(value)


def _permute_dims(x: Any, axes: tuple[int, ...], /) -> Any:
    return jnp.permute_dims(x, tuple([a % x.ndim if -x.ndim <= a < 0 else a for a in axes]))  # JAX counts from 0 alone


def _searchsorted(x1: Any, x2: Any, /, **options: Any) -> Any:
    return jnp.searchsorted(x1, x2, **options).astype(int)  # positions have the default integer type


backend = JaxBackend()
