"""Convolution by matrix products on blocks of samples that stay in the cache.

The elements of all windows are copied into the columns of a matrix. Where the steps are 1, the columns are as wide as
the *padded* rows: then the elements at one place of all windows are one contiguous stretch of the padded array, which
is copied several times faster than row by row, and the few columns that belong to no window are left out of the result.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from deepcore._window import convolution_windows, transposed_windows, weight_windows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from deepcore._typing import Shape
    from deepcore._window import Lengths, Padding, Windows

    HostArray: TypeAlias = NDArray[Any]

BLOCK: Final = 1 << 20
"""Bytes of the columns that are made at once."""

WASTE: Final = 1.5
"""How much wider columns may be for the sake of contiguous copies."""


class Block:
    """Some samples, padded, and the columns of their windows.

    Attributes
    ----------
    samples, rows
        How many samples are taken at once, and how many rows of windows, along the first spatial axis.
    width
        The length of a row in the columns.
    image
        The padded samples.
    """

    def __init__(self, w: Windows, samples: int, channels: int, dtype: np.dtype[Any]) -> None:
        self.windows = w
        self.channels = channels
        wide, exact = math.prod(w.padded[1:]), math.prod(w.number[1:])
        self.is_wide = max(w.stride) == 1 and wide <= WASTE * exact
        self.width = wide if self.is_wide else exact
        cost = max(channels * w.places * self.width * dtype.itemsize, 1)
        self.rows = max(1, min(w.number[0], BLOCK // cost))
        self.samples = max(1, min(samples, BLOCK // (cost * max(w.number[0], 1))))
        pitches = [math.prod(w.padded[i + 1 :]) for i in range(len(w.padded))]
        last = sum(d * (k - 1) * pitch for d, k, pitch in zip(w.dilation, w.kernel, pitches, strict=True))
        size = math.prod(w.padded)
        extent = max(size, w.number[0] * self.width + last) if self.is_wide else size
        self._memory = np.zeros((self.samples, channels, extent), dtype)
        self.image = self._memory[..., :size].reshape(self.samples, channels, *w.padded)
        self._columns = np.empty(self.samples * channels * w.places * self.rows * self.width, dtype)
        itemsize = dtype.itemsize
        places = tuple(d * pitch * itemsize for d, pitch in zip(w.dilation, pitches, strict=True))
        steps = tuple(s * pitch * itemsize for s, pitch in zip(w.stride, pitches, strict=True))
        self._step = steps[0]
        self._strides = (*self._memory.strides[:2], *places, *((itemsize,) if self.is_wide else steps))

    def parts(self, n: int) -> Iterator[tuple[slice, slice, HostArray]]:
        """Give the parts of n samples: the samples, the rows of windows, and those windows in the padded memory."""
        w = self.windows
        for first in range(0, n, self.samples):
            m = min(self.samples, n - first)
            for row in range(0, w.number[0], self.rows):
                rows = min(self.rows, w.number[0] - row)
                along = (rows * self.width,) if self.is_wide else (rows, *w.number[1:])
                start = self._memory[:, :, row * self._step // self._memory.itemsize :]
                view = as_strided(start, (m, self.channels, *w.kernel, *along), self._strides)
                yield slice(first, first + m), slice(row, row + rows), view

    def load(self, x: HostArray) -> None:
        """Copy samples into the padded memory."""
        self.image[: len(x)][self.windows.inside] = x

    def gathered(self, view: HostArray) -> HostArray:
        """Return the columns of windows, of shape (samples, channels · places, windows)."""
        columns = self._columns[: view.size].reshape(view.shape)
        np.copyto(columns, view)
        return columns.reshape(
            len(view), self.channels * self.windows.places, math.prod(view.shape[2 + len(self.windows.kernel) :])
        )

    def add(self, columns: HostArray, view: HostArray) -> None:
        """Add columns to the elements that they are made of."""
        columns = columns.reshape(view.shape)
        for place in itertools.product(*map(range, self.windows.kernel)):
            key: tuple[Any, ...] = (slice(None), slice(None), *place)
            np.add(view[key], columns[key], out=view[key])

    def narrow(self, values: HostArray, rows: int) -> HostArray:
        """Return a view of values of columns, (samples, channels, windows), as (samples, channels, rows, ...)."""
        lengths = (rows, *(self.windows.padded if self.is_wide else self.windows.number)[1:])
        inner: tuple[Any, ...] = (..., *[slice(m) for m in self.windows.number[1:]])
        return values.reshape(*values.shape[:2], *lengths)[inner]

    def widened(self, dy: HostArray, memory: HostArray, rows: int) -> HostArray:
        """Return values of windows as values of columns, with zeros for the columns that belong to no window."""
        if not self.is_wide:
            return _flat(dy)
        values = memory[: len(dy), :, : rows * self.width]
        self.narrow(values, rows)[...] = dy
        return values


def _flat(x: HostArray) -> HostArray:
    """Join the spatial axes."""
    return x.reshape(*x.shape[:2], math.prod(x.shape[2:]))


def _matrices(weight: HostArray, groups: int) -> HostArray:
    return weight.reshape(groups, len(weight) // groups, math.prod(weight.shape[1:]))


def _grouped(x: HostArray, groups: int) -> HostArray:
    """Split the channels of (samples, channels, n)."""
    return x.reshape(len(x), groups, x.shape[1] // groups, x.shape[2])


def _is_pointwise(w: Windows) -> bool:
    return w.places == 1 and max(w.stride) == 1 and not w.is_padded


def _shaped(bias: HostArray, ndim: int) -> HostArray:
    return bias.reshape(-1, *(1,) * (ndim - 2))


def convolution(
    x: HostArray,
    weight: HostArray,
    bias: HostArray | None = None,
    /,
    *,
    stride: Lengths = 1,
    padding: Padding = 0,
    dilation: Lengths = 1,
    groups: int = 1,
) -> HostArray:
    """Return the cross-correlation: see ``deepcore.convolution``."""
    w = convolution_windows(x.shape, weight.shape, stride, padding, dilation, groups)
    n, outputs = len(x), len(weight)
    matrices = _matrices(weight, groups)
    if _is_pointwise(w):
        product = np.matmul(matrices, _grouped(_flat(x), groups))
        y = product.reshape(n, outputs, *w.number)
        return y if bias is None else np.add(y, _shaped(bias, x.ndim), out=y)
    y = np.empty((n, outputs, *w.number), np.result_type(x, weight))
    block = Block(w, n, x.shape[1], x.dtype)
    memory = np.empty(block.samples * outputs * block.rows * block.width, y.dtype)
    for samples, rows, view in block.parts(n):
        if rows.start == 0:
            block.load(x[samples])
        columns = _grouped(block.gathered(view), groups)
        product = memory[: len(view) * outputs * columns.shape[-1]].reshape(len(view), outputs, columns.shape[-1])
        np.matmul(matrices, columns, out=_grouped(product, groups))
        found = block.narrow(product, rows.stop - rows.start)
        if bias is None:
            y[samples, :, rows] = found
        else:
            np.add(found, _shaped(bias, x.ndim), out=y[samples, :, rows])
    return y


def convolution_transpose(
    x: HostArray,
    weight: HostArray,
    bias: HostArray | None = None,
    /,
    *,
    stride: Lengths = 1,
    padding: Padding = 0,
    dilation: Lengths = 1,
    groups: int = 1,
    output_padding: Lengths = 0,
) -> HostArray:
    """Return the transposed convolution: see ``deepcore.convolution_transpose``."""
    w = transposed_windows(x.shape, weight.shape, stride, padding, dilation, groups, output_padding)
    n, channels = len(x), groups * weight.shape[1]
    if max(w.stride) == 1 and 2 * channels >= x.shape[1] and (around := _around(w)) is not None:
        reversed_weight = _reversed(weight, groups)
        return convolution(x, reversed_weight, bias, padding=around, dilation=w.dilation, groups=groups)
    matrices = np.swapaxes(_matrices(weight, groups), -1, -2)
    dtype = np.result_type(x, weight)
    if _is_pointwise(w):
        product = np.matmul(matrices, _grouped(_flat(x), groups))
        y = product.reshape(n, channels, *w.size)
    else:
        y = np.empty((n, channels, *w.size), dtype)
        block = Block(w, n, channels, dtype)
        memory = np.zeros((block.samples, x.shape[1], block.rows * block.width), x.dtype)
        for samples, rows, view in block.parts(n):
            if rows.start == 0:
                block.image[...] = 0
            values = block.widened(x[samples, :, rows], memory, rows.stop - rows.start)
            block.add(np.matmul(matrices, _grouped(values, groups)), view)
            if rows.stop == w.number[0]:
                y[samples] = block.image[: len(view)][w.inside]
    return y if bias is None else np.add(y, _shaped(bias, x.ndim), out=y)


def _around(w: Windows) -> tuple[tuple[int, int], ...] | None:
    """Return the padding with which a convolution with steps of 1 is a transposed one; None where it were negative."""
    pairs = tuple(
        (d * (k - 1) - p, n - m + p)
        for d, k, p, n, m in zip(w.dilation, w.kernel, w.before, w.size, w.number, strict=True)
    )
    return None if min(map(min, pairs)) < 0 else pairs


def _reversed(weight: HostArray, groups: int) -> HostArray:
    """Return a weight with its places in reverse order, and inputs for outputs."""
    inputs, inner, *kernel = weight.shape
    split = np.flip(weight, tuple(range(2, weight.ndim))).reshape(groups, inputs // groups, inner, *kernel)
    return np.swapaxes(split, 1, 2).reshape(groups * inner, inputs // groups, *kernel)


def convolution_weight(
    x: HostArray,
    cotangent: HostArray,
    /,
    *,
    kernel_size: Lengths,
    stride: Lengths = 1,
    padding: Padding = 0,
    dilation: Lengths = 1,
    groups: int = 1,
) -> HostArray:
    """Return the derivative of a convolution with respect to its weight: see ``deepcore.convolution_weight``."""
    w = weight_windows(x.shape, cotangent.shape, kernel_size, stride, padding, dilation, groups)
    n, outputs, inner = len(x), cotangent.shape[1], x.shape[1] // groups
    shape: Shape = (outputs, inner, *w.kernel)
    dw = np.zeros((groups, outputs // groups, math.prod(shape[1:])), np.result_type(x, cotangent))
    block = Block(w, n, x.shape[1], x.dtype)
    memory = np.zeros((block.samples, outputs, block.rows * block.width), cotangent.dtype)
    for samples, rows, view in block.parts(n):
        if rows.start == 0:
            block.load(x[samples])
        columns = _grouped(block.gathered(view), groups)
        values = block.widened(cotangent[samples, :, rows], memory, rows.stop - rows.start)
        for dy, column in zip(_grouped(values, groups), columns, strict=True):
            dw += np.matmul(dy, np.swapaxes(column, -1, -2))
    return dw.reshape(shape)
