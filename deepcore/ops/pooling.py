r"""Pooling: one number for each window of an array of shape (samples, channels, \*spatial).

The cotangent of a maximum goes to *the first* element of the window that reaches it, in the order of memory, as in
PyTorch; so a window of equal values counts once. (:func:`deepcore.max` shares it among all that reach the maximum.)
What padding adds is never a maximum.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Final

from .._backend import place
from .._primitive import Sample
from .._record import composite
from .._window import check_number, counts, pool_windows, spatial
from ._windowed import added, padded

if TYPE_CHECKING:
    from .._typing import Array, Namespace, Shape
    from .._window import Lengths, Padding, Windows

OVERLAPPING: Final = {"kernel_size": 3, "stride": 2, "padding": 1}
RAGGED: Final = {"kernel_size": (2, 3), "stride": (2, 2), "padding": (0, 1), "ceil_mode": True}
DILATED: Final = {"kernel_size": 2, "stride": 1, "dilation": 2}


@composite(
    Sample(((2, 2, 5),), parameters={"kernel_size": 2}),
    Sample(((1, 2, 4, 5),), parameters=OVERLAPPING),
    Sample(((1, 2, 3, 4),), parameters=RAGGED),
    Sample(((1, 1, 3, 4, 3),), parameters=DILATED),
)
def max_pool(
    xp: Namespace,
    x: Array,
    /,
    *,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Padding = 0,
    dilation: Lengths = 1,
    ceil_mode: bool = False,
) -> Any:
    r"""Largest element of each window. $y_{nci} = \max_k x_{n, c, si + dk - p}$; $\bar x$ is the sum, over the windows
    of which an element is the first maximum, of $\bar y$.

    Parameters
    ----------
    x
        Of shape (samples, channels, \*spatial).
    kernel_size
        The shape of a window.
    stride
        $s$: the steps from window to window; by default the kernel's size, so that windows do not overlap.
    padding
        $p$: how far the windows reach beyond both ends of an axis; at most half of the kernel's size.
    dilation
        $d$: the steps from element to element of a window.
    ceil_mode
        Whether there is one more window where the steps leave a rest.
    """
    w = pool_windows(spatial(x.shape, "max_pool"), kernel_size, stride, padding, dilation, ceil_mode, "max_pool")
    x = padded(x, w, xp, -math.inf)
    return functools.reduce(xp.maximum, [x[key] for key in w.keys[1:]], x[w.keys[0]])


@composite(Sample(((2, 2, 5),), parameters={"kernel_size": 2}), Sample(((1, 2, 4, 5),), parameters=OVERLAPPING))
def max_pool_indices(
    xp: Namespace,
    x: Array,
    /,
    *,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Padding = 0,
    dilation: Lengths = 1,
    ceil_mode: bool = False,
) -> Any:
    """Place of the first maximum within each window: 0 for its first element, with the last axis varying fastest."""
    name = "max_pool_indices"
    w = pool_windows(spatial(x.shape, name), kernel_size, stride, padding, dilation, ceil_mode, name)
    x = padded(x, w, xp, -math.inf)
    return xp.argmax(xp.stack([x[key] for key in w.keys], axis=0), axis=0)


max_pool_indices.not_differentiable("positions")


@composite(
    Sample(((2, 2, 2), (2, 2, 2)), parameters={"size": (5,), "kernel_size": 2}, integers={1: 2}),
    Sample(((1, 2, 2, 3), (1, 2, 2, 3)), parameters={"size": (4, 5), **OVERLAPPING}, integers={1: 9}),
)
def max_unpool(
    xp: Namespace,
    values: Array,
    indices: Array,
    /,
    *,
    size: Shape,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Padding = 0,
    dilation: Lengths = 1,
    ceil_mode: bool = False,
) -> Any:
    r"""Values put where the maxima were, and 0 elsewhere: the derivative of :func:`max_pool`. $y_j = \sum_i v_i\,[j =
    si + dk_i - p]$ for values $v$ and places $k$ of windows over the spatial shape ``size``; $\bar v_i = \bar y_{si +
    dk_i - p}$.
    """
    w = pool_windows(tuple(size), kernel_size, stride, padding, dilation, ceil_mode, "max_unpool")
    check_number(values.shape, w, "max_unpool")
    return added([values * xp.astype(indices == k, values.dtype) for k in range(w.places)], w, xp)


@composite(
    Sample(((2, 2, 5), (2, 2, 2)), parameters={"kernel_size": 2}, integers={1: 2}),
    Sample(((1, 2, 4, 5), (1, 2, 2, 3)), parameters=OVERLAPPING, integers={1: 9}),
)
def max_pool_gather(
    xp: Namespace,
    x: Array,
    indices: Array,
    /,
    *,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Padding = 0,
    dilation: Lengths = 1,
    ceil_mode: bool = False,
) -> Any:
    r"""Element at a given place of each window: the transpose of :func:`max_unpool`. $y_i = x_{si + dk_i - p}$ for
    places $k$; $\bar x_j = \sum_i \bar y_i\,[j = si + dk_i - p]$.
    """
    name = "max_pool_gather"
    w = pool_windows(spatial(x.shape, name), kernel_size, stride, padding, dilation, ceil_mode, name)
    check_number(indices.shape, w, name)
    x = padded(x, w, xp)
    parts = [x[key] * xp.astype(indices == k, x.dtype) for k, key in enumerate(w.keys)]
    return functools.reduce(lambda a, b: a + b, parts)


def _max_pool(
    dy: Any,
    x: Any,
    shape: Shape,
    kernel_size: Lengths,
    stride: Lengths | None,
    padding: Padding,
    dilation: Lengths,
    ceil_mode: bool,
    xp: Namespace,
) -> Any:
    options = {
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "ceil_mode": ceil_mode,
    }
    return xp.max_unpool(dy, xp.max_pool_indices(x, **options), size=tuple(shape[2:]), **options)


max_pool.vjp(x=_max_pool)
max_unpool.vjp(
    values=lambda dy, indices, kernel_size, stride, padding, dilation, ceil_mode, xp: xp.max_pool_gather(
        dy,
        indices,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    )
)
max_pool_gather.vjp(
    x=lambda dy, indices, shape, kernel_size, stride, padding, dilation, ceil_mode, xp: xp.max_unpool(
        dy,
        indices,
        size=tuple(shape[2:]),
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    )
)


def _divided(y: Any, w: Windows, padding: Padding, count_include_pad: bool, xp: Namespace) -> Any:
    found = counts(w, padding, count_include_pad)
    if all(set(along) <= {k} for along, k in zip(found, w.kernel, strict=True)):
        return y / w.places
    divisor: Any = None
    for i, along in enumerate(found):
        column = xp.asarray(along, dtype=y.dtype, device=place(y))
        column = xp.reshape(column, (-1,) + (1,) * (len(found) - 1 - i))
        divisor = column if divisor is None else divisor * column
    return y / divisor


@composite(
    Sample(((2, 2, 5),), parameters={"kernel_size": 2}),
    Sample(((1, 2, 4, 5),), parameters={**OVERLAPPING, "count_include_pad": False}),
    Sample(((1, 2, 3, 4),), parameters=RAGGED),
    Sample(((1, 1, 3, 4, 3),), parameters={"kernel_size": 2, "stride": 1}),
)
def average_pool(
    xp: Namespace,
    x: Array,
    /,
    *,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    r"""Mean of each window. $y_{nci} = \frac{1}{K_i} \sum_k x_{n, c, si + k - p}$, where $x$ is 0 outside; $\bar x_j =
    \sum_{i, k: si + k - p = j} \bar y_i / K_i$.

    Parameters
    ----------
    x
        Of shape (samples, channels, \*spatial).
    kernel_size
        The shape of a window.
    stride
        $s$: the steps from window to window; by default the kernel's size, so that windows do not overlap.
    padding
        $p$: how far the windows reach beyond both ends of an axis; at most half of the kernel's size.
    ceil_mode
        Whether there is one more window where the steps leave a rest.
    count_include_pad
        Whether $K_i$ counts the padding, or only the elements of $x$.
    """
    w = pool_windows(spatial(x.shape, "average_pool"), kernel_size, stride, padding, 1, ceil_mode, "average_pool")
    x = padded(x, w, xp)
    y = functools.reduce(lambda a, b: a + b, [x[key] for key in w.keys])
    return _divided(y, w, padding, count_include_pad, xp)


@composite(
    Sample(((2, 2, 2),), parameters={"size": (5,), "kernel_size": 2}),
    Sample(((1, 2, 2, 3),), parameters={"size": (4, 5), **OVERLAPPING, "count_include_pad": False}),
    Sample(((1, 2, 2, 3),), parameters={"size": (3, 4), **RAGGED}),
)
def average_unpool(
    xp: Namespace,
    values: Array,
    /,
    *,
    size: Shape,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    r"""Values spread evenly over their windows: the derivative of :func:`average_pool`. $y_j = \sum_{i, k: si + k - p =
    j} v_i / K_i$ over the spatial shape ``size``; $\bar v$ is the average pooling of $\bar y$.
    """
    w = pool_windows(tuple(size), kernel_size, stride, padding, 1, ceil_mode, "average_unpool")
    check_number(values.shape, w, "average_unpool")
    return added([_divided(values, w, padding, count_include_pad, xp)] * w.places, w, xp)


average_pool.vjp(
    x=lambda dy, shape, kernel_size, stride, padding, ceil_mode, count_include_pad, xp: xp.average_unpool(
        dy,
        size=tuple(shape[2:]),
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )
)
average_unpool.vjp(
    values=lambda dy, kernel_size, stride, padding, ceil_mode, count_include_pad, xp: xp.average_pool(
        dy,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )
)
