"""Devices. A device string selects the array library, and that is the only mechanism that does.

``"cpu"`` is NumPy and ``"cuda"``, ``"cuda:1"`` are CuPy; every other library is named: ``"torch:cpu"``,
``"torch:cuda:0"``, ``"jax:cpu"``, ``"array_api_strict:device1"``.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from ._backend import Backend, backend_for_module, known_backends, require
from ._errors import DeviceError
from ._threads import tell

if TYPE_CHECKING:
    from collections.abc import Generator

    from ._typing import DeviceLike, Raw

_SHORT: Final = {"cpu": "numpy", "cuda": "cupy"}
_ENVIRONMENT: Final = "DEEPCORE_DEVICE"
_LISTED: Final = "`deepcore devices` lists those of every library"


class Device:
    """One device of one array library. There is one object per device, so devices compare by identity.

    Attributes
    ----------
    backend
        The adapter of the library.
    name
        The device's name within the library, for example ``"cuda:0"`` for ``"torch:cuda:0"``.
    raw
        What the library's own ``device=`` takes.
    kernels
        The library's functions on raw arrays, by primitive.
    current
        A context in which operators on raw arrays compute on this device.
    """

    __slots__ = ("__weakref__", "_hash", "backend", "current", "kernels", "name", "raw")

    def __init__(self, backend: Backend, name: str) -> None:
        self.backend = backend
        self.name = name
        self.raw = backend.raw_device(name)
        self.kernels = backend.kernels_on(name)
        self.current = backend.current(name)
        self._hash = hash(str(self))  # that of its name, which it is equal to

    def __str__(self) -> str:
        return self.name if self.backend.name in _SHORT.values() else f"{self.backend.name}:{self.name}"

    def __repr__(self) -> str:
        return f"device({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, str) and other == str(self))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (device, (str(self),))


_devices: dict[str, Device] = {}
_default: list[Device | None] = [None]  # of the process; use_device() takes precedence, in its own context
_in_context: ContextVar[Device | None] = ContextVar("deepcore default device", default=None)


def device(spec: DeviceLike = None, /) -> Device:
    """Return a device given its string; None is the default device.

    Parameters
    ----------
    spec
        A device string, a device, or None.

    Raises
    ------
    DeviceError
        If no adapter or no device has that name. The message lists those that exist.
    BackendError
        If the library is not installed. The message says how to install it.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.device("cpu")
    device('cpu')
    """
    if spec is None:
        return default_device()
    if isinstance(spec, Device):
        return spec
    found = _devices.get(spec)
    if found is None:
        found = _devices[spec] = _look_up(spec)
    return found


def _look_up(spec: object) -> Device:
    if not isinstance(spec, str):
        msg = f"a device is a string such as 'cpu' or 'cuda:0', not {type(spec).__name__} ({spec!r})"
        raise DeviceError(msg)
    library, _, rest = spec.partition(":")
    backend = backend_for_module(_SHORT.get(library, library))
    if backend is None:
        msg = f"unknown device {spec!r}; the known devices are {_known()}"
        raise DeviceError(msg)
    require(backend)
    tell(backend)  # first of all: JAX begins where its devices are asked for
    if not backend.devices:
        msg = f"{backend.name} is installed, but has no usable device for {spec!r}; the known devices are {_known()}"
        raise DeviceError(msg)
    name = backend.canonical(f"{library}:{rest}" if library in _SHORT and rest else rest)
    if name not in backend.devices:
        msg = f"unknown device {spec!r}: {backend.name} has {', '.join(backend.devices)}"
        raise DeviceError(msg)
    return _interned(backend, name)


def _interned(backend: Backend, name: str) -> Device:
    new = Device(backend, name)
    return _devices.setdefault(str(new), new)


def _known() -> str:
    """Return the devices, those of libraries that were not imported yet by the library: importing all takes seconds."""
    names: list[str] = []
    for backend in known_backends():
        if backend.is_installed and backend.module not in sys.modules:
            names.append(f"{backend.name}:...")
        elif backend.is_installed:
            tell(backend)
            names += [str(_interned(backend, name)) for name in backend.devices]
        else:
            short = {library: alias for alias, library in _SHORT.items()}.get(backend.name, backend.name)
            names.append(f"{short} (not installed; {backend.install_command})")
    return f"{', '.join(names)}; {_LISTED}"


def device_of(array: Raw, /) -> Device | None:
    """Return the device of an array of any library that has an adapter, or None for any other object."""
    backend = backend_for_module(type(array).__module__.partition(".")[0])
    if backend is None or not hasattr(array, "dtype") or not hasattr(array, "shape"):
        return None
    name = backend.device_of(array)
    key = name if backend.name in _SHORT.values() else f"{backend.name}:{name}"
    found = _devices.get(key)
    if found is None:
        tell(backend)
        found = _interned(backend, name)
    return found


def default_device() -> Device:
    """Return the device that new arrays are created on: ``"cpu"``, or what DEEPCORE_DEVICE names.

    Examples
    --------
    >>> import deepcore as dc
    >>> with dc.use_device("cpu"):
    ...     dc.zeros(3).device
    device('cpu')
    """
    found = _in_context.get() or _default[0]
    return device(os.environ.get(_ENVIRONMENT, "cpu")) if found is None else found


def set_default_device(spec: DeviceLike, /) -> None:
    """Create new arrays on this device from now on, in every thread; None returns to the initial one."""
    _default[0] = None if spec is None else device(spec)


@contextmanager
def use_device(spec: DeviceLike, /) -> Generator[Device]:
    """Create new arrays on this device within a ``with`` block, in this thread (or task) alone."""
    chosen = device(spec)
    token = _in_context.set(chosen)
    try:
        yield chosen
    finally:
        _in_context.reset(token)


def devices() -> tuple[Device, ...]:
    """Return every device of every installed array library, the default library's first.

    Examples
    --------
    >>> import deepcore as dc
    >>> "cpu" in dc.devices()
    True
    """
    found: list[Device] = []
    for backend in known_backends():
        if backend.is_installed:
            tell(backend)
            found += [_interned(backend, name) for name in backend.devices]
    return tuple(found)


def synchronize(spec: DeviceLike = None, /) -> None:
    """Wait until everything submitted to a device is done."""
    device(spec).backend.synchronize()
