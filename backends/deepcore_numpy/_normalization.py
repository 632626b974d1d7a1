"""Layer norm and RMS norm in blocks of rows: every row is read once and written once, forward and backward.

The names and the arguments are those of :mod:`deepcore.ops.normalization`, whose functions compute what is left to
them: numbers of other types than these, and operands that are broadcast.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from deepcore._backend import composites
from deepcore._device import device

from ._blocks import over_blocks, rows_of_a_block

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deepcore._backend import Kernels

    Array: TypeAlias = NDArray[Any]

DTYPES: Final = (np.dtype(np.float32), np.dtype(np.float64))


def layer_norm(
    kernels: Kernels,
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    /,
    *,
    axes: int = 1,
    eps: float = 1e-5,
) -> Any:
    """Return the normalised rows."""
    if not _fits(x, axes, weight, bias):
        return composites["layer_norm"](kernels, x, weight, bias, axes=axes, eps=eps)
    return _forward(x, weight, bias, axes, eps, centred=True)


def rms_norm(kernels: Kernels, x: Array, weight: Array | None = None, /, *, axes: int = 1, eps: float = 1e-6) -> Any:
    """Return the rows with mean square 1."""
    if not _fits(x, axes, weight, None):
        return composites["rms_norm"](kernels, x, weight, axes=axes, eps=eps)
    return _forward(x, weight, None, axes, eps, centred=False)


def layer_norm_vjp(
    kernels: Kernels, dy: Array, x: Array, weight: Array | None, bias: Array | None, *, axes: int, eps: float
) -> Any:
    """Return the cotangents of a layer norm's operands."""
    if not _fits(x, axes, weight, bias) or dy.dtype != x.dtype:
        return composites["layer_norm_vjp"](kernels, dy, x, weight, bias, axes=axes, eps=eps)
    return _backward(dy, x, weight, axes, eps, centred=True, with_bias=bias is not None)


def rms_norm_vjp(kernels: Kernels, dy: Array, x: Array, weight: Array | None, *, axes: int, eps: float) -> Any:
    """Return the cotangents of an RMS norm's operands."""
    if not _fits(x, axes, weight, None) or dy.dtype != x.dtype:
        return composites["rms_norm_vjp"](kernels, dy, x, weight, axes=axes, eps=eps)
    return _backward(dy, x, weight, axes, eps, centred=False, with_bias=False)[:2]


def _fits(x: Array, axes: int, *parameters: Array | None) -> bool:
    """Whether an array has rows, and the parameters a number for each place in a row, of the same type."""
    if x.dtype not in DTYPES or x.size == 0 or not 0 < axes <= x.ndim:
        return False
    return all(p is None or (p.shape == x.shape[-axes:] and p.dtype == x.dtype) for p in parameters)


def _row(parameter: Array | None) -> Array | None:
    return None if parameter is None else parameter.reshape(-1)


def _standardise(x: Array, into: Array, ones: Array, eps: float, *, centred: bool) -> tuple[Array, Array]:
    r"""Return rows without their means, and $1 / \sqrt{\sigma^2 + \varepsilon}$ as a column."""
    n = len(ones)
    if centred:
        np.subtract(x, (np.vecdot(x, ones) / n)[:, None], into)
        x = into
    square = np.vecdot(x, x)
    square /= n
    square += eps
    np.sqrt(square, square)
    return x, np.divide(1, square, square)[:, None]


def layer_norm_into(
    out: Array, x: Array, weight: Array | None = None, bias: Array | None = None, *, axes: int = 1, eps: float = 1e-5
) -> None:
    """Write the normalised rows."""
    if _fits(x, axes, weight, bias) and out.flags.c_contiguous:
        _forward(x, weight, bias, axes, eps, centred=True, result=out)
    else:
        np.copyto(out, device("cpu").kernels.layer_norm(x, weight, bias, axes=axes, eps=eps))


