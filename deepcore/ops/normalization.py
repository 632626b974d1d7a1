r"""Normalisation: values of mean 0 and variance 1, scaled by weights and shifted by biases.

In the equations $w$ and $b$ are the weight and the bias, which may be left out, and $\langle\cdot\rangle$ is the mean
over the axes that are normalised over. The variance is the mean square of what is left when the mean is taken off, in
two passes, because $\langle x^2 \rangle - \langle x \rangle^2$ cancels. Numbers of 16 bits are computed with in
float32, and only the result is rounded.

Where the same work gives the cotangents of all operands, it is a kernel of its own, so that a backend can override it
like any other. Such a kernel is Array API code, and differentiated through its parts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .._dtype import float32
from .._primitive import Sample
from .._record import composite, kernel
from .._sweep import op
from .reduction import reduced_axes

if TYPE_CHECKING:
    from .._typing import Array, Axis, Namespace

ROWS: Final = Sample(((3, 5),))
MATRICES: Final = Sample(((2, 3, 4), (3, 4)), parameters={"axes": 2, "eps": 1e-3})
IMAGES: Final = {"axis": (0, 2, 3), "eps": 1e-3}

op.provide("float32", float32)


class BatchNormResult(NamedTuple):
    """The normalised values, and the mean and the biased variance of each feature."""

    y: Array
    mean: Array
    variance: Array


def _is_half(x: Any) -> bool:
    return str(x.dtype).endswith("float16")


def _wide(x: Any, xp: Namespace) -> Any:
    return xp.astype(x, xp.float32) if _is_half(x) else x


def _narrow(y: Any, x: Any, xp: Namespace) -> Any:
    """Round a result to the data type of the operand, where that has 16 bits."""
    return xp.astype(y, x.dtype) if _is_half(x) and y.dtype != x.dtype else y


def _affine(y: Any, weight: Any, bias: Any) -> Any:
    if weight is not None:
        y = y * weight
    return y if bias is None else y + bias


# -------------------------------------------------------------------------------------------- over the axes of a sample


def _last(axes: int) -> tuple[int, ...]:
    return tuple(range(-axes, 0))


def _standardised(x: Any, axes: int, eps: float, xp: Namespace) -> tuple[Any, Any]:
    r"""Return $\hat x$ and $1 / \sqrt{\sigma^2 + \varepsilon}$."""
    centred = x - xp.mean(x, axis=_last(axes), keepdims=True)
    inverse = 1 / xp.sqrt(xp.mean(centred * centred, axis=_last(axes), keepdims=True) + eps)
    return centred * inverse, inverse


@composite(ROWS, Sample(((3, 5), (5,), (5,))), MATRICES)
def layer_norm(
    xp: Namespace,
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    /,
    *,
    axes: int = 1,
    eps: float = 1e-5,
) -> Any:
    r"""Values of mean 0 and variance 1 over the last axes, ``axes`` of them. $y = w \hat x + b$ with
    $\hat x = (x - \mu) / \sqrt{\sigma^2 + \varepsilon}$, $\mu = \langle x \rangle$,
    $\sigma^2 = \langle (x - \mu)^2 \rangle$; with $g = w \bar y$,
    $\bar x = (g - \langle g \rangle - \hat x \langle g \hat x \rangle) / \sqrt{\sigma^2 + \varepsilon}$, and
    $\bar w = \sum \bar y \hat x$, $\bar b = \sum \bar y$ over the samples.

    Source: J. L. Ba, J. R. Kiros and G. E. Hinton, Layer normalization, arXiv:1607.06450, 2016, equations 3 and 4.
    """
    normalised, _ = _standardised(_wide(x, xp), axes, eps, xp)
    return _narrow(_affine(normalised, weight, bias), x, xp)


@kernel
def layer_norm_vjp(
    xp: Namespace, dy: Any, x: Any, weight: Any, bias: Any, *, axes: int, eps: float
) -> tuple[Any, Any, Any]:
    """Return the cotangents of a layer norm's operands. Those of weight and bias are still to be summed."""
    dy = _wide(dy, xp)
    normalised, inverse = _standardised(_wide(x, xp), axes, eps, xp)
    g = _affine(dy, weight, None)
    along = xp.mean(g * normalised, axis=_last(axes), keepdims=True)
    dx = inverse * (g - xp.mean(g, axis=_last(axes), keepdims=True) - normalised * along)
    return dx, None if weight is None else dy * normalised, None if bias is None else dy


layer_norm.vjp_all(
    lambda dy, x, weight, bias, axes, eps, xp: xp.layer_norm_vjp(dy, x, weight, bias, axes=axes, eps=eps)
)


