"""CuPy's functions, which take what CuPy's take and compute what NumPy's compute."""

from __future__ import annotations

import functools
import inspect
import json
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._array import Array, method

if TYPE_CHECKING:
    from collections.abc import Callable

_LISTED: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("signatures.json").read_text("utf-8"))


def functions(prefix: str) -> dict[str, Any]:
    """Return the functions of CuPy (``""``), or of one of its modules (``"linalg."``), by name."""
    found: dict[str, Any] = {}
    for name, text in _LISTED["functions"].items():
        if name.startswith(prefix) and "." not in name[len(prefix) :]:
            found[name[len(prefix) :]] = _function(name, text)
    for name, letters in _LISTED["ufuncs"].items():
        if name.startswith(prefix) and "." not in name[len(prefix) :]:
            found[name[len(prefix) :]] = _ufunc(name, letters)
    return found


def shared() -> dict[str, Any]:
    """Return what CuPy has from NumPy: data types, constants, questions about them."""
    return {name: getattr(np, name) for name in _LISTED["shared"] if hasattr(np, name)}


def _function(name: str, text: str) -> Callable[..., Any]:
    signature = inspect.signature(eval(f"lambda {text[1:-1]}: None", {}))
    model = attrgetter(name)(np)
    compute = method(model)

    @functools.wraps(model)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            msg = f"cupy.{name}{text}: {error}"
            raise TypeError(msg) from None
        first = next(iter(bound.arguments.values()), None)
        if next(iter(signature.parameters), "") in ("a", "x", "x1") and not isinstance(first, Array):
            msg = f"cupy.{name}: its first argument is a {type(first).__name__}, not an array"
            raise TypeError(msg)
        return compute(*args, **kwargs)

    return call


def _ufunc(name: str, letters: str) -> Callable[..., Any]:
    model = attrgetter(name)(np)
    compute = method(model)

    @functools.wraps(model)
    def call(*args: Any, **kwargs: Any) -> Any:
        for x in args:
            if not isinstance(x, (Array, np.generic, bool, int, float, complex)):
                msg = f"Unsupported type {type(x)}"
                raise TypeError(msg)
        types = [x._host.dtype for x in args if isinstance(x, Array)]
        common = np.result_type(*types) if types and types[0].char != "E" else None
        if common is not None and not any(np.can_cast(common, letter) for letter in letters):
            msg = f"cupy_{name}: no loop for {common}, only for {letters}"
            raise TypeError(msg)
        return compute(*args, **kwargs)

    return call
