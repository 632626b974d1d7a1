"""Pooling place by place in a window: every step is one operation on the elements there of all windows."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from deepcore._window import check_number, counts, pool_windows, spatial

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deepcore._typing import Shape
    from deepcore._window import Padding, Windows

    HostArray: TypeAlias = NDArray[Any]


def _windows(size: Shape, options: dict[str, Any], name: str) -> Windows:
    given: dict[str, Any] = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False, **options}
    return pool_windows(size, **given, name=name)


def _lowest(x: HostArray, w: Windows) -> HostArray:
    """Return an array with what windows reach beyond it, which is never a maximum."""
    if not w.is_padded:
        return x
    padded = np.full((*x.shape[:2], *w.padded), -np.inf, x.dtype)
    padded[w.inside] = x
    return padded


def _largest(x: HostArray, w: Windows) -> HostArray:
    if w.places == 1:
        return x[w.keys[0]].copy()
    y = np.maximum(x[w.keys[0]], x[w.keys[1]])
    for key in w.keys[2:]:
        np.maximum(y, x[key], out=y)
    return y


def max_pool_indices(x: HostArray, /, **options: Any) -> HostArray:
    """Return the place of the first maximum in each window: see ``deepcore.max_pool_indices``."""
    w = _windows(spatial(x.shape, "max_pool_indices"), options, "max_pool_indices")
    x = _lowest(x, w)
    y = _largest(x, w)
    # The place of the first maximum is the number of those in front of it, and counting needs no branches.
    missed = np.ones(y.shape, np.bool_)
    found = np.zeros(y.shape, np.uint8 if w.places < 256 else np.int64)
    for key in w.keys:
        missed &= x[key] != y
        found += missed
    if np.any(missed):  # where there is something that is not a number, it is the maximum
        return np.argmax(np.stack([x[key] for key in w.keys]), axis=0)
    return found.astype(np.int64)


def max_unpool(values: HostArray, indices: HostArray, /, *, size: Shape, **options: Any) -> HostArray:
    """Return values where the maxima were, and zeros: see ``deepcore.max_unpool``."""
    w = _windows(tuple(size), options, "max_unpool")
    check_number(values.shape, w, "max_unpool")
    return _put([values * (indices == k) for k in range(w.places)], w)


def average_unpool(
    values: HostArray, /, *, size: Shape, padding: Padding = 0, count_include_pad: bool = True, **options: Any
) -> HostArray:
    """Return values spread over their windows: see ``deepcore.average_unpool``."""
    w = _windows(tuple(size), {"padding": padding, **options}, "average_unpool")
    check_number(values.shape, w, "average_unpool")
    divisor = functools.reduce(np.multiply.outer, [np.asarray(n) for n in counts(w, padding, count_include_pad)])
    return _put([values / divisor.astype(values.dtype)] * w.places, w)


def _put(parts: list[HostArray], w: Windows) -> HostArray:
    """Add up the elements of all windows, given place by place, where they belong."""
    shape = (*parts[0].shape[:2], *w.padded)
    if w.kernel == w.stride and max(w.dilation) == 1:  # every element is in one window at most
        covers = w.padded == tuple(m * k for m, k in zip(w.number, w.kernel, strict=True))
        y = (np.empty if covers else np.zeros)(shape, parts[0].dtype)
        for part, key in zip(parts, w.keys, strict=True):
            y[key] = part
    else:
        y = np.zeros(shape, parts[0].dtype)
        for part, key in zip(parts, w.keys, strict=True):
            y[key] += part
    return y[w.inside] if w.is_padded else y