def _unit(x: Any, axes: int, eps: float, xp: Namespace) -> tuple[Any, Any]:
    r"""Return $\hat x$ and $1 / \sqrt{\langle x^2 \rangle + \varepsilon}$."""
    inverse = 1 / xp.sqrt(xp.mean(x * x, axis=_last(axes), keepdims=True) + eps)
    return x * inverse, inverse


@composite(ROWS, Sample(((3, 5), (5,))), MATRICES)
def rms_norm(xp: Namespace, x: Array, weight: Array | None = None, /, *, axes: int = 1, eps: float = 1e-6) -> Any:
    r"""Values of mean square 1 over the last axes, ``axes`` of them. $y = w \hat x$ with
    $\hat x = x / \sqrt{\langle x^2 \rangle + \varepsilon}$; with $g = w \bar y$,
    $\bar x = (g - \hat x \langle g \hat x \rangle) / \sqrt{\langle x^2 \rangle + \varepsilon}$, and
    $\bar w = \sum \bar y \hat x$ over the samples.

    Source: B. Zhang and R. Sennrich, Root mean square layer normalization, NeurIPS 2019, equation 4.
    """
    normalised, _ = _unit(_wide(x, xp), axes, eps, xp)
    return _narrow(_affine(normalised, weight, None), x, xp)


@kernel
def rms_norm_vjp(xp: Namespace, dy: Any, x: Any, weight: Any, *, axes: int, eps: float) -> tuple[Any, Any]:
    """Return the cotangents of an RMS norm's operands. That of the weight is still to be summed."""
    dy = _wide(dy, xp)
    normalised, inverse = _unit(_wide(x, xp), axes, eps, xp)
    g = _affine(dy, weight, None)
    dx = inverse * (g - normalised * xp.mean(g * normalised, axis=_last(axes), keepdims=True))
    return dx, None if weight is None else dy * normalised


rms_norm.vjp_all(lambda dy, x, weight, axes, eps, xp: xp.rms_norm_vjp(dy, x, weight, axes=axes, eps=eps))


# ---------------------------------------------------------------------------------------------------- over the samples


def _aligned(value: Any, x: Any, axis: Axis, xp: Namespace) -> Any:
    """Give what has a number for each feature the shape in which it is broadcast with x."""
    over = reduced_axes(axis, x.ndim)
    return xp.reshape(value, tuple(1 if i in over else n for i, n in enumerate(x.shape)))


def _with_affine(y: Any, weight: Any, bias: Any, axis: Axis, xp: Namespace) -> Any:
    weight, bias = (None if p is None else _aligned(p, y, axis, xp) for p in (weight, bias))
    return _affine(y, weight, bias)


@composite(
    ROWS,
    Sample(((4, 3), (3,), (3,))),
    Sample(((2, 3, 2, 2), (3,), (3,)), parameters=IMAGES),
    Sample(((2, 3, 4), (2, 3), (2, 3)), parameters={"axis": -1}),
    result=BatchNormResult,
)
def batch_norm(
    xp: Namespace,
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    /,
    *,
    axis: Axis = 0,
    eps: float = 1e-5,
) -> Any:
    r"""Values of mean 0 and variance 1 over axes, those of the samples, and with them the mean and the biased variance.
    $y = w \hat x + b$ with $\hat x = (x - \mu) / \sqrt{\sigma^2 + \varepsilon}$, $\mu = \langle x \rangle$,
    $\sigma^2 = \langle (x - \mu)^2 \rangle$; $\bar w = \sum \bar y \hat x$, $\bar b = \sum \bar y$, and with $n$
    values of each feature
    $\bar x = w (\bar y - \bar b / n - \hat x \bar w / n) / \sqrt{\sigma^2 + \varepsilon} + \bar\mu / n
    + 2 (x - \mu) \overline{\sigma^2} / n$.

    Weight, bias, mean and variance have the axes that are not normalised over. The statistics of numbers of 16 bits are
    in float32.

    Source: S. Ioffe and C. Szegedy, Batch normalization, ICML 2015, algorithm 1 and the equations after it.
    """
    wide = _wide(x, xp)
    mean = xp.mean(wide, axis=axis, keepdims=True)
    centred = wide - mean
    variance = xp.mean(centred * centred, axis=axis, keepdims=True)
    y = _narrow(_with_affine(centred / xp.sqrt(variance + eps), weight, bias, axis, xp), x, xp)
    kept = tuple(n for i, n in enumerate(x.shape) if i not in reduced_axes(axis, x.ndim))
    return BatchNormResult(y, xp.reshape(mean, kept), xp.reshape(variance, kept))


