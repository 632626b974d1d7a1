"""The standard's namespace, bound to a device.

``x.__array_namespace__()`` gives somebody else's code the functions of deepcore with x's own device as the default, so
that ``xp.zeros(n)`` written there lands where x is.
"""

from __future__ import annotations

import functools
import inspect
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _dtype, fft, linalg, ops, special
from ._device import default_device, devices, use_device
from ._errors import ConfigError
from ._sweep import op
from .ops import creation, ufuncs

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._device import Device
    from ._dtype import DType
    from ._tensor import Tensor

API_VERSION = "2025.12"
OLDER_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")
CONSTANTS = {"e": 2.718281828459045, "inf": float("inf"), "nan": float("nan"), "newaxis": None, "pi": 3.141592653589793}


class Info:
    """What ``__array_namespace_info__()`` returns: capabilities, devices and data types."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def capabilities(self) -> dict[str, bool | int]:
        """Return what the namespace can do beyond the required."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Device:
        """Return the device that arrays are created on."""
        return self._device

    def devices(self) -> tuple[Device, ...]:
        """Return the devices that arrays can be on."""
        return devices()

    def default_dtypes(self, *, device: Device | None = None) -> dict[str, DType]:
        """Return the data types of arrays created without one."""
        integer = creation.default_integer(device or self._device)
        return {
            "real floating": creation.default_dtype(),
            "complex floating": creation.default_complex(),
            "integral": integer,
            "indexing": integer,
        }

    def dtypes(self, *, device: Device | None = None, kind: str | tuple[str, ...] | None = None) -> dict[str, DType]:
        """Return the data types, of one kind, several, or all."""
        where = device or self._device
        standard = {name: dtype for name, dtype in _dtype.DTYPES.items() if name not in ("float16", "bfloat16")}
        return {
            name: dtype
            for name, dtype in standard.items()
            if where.backend.supports(dtype, where.name) and (kind is None or ops.isdtype(dtype, kind))
        }


class Namespace(ModuleType):
    """The functions, data types and constants of the standard, creating arrays on one device."""

    def __init__(self, device: Device) -> None:
        super().__init__("deepcore", f"The Array API standard on {device}.")
        self.__dict__.update(CONSTANTS)
        self.__dict__.update({("bool" if n == "bool_" else n): t for n, t in _dtype.DTYPES.items()})
        self.__dict__.update(_bound_functions(ops, device))
        self.__dict__["asarray"] = _asarray_on(device)
        for extension in (fft, linalg, special):  # SciPy looks for its functions in `special`
            name = extension.__name__.rpartition(".")[2]
            self.__dict__[name] = ModuleType(f"deepcore.{name}", extension.__doc__)
            self.__dict__[name].__dict__.update(_bound_functions(extension, device))
        self.__array_api_version__ = API_VERSION
        self.__array_namespace_info__ = functools.partial(Info, device)

    def __repr__(self) -> str:
        return self.__doc__ or ""


def _bound_functions(module: ModuleType, device: Device) -> dict[str, Callable[..., Any]]:
    """Return the functions of a module, those that create arrays with another default device."""
    functions = {name: value for name, value in vars(module).items() if callable(value) and not name.startswith("_")}
    return {name: _on(value, device) if _takes_device(value) else value for name, value in functions.items()}


def _takes_device(function: Callable[..., Any]) -> bool:
    names = inspect.signature(function).parameters
    return "device" in names and not any(p in names for p in ("x", "obj"))


def _asarray_on(device: Device) -> Callable[..., Tensor]:
    """Bind ``asarray``. What is on a device stays there; lists and NumPy's arrays, with which code that is written for
    the standard gives its constants to whatever namespace it was called with, are created on the namespace's device.
    """

    @functools.wraps(creation.asarray)
    def bound(*args: Any, **kwargs: Any) -> Tensor:
        if kwargs.get("device") is None and args and isinstance(args[0], (np.ndarray, np.generic)):
            kwargs["device"] = device
        with use_device(device):
            return creation.asarray(*args, **kwargs)

    return bound


def _on(function: Callable[..., Any], device: Device) -> Callable[..., Any]:
    @functools.wraps(function)
    def bound(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("device") is None:
            kwargs["device"] = device
        return function(*args, **kwargs)

    return bound


@functools.cache
def _bound(device: Device) -> Namespace:
    return Namespace(device)


def namespace(device: Device, api_version: str | None = None) -> Namespace:
    """Return the namespace whose arrays are created on a device."""
    if api_version is not None and api_version not in (API_VERSION, *OLDER_VERSIONS):
        msg = f"deepcore implements the Array API standard {API_VERSION}, not {api_version}"
        raise ConfigError(msg)
    return _bound(device)


def default_info() -> Info:
    """Return the capabilities, devices and data types of the default device's namespace."""
    return Info(default_device())


op.provide("namespace", namespace)
op.provide("apply_ufunc", ufuncs.apply_ufunc)
