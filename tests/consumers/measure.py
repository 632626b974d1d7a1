"""What a library's function does with a gradient: on deepcore, on PyTorch's tensors, on JAX's arrays.

The right gradient is that of the function on NumPy arrays, by differences of fourth order in every coordinate.
"""

from __future__ import annotations

import importlib
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import array_api_compat.numpy
import numpy as np

import deepcore as dc

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions import Entry

    from deepcore._device import Device

    HostArray = np.ndarray[Any, Any]

RIGHT = "right"


class Expected(NamedTuple):
    """An argument, the result, a cotangent of it, and the gradient."""

    x: HostArray
    y: HostArray
    dy: HostArray
    dx: HostArray


@cache
def expected(entry: Entry) -> Expected:
    """Return what is right, from the function on NumPy arrays alone."""
    x = np.random.default_rng(0).uniform(entry.low, entry.high, entry.shape)

    def compute(x: HostArray) -> HostArray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the libraries' own, about what they do with their arguments
            return np.asarray(entry.function(array_api_compat.numpy, x))

    y = compute(x.copy())
    dy = np.asarray(np.random.default_rng(1).uniform(0.5, 1.5, y.shape))
    dx, h = np.zeros(x.shape), 1e-4
    for i in np.ndindex(*x.shape):
        step = np.zeros(x.shape)
        step[i] = h
        terms = [weight * np.sum(dy * compute(x + k * step)) for k, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1))]
        dx[i] = sum(terms) / (12 * h)
    return Expected(x, y, dy, dx)


def _verdict(wanted: Expected, y: HostArray, dx: HostArray | None) -> str:
    if y.shape != wanted.y.shape or not np.allclose(y, wanted.y, rtol=1e-8, atol=1e-10):
        return "wrong value"
    if dx is None:
        return "gradient lost"
    scale = max(1.0, float(np.max(np.abs(wanted.dx))))
    if not np.isfinite(dx).all():
        return "gradient is nan"
    return RIGHT if np.allclose(dx, wanted.dx, rtol=1e-5, atol=1e-6 * scale) else "wrong gradient"


REASONS = {
    "Can't call numpy()": "`np.asarray`",
    "TracerArrayConversionError": "`np.asarray`",
    "would lose them": "`np.asarray`",
    "inplace": "in-place operation",
    "in-place operation": "in-place operation",
    "arrays are immutable": "arrays are immutable",
    "derivative for": "no derivative rule",
    "no derivative rule": "no derivative rule",
    "NonConcreteBooleanIndexError": "boolean index",
    "lazy arrays": "SciPy refuses lazy arrays",
    "NotAnArrayError": "Python float",
    "ConcretizationTypeError": "Python float",
}


class NotAnArrayError(TypeError):
    """The function gave something else."""


def reason(error: Exception) -> str:
    """Return in a few words why a library could not."""
    text = f"{type(error).__name__}: {error}"
    return next((short for part, short in REASONS.items() if part in text), type(error).__name__)


def _attempt(measure: Callable[[], str]) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return measure()
        except Exception as error:  # noqa: BLE001 (whatever a library raises is the answer)
            return reason(error)


def on_deepcore(entry: Entry, device: Device) -> str:
    """Return what happens to the gradient of a tensor on a device."""
    wanted = expected(entry)
    x = dc.asarray(wanted.x, device=device, requires_grad=True)
    y = entry.function(x.__array_namespace__(), x)
    if not isinstance(y, dc.Tensor):
        return "Python float"
    if not y.requires_grad:
        return "gradient lost"
    y.backward(dc.asarray(wanted.dy, device=device))
    return _verdict(wanted, y.detach().numpy(), None if x.grad is None else x.grad.numpy())


def tried_on_deepcore(entry: Entry, device: Device) -> str:
    """Return what happens, or in a few words what is raised."""
    return _attempt(lambda: on_deepcore(entry, device))


def on_torch(entry: Entry) -> str:
    """Return what happens to the gradient of PyTorch's own tensor."""
    torch: Any = importlib.import_module("torch")
    xp = importlib.import_module("array_api_compat.torch")
    wanted = expected(entry)

    def measure() -> str:
        x = torch.tensor(wanted.x, requires_grad=True)
        y = entry.function(xp, x)
        if not isinstance(y, torch.Tensor):
            return "Python float"
        if not y.requires_grad:
            return "gradient lost"
        y.backward(torch.tensor(wanted.dy))
        return _verdict(wanted, y.detach().numpy(), None if x.grad is None else x.grad.numpy())

    return _attempt(measure)


def on_jax(entry: Entry) -> str:
    """Return what happens to the gradient of JAX's own array."""
    jax: Any = importlib.import_module("jax")
    wanted = expected(entry)

    def measure() -> str:
        def loss(x: Any) -> Any:
            y = entry.function(jax.numpy, x)
            if not isinstance(y, jax.Array):
                raise NotAnArrayError
            return jax.numpy.sum(y * wanted.dy), y

        dx, y = jax.grad(loss, has_aux=True)(jax.numpy.asarray(wanted.x))
        return _verdict(wanted, np.asarray(y), np.asarray(dx))

    return _attempt(measure)