@kernel
def batch_norm_vjp(
    xp: Namespace,
    dy: Any,
    dmean: Any,
    dvariance: Any,
    x: Any,
    weight: Any,
    mean: Any,
    variance: Any,
    *,
    axis: Axis,
    eps: float,
) -> tuple[Any, Any, Any]:
    """Return the cotangents of a batch norm's operands from those of its results, which are None where they are 0."""
    n = math.prod(x.shape[i] for i in reduced_axes(axis, x.ndim))
    centred = _wide(x, xp) - _aligned(mean, x, axis, xp)
    dx = dweight = dbias = None
    if dy is not None:
        dy = _wide(dy, xp)
        inverse = 1 / xp.sqrt(variance + eps)
        dbias, dweight = xp.sum(dy, axis=axis), xp.sum(dy * centred, axis=axis) * inverse
        shared = _aligned(dbias / n, x, axis, xp) + centred * _aligned(inverse * dweight / n, x, axis, xp)
        dx = (dy - shared) * _aligned(_affine(inverse, weight, None), x, axis, xp)
    for part in (
        None if dmean is None else _aligned(dmean / n, x, axis, xp),
        None if dvariance is None else centred * _aligned(dvariance * (2 / n), x, axis, xp),
    ):
        dx = part if dx is None else dx if part is None else dx + part
    return dx, dweight, dbias


def _of_batch_norm(
    dy: Any, x: Any, weight: Any, mean: Any, variance: Any, axis: Axis, eps: float, xp: Namespace
) -> tuple[Any, Any, Any]:
    given = (dy.get("y"), dy.get("mean"), dy.get("variance"))
    dx, dweight, dbias = xp.batch_norm_vjp(*given, x, weight, mean, variance, axis=axis, eps=eps)
    return dx if dx is None or dx.shape == x.shape else xp.broadcast_to(dx, x.shape), dweight, dbias


batch_norm.vjp_all(_of_batch_norm)


@composite(
    Sample(((4, 3), (3,), (3,)), low=0.25),
    Sample(((2, 3, 2, 2), (3,), (3,), (3,), (3,)), low=0.25, parameters=IMAGES),
)
def batch_norm_inference(
    xp: Namespace,
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
    r"""Values scaled and shifted by given statistics. $y = s (x - \mu) + b$ with
    $s = w / \sqrt{\sigma^2 + \varepsilon}$; $\bar x = s \bar y$, and with sums over the axes
    $\bar\mu = -s \sum \bar y$, $\bar b = \sum \bar y$,
    $\bar w = \sum \bar y (x - \mu) / \sqrt{\sigma^2 + \varepsilon}$,
    $\overline{\sigma^2} = -\tfrac12 s \sum \bar y (x - \mu) / (\sigma^2 + \varepsilon)$.

    The parameters have the axes that are not in ``axis``, which are those of the samples.

    Source: S. Ioffe and C. Szegedy, Batch normalization, ICML 2015, algorithm 2, line 11. There the mean is taken off
    after the multiplication, which loses digits where it is large.
    """
    centred = _wide(x, xp) - _aligned(mean, x, axis, xp)
    return _narrow(_with_affine(centred, _scale(weight, variance, eps, xp), bias, axis, xp), x, xp)


def _along_centred(dy: Any, x: Any, mean: Any, axis: Axis, xp: Namespace) -> Any:
    return xp.sum(_wide(dy, xp) * (_wide(x, xp) - _aligned(mean, x, axis, xp)), axis=axis)


def _scale(weight: Any, variance: Any, eps: float, xp: Namespace) -> Any:
    return _affine(1 / xp.sqrt(variance + eps), weight, None)


batch_norm_inference.vjp(
    x=lambda dy, variance, weight, axis, eps, xp: (
        _wide(dy, xp) * _aligned(_scale(weight, variance, eps, xp), dy, axis, xp)
    ),
    mean=lambda dy, variance, weight, axis, eps, xp: (
        -xp.sum(_wide(dy, xp), axis=axis) * _scale(weight, variance, eps, xp)
    ),
    variance=lambda dy, x, mean, variance, weight, axis, eps, xp: (
        _along_centred(dy, x, mean, axis, xp) * _scale(weight, variance, eps, xp) / (-2 * (variance + eps))
    ),
    weight=lambda dy, x, mean, variance, axis, eps, xp: _along_centred(dy, x, mean, axis, xp) / xp.sqrt(variance + eps),
    bias=lambda dy, axis, xp: xp.sum(_wide(dy, xp), axis=axis),
)
