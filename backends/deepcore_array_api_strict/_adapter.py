"""array-api-strict: the standard and nothing else, with devices that share no memory. It tests deepcore, not models."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from deepcore._backend import Backend, Library

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deepcore._dtype import DType
    from deepcore._typing import Kernel, Namespace, Raw

array_api_strict: Any = Library("array_api_strict")


class StrictBackend(Backend):
    """Arrays of array-api-strict."""

    name = "array_api_strict"
    module = "array_api_strict"
    distribution = "array-api-strict"
    requirement = "array-api-strict"

    @property
    def namespace(self) -> Namespace:
        return array_api_strict

    @cached_property
    def _devices(self) -> dict[str, Any]:
        info = array_api_strict.__array_namespace_info__()
        # Its default device is called CPU_DEVICE.
        return {str(d).partition("'")[2].partition("'")[0].replace("CPU_DEVICE", "cpu"): d for d in info.devices()}

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(self._devices)

    def device_of(self, array: Raw) -> str:
        return next(name for name, device in self._devices.items() if device == array.device)

    def raw_device(self, name: str) -> Any:
        return self._devices[name]

    def supports(self, dtype: DType, device: str) -> bool:
        known = array_api_strict.__array_namespace_info__().dtypes(device=self._devices[device])
        return dtype.name in known

    def from_host(self, array: np.ndarray[Any, Any], device: str) -> Raw:
        return array_api_strict.asarray(array, device=self._devices[device], copy=True)

    def to_host(self, array: Raw) -> np.ndarray[Any, Any]:
        return np.array(array.to_device(self._devices["cpu"]))

    @property
    def overrides(self) -> Mapping[str, Kernel]:
        return {"getitem": _getitem, "setitem": _setitem}


def _complete(key: Any, ndim: int) -> Any:
    """Add the trailing ellipsis that every other library takes for granted."""
    parts = key if isinstance(key, tuple) else (key,)
    if any(k is ... for k in parts):
        return key
    taken = sum((k.ndim if getattr(k, "dtype", None) == array_api_strict.bool else 1) for k in parts if k is not None)
    return (*parts, ...) if taken < ndim and not _is_mask(parts) else key


def _is_mask(parts: tuple[Any, ...]) -> bool:
    return len(parts) == 1 and getattr(parts[0], "dtype", None) == array_api_strict.bool


def _getitem(x: Any, /, *, key: Any) -> Any:
    parts: list[Any] = list(key) if isinstance(key, tuple) else [key]
    if len(parts) > 1 and parts[-1] is ...:
        del parts[-1]
    positions = parts.pop() if parts and hasattr(parts[-1], "dtype") else None
    whole = all(isinstance(k, slice) and k == slice(None) for k in parts)
    if whole and positions is not None and positions.dtype == array_api_strict.int64 and positions.ndim == 1:
        # The standard mixes no array of positions with slices, but takes whole slices by position.
        return array_api_strict.take(x, positions, axis=len(parts))
    return x[_complete(key, x.ndim)]


def _setitem(x: Any, value: Any, /, *, key: Any) -> Any:
    y = array_api_strict.asarray(x, copy=True)
    if hasattr(value, "dtype") and value.dtype != x.dtype:
        value = array_api_strict.astype(value, x.dtype)
    y[_complete(key, x.ndim)] = value
    return y


backend = StrictBackend()
