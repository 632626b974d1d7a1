"""What deepcore asks of an array library beyond the standard, and the registry of adapters.

An adapter is found through the entry-point group ``deepcore.backends``, whose keys are the top-level modules of the
arrays it serves, so that an adapter of a third party is an equal of those shipped here. Looking at the registry imports
nothing; an adapter (and the library it wraps) is imported when an array or a device string first asks for it.
"""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from contextlib import nullcontext
from functools import cache, cached_property, lru_cache, partial
from importlib.metadata import EntryPoint, entry_points, version
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, cast

import ml_dtypes
import numpy as np

from ._dtype import DTYPES, DType
from ._errors import BackendError, DTypeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from ._typing import Kernel, Namespace, Raw, Shape

NOTHING: Final = nullcontext()
"""The context that changes nothing."""

ENTRY_POINTS: Final = "deepcore.backends"

EXTENSIONS: Final = ("fft", "linalg", "special")
"""Namespaces within the namespace: the standard's extensions and our own. Names of their functions are dotted."""

composites: Final[dict[str, Callable[..., Any]]] = {}
"""Forward computations that deepcore writes itself, ``forward(xp, *operands, **parameters)``, by name."""

overwritten: Final[dict[str, tuple[int, ...]]] = {}
"""The operands, by position, that overrides of a kernel may write to."""


class Extension:
    """The functions of one extension, found by their dotted names: ``xp.linalg.inv`` is ``lookup("linalg.inv")``."""

    def __init__(self, name: str, lookup: Callable[[str], Any]) -> None:
        self._prefix = f"{name}."
        self._lookup = lookup

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = self._lookup(self._prefix + name)
        self.__dict__[name] = found
        return found


class Library:
    """A module that is imported when something of it is first used, so that what needs it can be loaded without it.

    Parameters
    ----------
    name
        The module.
    needs
        What a BackendError is to say where it is not installed.
    """

    def __init__(self, name: str, *, needs: str = "") -> None:
        self._name = name
        self._needs = needs

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":
            raise AttributeError(name)  # who looks what kind of object this is wants no library imported
        try:
            value = getattr(importlib.import_module(self._name), name)
        except ImportError as error:
            if not self._needs:
                raise
            msg = f"{self._needs} ({error})"
            raise BackendError(msg) from error
        setattr(self, name, value)
        return value


class Kernels(dict[str, "Kernel"]):
    """The functions on raw arrays of one library, by name, as items or attributes; resolved on first use.

    A name means, in this order: the adapter's override, deepcore's own composite, the library's function.
    """

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self._backend = backend
        for name in EXTENSIONS:
            setattr(self, name, Extension(name, self.__getitem__))

    def __missing__(self, name: str) -> Kernel:
        kernel: Kernel
        if name in self._backend.overrides:
            kernel = self._backend.overrides[name]
        elif name in composites:
            kernel = partial(composites[name], self)
        else:
            try:
                kernel = attrgetter(name)(self._backend.namespace)
            except AttributeError:
                msg = f"{self._backend.name} {self._backend.version} has no function {name}"
                raise BackendError(msg) from None
        self[name] = kernel
        return kernel

    def __getattr__(self, name: str) -> Kernel:
        if name.startswith("__"):
            raise AttributeError(name)
        kernel = self[name]
        setattr(self, name, kernel)  # the next `xp.name` does not come here
        return kernel

    def __setitem__(self, name: str, kernel: Kernel) -> None:
        self.__dict__.pop(name, None)
        super().__setitem__(name, kernel)


