"""Pooling layers for inputs of any shape: a given number of windows, or one of everything."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from .._errors import ConfigError, ShapeError
from ..ops.creation import asarray
from ..ops.elementwise import floor_divide, minimum, remainder
from ..ops.indexing import take, take_along_axis
from ..ops.manipulation import permute_dims, reshape
from ..ops.pooling import average_pool, max_pool
from ..ops.reduction import mean
from ..ops.searching import argmax
from ._module import Module
from ._resampling import averaging, resampled, windows_of
from ._spatial import check_input

if TYPE_CHECKING:
    from .._tensor import Tensor
    from .._typing import Shape


class _AdaptivePool(Module):
    """Pooling to a given shape of as many spatial axes as a subclass says."""

    ndim: ClassVar[int]

    def __init__(self, output_size: int | tuple[int | None, ...] | None) -> None:
        entries = output_size if isinstance(output_size, tuple) else (output_size,) * self.ndim
        if len(entries) != self.ndim or not all(m is None or m >= 1 for m in entries):
            msg = (
                f"{type(self).__name__}: output_size is a number of windows, at least 1, or {self.ndim} of them, one "
                f"per spatial axis, None for one that stays; not {output_size!r}"
            )
            raise ConfigError(msg)
        self.output_size = entries
        self._name = repr(self)

    def _size(self, x: Tensor) -> Shape:
        check_input(self._name, x, self.ndim)
        return tuple(n if m is None else m for n, m in zip(x.shape[2:], self.output_size, strict=True))

    def describe(self) -> str:
        """Return the shape of the output."""
        return "×".join("any" if m is None else str(m) for m in self.output_size)


def _even(size: Shape, number: Shape) -> Shape | None:
    """Return the shape of the windows where they are all alike and do not overlap, else None."""
    if any(n % m for n, m in zip(size, number, strict=True)):
        return None
    return tuple(n // m for n, m in zip(size, number, strict=True))


class _AdaptiveAvgPool(_AdaptivePool):
    def forward(self, x: Tensor) -> Tensor:
        """Return the mean of each window."""
        size = self._size(x)
        kernel = _even(x.shape[2:], size)
        if kernel is not None and min(kernel) > 0:
            return average_pool(x, kernel_size=kernel)
        return resampled(x, [averaging(n, m) for n, m in zip(x.shape[2:], size, strict=True)])


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    r"""Means of a given number of windows of a sequence; see :class:`AdaptiveAvgPool2d`.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.AdaptiveAvgPool1d(2)(dc.asarray([[[1.0, 2.0, 3.0]]])).tolist()
    [[[1.5, 2.5]]]
    """

    ndim = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    r"""Means of a given number of windows of an image, whatever its shape.

    Of $m$ windows along an axis of $n$ elements, window $i$ is from $\lfloor in/m \rfloor$ to $\lceil (i + 1)n/m
    \rceil - 1$. Windows overlap where $m$ does not divide $n$.

    Parameters
    ----------
    output_size
        $m$, or one for each axis; None for an axis that stays as long as it is.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.AdaptiveAvgPool2d((7, None))(dc.ones((5, 8, 20, 30))).shape
    (5, 8, 7, 30)
    """

    ndim = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Means of a given number of windows of a volume; see :class:`AdaptiveAvgPool2d`."""

    ndim = 3


class _AdaptiveMaxPool(_AdaptivePool):
    def forward(self, x: Tensor) -> Tensor:
        """Return the largest element of each window."""
        size = self._size(x)
        kernel = _even(x.shape[2:], size)
        if kernel is not None and min(kernel) > 0:
            return max_pool(x, kernel_size=kernel)
        flat = reshape(x, (*x.shape[:2], math.prod(x.shape[2:])))
        places = reshape(_first_maxima(x.detach(), size), (*x.shape[:2], math.prod(size)))
        return reshape(take_along_axis(flat, places, axis=-1), (*x.shape[:2], *size))


