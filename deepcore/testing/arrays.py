"""Comparing arrays, whichever library holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._device import device_of
from .._dtype import dtype_named
from .._tensor import Tensor
from ..ops import finfo

if TYPE_CHECKING:
    from .._dtype import DType

    HostArray = np.ndarray[Any, Any]


def tolerance(dtype: DType) -> float:
    r"""Return $\varepsilon^{3/4}$, what a few roundings may cost: 1.8e-12 in float64, 6.4e-6 in float32."""
    return float(finfo(dtype).eps) ** 0.75 if dtype.is_inexact else 0.0


def assert_close(actual: Any, desired: Any, *, rtol: float | None = None, atol: float | None = None) -> None:
    r"""Assert that two arrays have one shape, one data type, one device, and values that are close.

    Element by element, $|a - d| \le \text{atol} + \text{rtol}\,|d|$ has to hold. Not-a-numbers are close to
    each other, and so are infinities of one sign.

    Parameters
    ----------
    actual
        A tensor, an array of any library, or a Python number.
    desired
        What it should be. A Python number, or nested sequences of them, demand a shape and values. An array
        demands its data type too, and a tensor also its device.
    rtol, atol
        The relative and the absolute tolerance. They default to $\varepsilon^{3/4}$ of the coarser data type,
        and to 0 for whole numbers and truth values.

    Raises
    ------
    AssertionError
        If they differ. The message names the element that is furthest away.

    Examples
    --------
    >>> import deepcore as dc
    >>> from deepcore.testing import assert_close
    >>> assert_close(dc.exp(dc.zeros(2)), dc.ones(2))
    >>> assert_close(dc.ones(2), [1.0, 1.5])
    Traceback (most recent call last):
        ...
    AssertionError: values differ: 1 of 2 elements, most at index (1,), where 1.0 should be 1.5 ± 1.6e-05
    """
    if isinstance(actual, Tensor) and isinstance(desired, Tensor) and actual.device is not desired.device:
        msg = f"devices differ: {actual.device} should be {desired.device}"
        raise AssertionError(msg)
    types = [_dtype_of(x) for x in (actual, desired)]
    a, d = _on_host(actual), _on_host(desired)
    if a.shape != d.shape:
        msg = f"shapes differ: {a.shape} should be {d.shape}"
        raise AssertionError(msg)
    if None not in types and types[0] is not types[1]:
        msg = f"data types differ: {types[0]} should be {types[1]}"
        raise AssertionError(msg)
    default = max((tolerance(t) for t in types if t is not None), default=tolerance(dtype_named("float64")))
    _assert_values_close(a, d, default if rtol is None else rtol, default if atol is None else atol)


def _dtype_of(x: Any) -> DType | None:
    """Return the data type of an array, or None for Python numbers."""
    if isinstance(x, Tensor):
        return x.dtype
    device = device_of(x)
    return None if device is None else device.backend.dtypes[x.dtype]


def _on_host(x: Any) -> HostArray:
    if isinstance(x, Tensor):
        return np.asarray(x.numpy())
    device = device_of(x)
    return np.asarray(x) if device is None else np.asarray(device.backend.to_host(x))


def _assert_values_close(a: HostArray, d: HostArray, rtol: float, atol: float) -> None:
    kind = np.complex128 if "c" in (a.dtype.kind, d.dtype.kind) else np.float64
    wide_a, wide_d = a.astype(kind), d.astype(kind)
    with np.errstate(invalid="ignore"):
        error = np.abs(wide_a - wide_d)
    if a.dtype.kind in "biu" and d.dtype.kind in "biu":
        error = np.maximum(error, 1.0)  # large ones may differ by less than float64 sees
    error = np.where((a == d) | (np.isnan(wide_a) & np.isnan(wide_d)), 0.0, np.where(np.isnan(error), np.inf, error))
    allowed = atol + rtol * np.where(np.isfinite(wide_d), np.abs(wide_d), 0.0)
    wrong = error > allowed
    if not wrong.any():
        return
    worst = np.unravel_index(np.argmax(np.where(wrong, error, -1.0)), error.shape)
    index = tuple(int(i) for i in worst)
    msg = (
        f"values differ: {int(wrong.sum())} of {wrong.size} elements, most at index {index}, "
        f"where {a[worst]!s} should be {d[worst]!s} ± {float(allowed[worst]):.2g}"
    )
    raise AssertionError(msg)