class Backend(ABC):
    """One array library. Subclasses are the adapters; ordinary operations never appear in them.

    Attributes
    ----------
    name
        The first part of its device strings, for example ``"torch"``.
    module
        The module whose presence means that the library is installed.
    distribution
        The distribution that is asked for its version.
    requirement
        What ``pip install`` needs in order to install it.
    is_host
        Whether all its arrays live in host memory, so that reading a value costs no transfer.
    has_views
        Whether a slice shares the memory of its array.
    compiles_quickly
        Whether programs cost so little to make that optimizers make some unasked.
    """

    name: str
    module: str
    distribution: str
    requirement: str
    is_host: bool = True
    has_views: bool = True
    compiles_quickly: bool = False

    @property
    @abstractmethod
    def namespace(self) -> Namespace:
        """The library, as a namespace of the standard."""

    @property
    @abstractmethod
    def devices(self) -> tuple[str, ...]:
        """The names of its devices, the default one first; empty when it has none that can be used."""

    @abstractmethod
    def device_of(self, array: Raw) -> str:
        """Return the name of the device that an array is on."""

    @abstractmethod
    def raw_device(self, name: str) -> Any:
        """Return what the library's ``device=`` takes for a device name."""

    @abstractmethod
    def from_host(self, array: np.ndarray[Any, Any], device: str) -> Raw:
        """Copy a NumPy array onto a device."""

    @abstractmethod
    def to_host(self, array: Raw) -> np.ndarray[Any, Any]:
        """Return an array as a NumPy array, without a copy where memory can be shared."""

    def is_on_host(self, device: str) -> bool:
        """Return whether the arrays on a device live in host memory."""
        return self.is_host

    def adopted(self, array: Raw) -> Raw:
        """Return somebody's array as one to compute with, or raise where that would lose something."""
        return array

    def canonical(self, name: str) -> str:
        """Return the full name of a device given a short one (``""`` is the default device)."""
        return name or self.devices[0]

    def raw_dtype(self, dtype: DType) -> Any:
        """Return the library's own object for a data type."""
        try:
            return self.raw_dtypes[dtype]
        except KeyError:
            known = ", ".join(t.name for t in self.raw_dtypes)
            msg = f"{self.name} has no data type {dtype.name}; it has {known}"
            raise DTypeError(msg) from None

    @cached_property
    def raw_dtypes(self) -> Mapping[DType, Any]:
        """The library's object for each data type it has."""
        xp = self.namespace
        return {dtype: getattr(xp, name) for name, dtype in DTYPES.items() if hasattr(xp, name)}

    @cached_property
    def dtypes(self) -> Mapping[Any, DType]:
        """The data type for each of the library's own objects."""
        return {raw: dtype for dtype, raw in self.raw_dtypes.items()}

    def supports(self, dtype: DType, device: str) -> bool:
        """Return whether arrays on a device can have a data type; some lack those of 64 bits."""
        return dtype in self.raw_dtypes

    @cached_property
    def inexact_dtypes(self) -> frozenset[Any]:
        """The library's objects for the floating-point data types, in which gradients exist."""
        return frozenset(raw for raw, dtype in self.dtypes.items() if dtype.is_inexact)

    @cached_property
    def complex_dtypes(self) -> frozenset[Any]:
        """The library's objects for the complex data types."""
        return frozenset(raw for raw, dtype in self.dtypes.items() if dtype.is_kind("complex floating"))

    @property
    def overrides(self) -> Mapping[str, Kernel]:
        """Kernels that replace a primitive's forward here, by name: what the standard cannot say, or says slowly."""
        return {}

    def synchronize(self) -> None:
        """Wait until everything submitted to the devices is done; on the host it always is."""
        return

    @property
    def num_threads(self) -> int | None:
        """On how many threads of the host it computes; None where it does not tell."""
        return None

    @cached_property
    def initial_threads(self) -> Any:
        """On how many threads it computed when this was asked for first, in words of its own."""
        return self.num_threads

    def set_num_threads(self, n: int | None) -> None:
        """Compute on so many threads of the host, or on as many as at first where None is given.

        It does nothing, but for a library that computes on the host.
        """
        return

    def current(self, device: str) -> AbstractContextManager[Any]:
        """Return a context, to be entered many times, in which operators on raw arrays compute on their device.

        It does nothing, but for a library that computes on a current device, wherever the operands are.
        """
        return NOTHING

    def kernels_on(self, device: str) -> Kernels:
        """Return the kernels for one device; they are the same for all where a library follows its operands."""
        return self.kernels

    def uniform(self, key: tuple[int, int], shape: Shape, dtype: DType, device: str) -> Raw | None:
        """Return values spread evenly over [0, 1), drawn on a device; None where it cannot, and the host does it.

        Parameters
        ----------
        key
            Seed and draw, each from 0 to 2**64 - 1: the key of Philox4x64-10.
        shape
            The shape.
        dtype
            float64, of 53 bits of a word, or float32, of 24 bits of half a word, the lower half first. The values are
            those that the host draws, bit for bit.
        device
            Where the result is.
        """
        return None

    def executor(self, program: Any) -> Callable[[Sequence[Raw]], Sequence[Raw]] | None:
        """Return what runs a program: a function of its inputs that gives its outputs and then the numbers that it
        leaves; None to call its operations.

        An executor that keeps state in arrays of its own, which the next run overwrites, has the attribute
        ``writes_in_place``, and a method ``move`` that makes it use new ones, because somebody holds the old.

        Parameters
        ----------
        program
            A :class:`deepcore.graph.Program`.
        """
        return None

    def memory_in_use(self) -> int | None:
        """Return the bytes of device memory in use, or None where the library does not say."""
        return None

    def asarray(self, value: object, dtype: DType | None, device: str) -> Raw:
        """Return a Python number or nested sequence of numbers as an array."""
        raw = None if dtype is None else self.raw_dtype(dtype)
        return self.namespace.asarray(value, dtype=raw, device=self.raw_device(device))

    @cached_property
    def kernels(self) -> Kernels:
        """The forward computation of every primitive, on this library's arrays."""
        return Kernels(self)

    @property
    def version(self) -> str:
        """The installed version of the library."""
        return version(self.distribution)

    @property
    def is_installed(self) -> bool:
        """Whether the library is installed (it is not imported to find out)."""
        return importlib.util.find_spec(self.module) is not None

    @property
    def install_command(self) -> str:
        """The command that installs the library."""
        return f'pip install "{self.requirement}"'

    def __repr__(self) -> str:
        return f"<backend {self.name}>"


