r"""Batch norm in blocks: forward and backward each read an array twice, and write one.

An array is seen as a matrix. Its rows belong to one feature each where features have neighbouring values, as the
channels of an image have; otherwise its columns do. Sums are first over the part of a feature that is in one block (or
row), and then over these, in float64. Mean and variance of the parts are put together without cancellation,
$\sum_i (x_i - \mu)^2 = \sum_p \left( \sum_{i \in p} (x_i - \mu_p)^2 + n_p (\mu_p - \mu)^2 \right)$.

Source: T. F. Chan, G. H. Golub and R. J. LeVeque, Algorithms for computing the sample variance, The American
Statistician 37, 1983, equation 2.1.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from deepcore._backend import composites
from deepcore.ops.normalization import BatchNormResult
from deepcore.ops.reduction import reduced_axes

from ._blocks import over_blocks, rows_of_a_block
from ._normalization import DTYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from deepcore._backend import Kernels
    from deepcore._typing import Axis, Shape

    Array: TypeAlias = NDArray[Any]


SMALL: Final = 8192
"""Below as many elements the plain form is as fast."""


class Matrix:
    """How an array is seen: as ``parts`` times as many rows as there are features, or with features as its columns."""

    def __init__(self, shape: Shape, axis: Axis, dtype: np.dtype[Any]) -> None:
        over = reduced_axes(axis, len(shape))
        kept = [i for i in range(len(shape)) if i not in over]
        first, last = (kept[0], kept[-1] + 1) if kept else (0, 0)
        self.is_matrix = bool(kept) and last - first == len(kept)
        self.kept = tuple(shape[i] for i in kept)
        self.features = math.prod(self.kept)
        before, after = math.prod(shape[:first]), math.prod(shape[last:])
        self.in_rows = after > 1
        self.shape = (before * self.features, after) if self.in_rows else (before, self.features)
        self.count = before * after
        self.step = rows_of_a_block(self.shape[1])
        self.parts = before if self.in_rows else -(-before // self.step)
        self.dtype = dtype
        self.ones = np.ones(after if self.in_rows else min(self.step, before), dtype)

    def sums(self) -> Array:
        """Return memory for a number of each part of each feature."""
        return np.empty((self.parts, self.features), self.dtype)

    def add(self, block: Array, start: int, sums: Array) -> None:
        """Sum a block, whose first row is ``start``, over what belongs to one feature."""
        if self.in_rows:
            np.vecdot(block, self.ones, sums.reshape(-1)[start : start + len(block)])
        else:
            np.matmul(self.ones[: len(block)], block, sums[start // self.step])

    def spread(self, values: Array) -> Callable[[int, int], Array]:
        """Return a function that gives those of a number for each feature that are in some rows, to be broadcast."""
        if self.in_rows:
            column = np.tile(values.reshape(-1), self.parts)[:, None]
            return lambda start, stop: column[start:stop]
        row = values.reshape(1, -1)
        return lambda start, stop: row

    def over(self, work: Callable[[int, int, Array], None]) -> None:
        """Call ``work(start, stop, scratch)`` for every block."""
        rows, length = self.shape

        def some(first: int, last: int) -> None:
            scratch = np.empty((min(self.step, last - first), length), self.dtype)
            for start in range(first, last, self.step):
                stop = min(start + self.step, last)
                work(start, stop, scratch[: stop - start])

        over_blocks(some, rows, self.step, length)

    def moments(self, x: Array) -> tuple[Array, Array]:
        """Return the mean and the biased variance of each feature."""
        means, squares = self.sums(), self.sums()
        in_rows, counts = self.in_rows, self._counts()

        def work(start: int, stop: int, scratch: Array) -> None:
            block = x[start:stop]
            self.add(block, start, means)
            if in_rows:
                mean = means.reshape(-1)[start:stop, None]
                mean /= self.shape[1]
            else:
                mean = means[start // self.step]
                mean /= stop - start
            np.subtract(block, mean, scratch)
            self.add(np.multiply(scratch, scratch, scratch), start, squares)

        self.over(work)
        wide = means.astype(np.float64)
        mean = np.sum(counts * wide, axis=0) / self.count
        wide -= mean
        variance = (squares.sum(axis=0, dtype=np.float64) + np.sum(counts * wide * wide, axis=0)) / self.count
        return mean.astype(self.dtype), variance.astype(self.dtype)

    def _counts(self) -> Array:
        """Return how many values of a feature each part has, as a column."""
        if self.in_rows:
            return np.full((self.parts, 1), float(self.shape[1]))
        ends = np.minimum(np.arange(1, self.parts + 1) * self.step, self.shape[0])
        return np.diff(ends, prepend=0).astype(np.float64)[:, None]

    def total(self, sums: Array) -> Array:
        """Return the sums over all parts."""
        return sums.sum(axis=0, dtype=np.float64).astype(self.dtype)

    def scaled(self, x: Array, mean: Array, scale: Array, bias: Array | None) -> Array:
        """Return the matrix less the mean, times the scale, plus the bias."""
        y = np.empty(self.shape, self.dtype)
        m, s, b = self.spread(mean), self.spread(scale), None if bias is None else self.spread(bias)

        def work(start: int, stop: int, scratch: Array) -> None:
            out = y[start:stop]
            np.subtract(x[start:stop], m(start, stop), out)
            np.multiply(out, s(start, stop), out)
            if b is not None:
                np.add(out, b(start, stop), out)

        self.over(work)
        return y


def _matrix(x: Array, axis: Axis, *parameters: Array | None) -> Matrix | None:
    """Return how an array is seen, or None where the plain form is left to compute it."""
    if x.dtype not in DTYPES or x.size < SMALL:
        return None
    matrix = Matrix(x.shape, axis, x.dtype)
    fits = all(p is None or (p.shape == matrix.kept and p.dtype == x.dtype) for p in parameters)
    return matrix if matrix.is_matrix and fits else None


def _scale(variance: Array, weight: Array | None, eps: float) -> Array:
    inverse = 1 / np.sqrt(variance + eps)
    return inverse if weight is None else inverse * weight.reshape(variance.shape)


def batch_norm(
    kernels: Kernels,
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    /,
    *,
    axis: Axis = 0,
    eps: float = 1e-5,
) -> Any:
    """Return the normalised values, the mean and the variance."""
    matrix = _matrix(x, axis, weight, bias)
    if matrix is None:
        return composites["batch_norm"](kernels, x, weight, bias, axis=axis, eps=eps)
    values = x.reshape(matrix.shape)
    mean, variance = matrix.moments(values)
    y = matrix.scaled(values, mean, _scale(variance, weight, eps), bias)
    results: Any = (y.reshape(x.shape), mean.reshape(matrix.kept), variance.reshape(matrix.kept))
    return BatchNormResult(*results)


def batch_norm_inference(
    kernels: Kernels,
    x: Array,
    mean: Array,
    variance: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    /,
    *,
    axis: Axis = 0,
    eps: float = 1e-5,
) -> Any:
    """Return the values scaled and shifted by given statistics."""
    matrix = _matrix(x, axis, mean, variance, weight, bias)
    if matrix is None:
        return composites["batch_norm_inference"](kernels, x, mean, variance, weight, bias, axis=axis, eps=eps)
    return matrix.scaled(x.reshape(matrix.shape), mean, _scale(variance, weight, eps), bias).reshape(x.shape)


def batch_norm_vjp(
    kernels: Kernels,
    dy: Array | None,
    dmean: Array | None,
    dvariance: Array | None,
    x: Array,
    weight: Array | None,
    mean: Array,
    variance: Array,
    *,
    axis: Axis,
    eps: float,
) -> Any:
    """Return the cotangents of a batch norm's operands."""
    matrix = _matrix(x, axis, weight, mean, variance)
    if matrix is None or dy is None or dy.dtype != x.dtype or dmean is not None or dvariance is not None:
        given = (dy, dmean, dvariance, x, weight, mean, variance)
        return composites["batch_norm_vjp"](kernels, *given, axis=axis, eps=eps)
    values, d = x.reshape(matrix.shape), dy.reshape(matrix.shape)
    along, plain = matrix.sums(), matrix.sums()
    m = matrix.spread(mean)

    def work(start: int, stop: int, scratch: Array) -> None:
        np.subtract(values[start:stop], m(start, stop), scratch)
        matrix.add(np.multiply(scratch, d[start:stop], scratch), start, along)
        matrix.add(d[start:stop], start, plain)

    matrix.over(work)
    inverse = _scale(variance, None, eps).reshape(-1)
    dbias, dweight = matrix.total(plain), matrix.total(along) * inverse
    shift, slope = (matrix.spread(p) for p in (dbias / matrix.count, inverse * dweight / matrix.count))
    scale = matrix.spread(_scale(variance, weight, eps))
    dx = np.empty(matrix.shape, matrix.dtype)

    def finish(start: int, stop: int, scratch: Array) -> None:
        np.subtract(values[start:stop], m(start, stop), scratch)
        np.multiply(scratch, slope(start, stop), scratch)
        np.subtract(d[start:stop], scratch, scratch)
        np.subtract(scratch, shift(start, stop), scratch)
        np.multiply(scratch, scale(start, stop), dx[start:stop])

    matrix.over(finish)
    return dx.reshape(x.shape), dweight.reshape(matrix.kept), dbias.reshape(matrix.kept)


def overrides(kernels: Kernels) -> dict[str, Any]:
    """Return the kernels by name."""
    return {f.__name__: partial(f, kernels) for f in (batch_norm, batch_norm_inference, batch_norm_vjp)}