def _first_maxima(x: Tensor, size: Shape) -> Tensor:
    """Return for each window of adaptive pooling the place of its first maximum in the flattened spatial axes.

    Windows differ in length by one at most. To compare them all at once, the shorter ones repeat their last element,
    which changes neither the maximum nor which element is the first to reach it.
    """
    spatial = x.shape[2:]
    windows = [windows_of(n, m) for n, m in zip(spatial, size, strict=True)]
    lengths = [max(end - start for start, end in zip(*w, strict=True)) for w in windows]
    for i, ((starts, ends), longest) in enumerate(zip(windows, lengths, strict=True)):
        reads = [min(s + k, e - 1) for s, e in zip(starts, ends, strict=True) for k in range(longest)]
        x = take(x, asarray(reads, device=x.device), axis=2 + i)
    split = [n for m, k in zip(size, lengths, strict=True) for n in (m, k)]
    x = reshape(x, (*x.shape[:2], *split))
    axes = range(len(size))
    x = permute_dims(x, (0, 1, *(2 + 2 * i for i in axes), *(3 + 2 * i for i in axes)))
    rest = argmax(reshape(x, (*x.shape[:2], *size, math.prod(lengths))), axis=-1)
    place: Tensor = 0 * rest
    step = 1
    for i in reversed(axes):
        tail = (-1,) + (1,) * (len(size) - 1 - i)
        start, end = (reshape(asarray(v, device=x.device), tail) for v in windows[i])
        place = place + step * (start + minimum(remainder(rest, lengths[i]), end - start - 1))
        rest = floor_divide(rest, lengths[i])
        step *= spatial[i]
    return place


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    r"""Largest elements of a given number of windows of a sequence; see :class:`AdaptiveMaxPool2d`.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.AdaptiveMaxPool1d(2)(dc.asarray([[[1.0, 2.0, 3.0]]])).tolist()
    [[[2.0, 3.0]]]
    """

    ndim = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Largest elements of a given number of windows of an image, whatever its shape.

    The windows are those of :class:`AdaptiveAvgPool2d`. The gradient goes to the first of the elements that reach a
    maximum.

    Parameters
    ----------
    output_size
        The number of windows, or one for each axis; None for an axis that stays as long as it is.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.AdaptiveMaxPool2d(7)(dc.ones((5, 8, 20, 30))).shape
    (5, 8, 7, 7)
    """

    ndim = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Largest elements of a given number of windows of a volume; see :class:`AdaptiveMaxPool2d`."""

    ndim = 3


# ---------------------------------------------------------------------------------------------------------- everything


class GlobalAvgPool(Module):
    r"""Mean of each channel over all spatial axes: (batch, channels, \*spatial) becomes (batch, channels).

    References
    ----------
    M. Lin, Q. Chen and S. Yan, Network in network, ICLR 2014, section 3.2.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.GlobalAvgPool()(dc.ones((5, 8, 7, 7))).shape
    (5, 8)
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the means."""
        return mean(_flattened(self, x), axis=-1)


class GlobalMaxPool(Module):
    r"""Largest element of each channel over all spatial axes: (batch, channels, \*spatial) becomes (batch, channels).

    The gradient goes to the first of the elements that reach the maximum, as in the other pooling layers.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.GlobalMaxPool()(dc.ones((5, 8, 7, 7))).shape
    (5, 8)
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the largest elements."""
        flat = _flattened(self, x)
        return take_along_axis(flat, argmax(flat.detach(), axis=-1, keepdims=True), axis=-1)[..., 0]


def _flattened(layer: Module, x: Tensor) -> Tensor:
    if x.ndim < 3 or not math.prod(x.shape[2:]):
        msg = f"{layer!r}: expected (batch, channels, length, ...), with at least one element each, got {x.shape}"
        raise ShapeError(msg)
    return reshape(x, (*x.shape[:2], math.prod(x.shape[2:])))