def place(x: Any) -> Any:
    """Return the device of an array, for functions that create another beside it.

    It is None for what JAX traces, which has none yet: what is created then goes where the computation does.
    """
    return getattr(x, "device", None)


def numpy_dtypes() -> dict[DType, Any]:
    """Return NumPy's object for each data type; CuPy and JAX use the same."""
    extensions = {"bfloat16": ml_dtypes.bfloat16}
    return {dtype: np.dtype(extensions.get(name, name)) for name, dtype in DTYPES.items()}


@lru_cache(maxsize=1)
def adapters() -> dict[str, EntryPoint]:
    """Return the registered adapters by the top-level module of the arrays they serve."""
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}


@cache
def backend_for_module(module: str) -> Backend | None:
    """Return the adapter that serves the arrays of a top-level module, or None."""
    entry = adapters().get(module)
    return None if entry is None else cast("Backend", entry.load())


def known_backends() -> list[Backend]:
    """Return every registered adapter once, those shipped with deepcore first, installed or not."""
    found = {entry.value: backend_for_module(module) for module, entry in adapters().items()}
    shipped = ("numpy", "cupy", "torch", "jax", "array_api_strict")
    order = {name: rank for rank, name in enumerate(shipped)}
    backends = [backend for backend in found.values() if backend is not None]
    return sorted(backends, key=lambda backend: (order.get(backend.name, len(order)), backend.name))


def require(backend: Backend) -> Backend:
    """Return the backend, or raise a BackendError saying how to install its library."""
    if backend.is_installed:
        return backend
    msg = f"{backend.name} is not installed; install it with: {backend.install_command}"
    raise BackendError(msg)
