"""The array: memory of a device that no other library can read, and that only the current device computes on."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import cuda

if TYPE_CHECKING:
    from collections.abc import Callable


class Array:
    """CuPy's ``ndarray``: an array of NumPy, and a device that it is said to be on."""

    __array_priority__ = 100

    def __init__(self, host: Any, device: int | None = None) -> None:
        self._host: np.ndarray[Any, Any] = np.asarray(host)
        self._index = cuda.runtime.getDevice() if device is None else device

    __module__ = "cupy"

    def __array__(self, *_: object, **__: object) -> Any:
        msg = "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array"
        raise TypeError(msg)

    @property
    def device(self) -> cuda.Device:
        return cuda.Device(self._index)

    def get(self) -> np.ndarray[Any, Any]:
        return np.array(self._host)

    def item(self, *args: int) -> Any:
        return self._host.item(*args)

    def view(self, dtype: Any = None) -> Array:
        return Array(self._host.view() if dtype is None else self._host.view(dtype), self._index)

    def __getattr__(self, name: str) -> Any:
        # NumPy's arrays have, beyond CuPy's, what asks for host memory.
        if name.startswith("__") or name in ("ctypes", "tobytes", "device", "to_device"):
            raise AttributeError(name)
        found = getattr(self._host, name)
        return method(found) if callable(found) else wrapped(found, self._index)

    def __getitem__(self, key: Any) -> Any:
        basic = not any(isinstance(k, Array) for k in (key if isinstance(key, tuple) else (key,)))
        if basic:
            return wrapped(self._host[key], self._index)  # a view, wherever it is
        return wrapped(self._host[unwrapped(key, of=self)])

    def __setitem__(self, key: Any, value: Any) -> None:
        host, key, value = unwrapped((self, key, value))
        host[key] = value

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __float__(self) -> float:
        return float(self._host)

    def __complex__(self) -> complex:
        return complex(self._host)

    def __index__(self) -> int:
        return operator.index(self._host)

    def __repr__(self) -> str:
        return repr(self._host)


def method(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of arrays of NumPy as one of arrays here."""

    def call(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = unwrapped(args), unwrapped(kwargs)
        with np.errstate(all="ignore"):  # a GPU does not warn
            return wrapped(function(*args, **kwargs))

    return call


def unwrapped(x: Any, of: Array | None = None) -> Any:
    """Return what NumPy computes with; CuPy takes no arrays of NumPy, and none of another device."""
    if of is not None:
        unwrapped(of)
    if isinstance(x, Array):
        if x._index != cuda.runtime.getDevice():
            msg = f"Array device must be same as the current device: {x._index} while {cuda.runtime.getDevice()}"
            raise ValueError(msg)
        return x._host
    if isinstance(x, np.ndarray):
        msg = f"Unsupported type {type(x)}"
        raise TypeError(msg)
    if isinstance(x, (list, tuple)):
        return type(x)([unwrapped(y) for y in x])
    if isinstance(x, dict):
        return {name: unwrapped(y) for name, y in x.items()}
    return x


def wrapped(x: Any, device: int | None = None) -> Any:
    """Return results of NumPy as arrays here: CuPy has no scalars."""
    if isinstance(x, (np.ndarray, np.generic)):
        return Array(x, device)
    if isinstance(x, tuple):
        parts = [wrapped(y, device) for y in x]
        return type(x)(*parts) if hasattr(x, "_fields") else tuple(parts) if type(x) is tuple else x
    return [wrapped(y, device) for y in x] if isinstance(x, list) else x


def _operator(name: str) -> None:
    def call(self: Array, *others: Any) -> Any:
        if any(isinstance(x, np.ndarray) for x in others):
            msg = f"Unsupported type {np.ndarray}"
            raise TypeError(msg)
        if not all(isinstance(x, (Array, np.generic, bool, int, float, complex)) for x in others):
            return NotImplemented
        host, *rest = unwrapped([self, *others])
        with np.errstate(all="ignore"):
            return wrapped(getattr(host, name)(*rest))

    setattr(Array, name, call)


for _name in (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
    "matmul",
):
    _operator(f"__{_name}__")
    _operator(f"__r{_name}__")
for _name in ("neg", "pos", "abs", "invert", "eq", "ne", "lt", "le", "gt", "ge"):
    _operator(f"__{_name}__")