def layer_norm_vjp_into(dx: Array, dweight: Array, dbias: Array, /, *operands: Any, axes: int, eps: float) -> None:
    """Write the cotangents of a layer norm's operands."""
    dy, x, weight, bias = operands
    if _fits(x, axes, weight, bias) and dy.dtype == x.dtype and dx.flags.c_contiguous:
        found: Any = _backward(dy, x, weight, axes, eps, centred=True, with_bias=True, result=dx)[1:]
    else:
        first, *found = device("cpu").kernels.layer_norm_vjp(dy, x, weight, bias, axes=axes, eps=eps)
        np.copyto(dx, first)
    for place, value in zip((dweight, dbias), found, strict=True):
        np.copyto(place, value)


def _forward(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    axes: int,
    eps: float,
    *,
    centred: bool,
    result: Array | None = None,
) -> Array:
    n = math.prod(x.shape[-axes:])
    rows = x.reshape(-1, n)
    result = np.empty(x.shape, x.dtype) if result is None else result
    y, w, b = result.reshape(-1, n), _row(weight), _row(bias)
    ones = np.ones(n, x.dtype)
    step = rows_of_a_block(n)

    def work(start: int, stop: int) -> None:
        for i in range(start, stop, step):
            block = slice(i, min(i + step, stop))
            out = y[block]
            without_mean, inverse = _standardise(rows[block], out, ones, eps, centred=centred)
            np.multiply(without_mean, inverse, out)
            if w is not None:
                np.multiply(out, w, out)
            if b is not None:
                np.add(out, b, out)

    over_blocks(work, len(rows), step, n)
    return result


def _backward(
    dy: Array,
    x: Array,
    weight: Array | None,
    axes: int,
    eps: float,
    *,
    centred: bool,
    with_bias: bool,
    result: Array | None = None,
) -> tuple[Array, Array | None, Array | None]:
    r"""Return the cotangents of the rows, of the weight and of the bias.

    With $c = x - \mu$, $r = 1 / \sqrt{\sigma^2 + \varepsilon}$ and $p = \bar y c r$, $\bar w = \sum p$,
    $\langle g \hat x \rangle = p w / n$ and $\langle g \rangle = \bar y w / n$. None of the sums is left to BLAS,
    whose threads would be in the way of these.
    """
    n = math.prod(x.shape[-axes:])
    rows, dy_rows, w = x.reshape(-1, n), dy.reshape(-1, n), _row(weight)
    result = np.empty(x.shape, x.dtype) if result is None else result
    dx = result.reshape(-1, n)
    step = rows_of_a_block(n)
    blocks = -(-len(rows) // step)
    dweight, dbias = np.empty((2, blocks, n), x.dtype)
    ones = np.ones(n, x.dtype)
    along = ones if w is None else w

    def work(start: int, stop: int) -> None:
        c_scratch, p_scratch = np.empty((2, min(step, stop - start), n), x.dtype)
        for i in range(start, stop, step):
            block = slice(i, min(i + step, stop))
            d, out = dy_rows[block], dx[block]
            c, p = c_scratch[: len(d)], p_scratch[: len(d)]
            without_mean, inverse = _standardise(rows[block], c, ones, eps, centred=centred)
            np.multiply(d, without_mean, p)
            np.multiply(p, inverse, p)
            if with_bias:
                np.add.reduce(d, 0, None, dbias[i // step])
            if w is None:
                np.multiply(d, inverse, out)
            else:
                np.add.reduce(p, 0, None, dweight[i // step])
                np.multiply(d, w, out)
                np.multiply(out, inverse, out)
            slope = (np.vecdot(p, along) / n)[:, None] * inverse**2
            np.multiply(without_mean, slope, c)
            if centred:
                np.add(c, (np.vecdot(d, along) / n)[:, None] * inverse, c)
            np.subtract(out, c, out)

    over_blocks(work, len(rows), step, n)
    shape = x.shape[-axes:]
    dw = None if w is None else dweight.sum(axis=0).reshape(shape)
    return result, dw, dbias.sum(axis=0).reshape(shape) if with_bias else None


def overrides(kernels: Kernels) -> dict[str, Any]:
    """Return the kernels by name."""
    return {f.__name__: partial(f, kernels) for f in (layer_norm, rms_norm, layer_norm_vjp, rms_norm_vjp)}
