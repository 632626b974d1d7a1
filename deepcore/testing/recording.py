"""The namespace with gradients switched on everywhere, to run somebody else's tests on."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .._device import device as find_device
from .._namespace import namespace
from .._tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._typing import DeviceLike


def recording(device: DeviceLike = None) -> ModuleType:
    """Return the standard's namespace on a device, in which all arrays of floating-point numbers require gradients.

    What it computes is recorded, so that a test suite of the standard, which asks for no gradients, tests the engine
    too.

    Examples
    --------
    >>> from deepcore.testing import recording
    >>> xp = recording("cpu")
    >>> (xp.ones(2) + 1).requires_grad
    True
    """
    bound = namespace(find_device(device))
    module = ModuleType("deepcore", bound.__doc__)
    module.__dict__.update(_tracked_functions(bound))
    for name, value in vars(bound).items():
        if isinstance(value, ModuleType):
            extension = ModuleType(value.__name__, value.__doc__)
            extension.__dict__.update(_tracked_functions(value))
            setattr(module, name, extension)
    return module


def _tracked_functions(module: ModuleType) -> dict[str, Any]:
    def is_function(name: str, value: object) -> bool:
        return callable(value) and not isinstance(value, type) and not name.startswith("__")

    return {name: _tracked(value) if is_function(name, value) else value for name, value in vars(module).items()}


def _tracked(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        for x in result if isinstance(result, (list, tuple)) else [result]:
            if isinstance(x, Tensor) and x.dtype.is_inexact and not x.requires_grad:
                x.requires_grad = True
        return result

    return wrapped
