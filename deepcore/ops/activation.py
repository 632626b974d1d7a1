r"""Activation functions with derivatives of their own. None overflows or warns, however large its argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._primitive import Sample
from .._record import composite

if TYPE_CHECKING:
    from .._typing import Array, Axis, Namespace

ROWS: Final = Sample(((2, 5),))
COLUMNS: Final = Sample(((3, 2),), parameters={"axis": 0})


@composite(Sample())
def sigmoid(xp: Namespace, x: Array, /) -> Any:
    r"""Logistic function. $y = 1 / (1 + e^{-x})$, $\bar x = \bar y\,y (1 - y)$.

    Computed from $e^{-|x|}$, which cannot overflow.
    """
    e = xp.exp(-xp.abs(x))
    return xp.where(x >= 0, xp.ones_like(x), e) / (1 + e)


sigmoid.vjp(x=lambda dy, y: dy * (y * (1 - y)))


@composite(Sample(kinks=(0.0,)))
def relu(xp: Namespace, x: Array, /) -> Any:
    r"""Rectified linear unit. $y = \max(x, 0)$, $\bar x = \bar y\,[x > 0]$, so the derivative at 0 is 0.

    Source: V. Nair and G. E. Hinton, Rectified linear units improve restricted Boltzmann machines, ICML 2010.
    """
    return xp.maximum(x, 0)


relu.vjp(x=lambda dy, y, xp: dy * xp.astype(y > 0, dy.dtype))


def _leaky(x: Any, negative_slope: float, xp: Namespace) -> Any:
    positive = xp.astype(x > 0, x.dtype)
    return positive + negative_slope * (1 - positive)


@composite(Sample(kinks=(0.0,)), Sample(parameters={"negative_slope": 0.3}, kinks=(0.0,)))
def leaky_relu(xp: Namespace, x: Array, /, *, negative_slope: float = 0.01) -> Any:
    r"""Rectified linear unit with a slope $a$ below 0. $y = x$ for $x > 0$, else $ax$; $\bar x = \bar y$ or $a \bar y$.

    Source: A. L. Maas, A. Y. Hannun and A. Y. Ng, Rectifier nonlinearities improve neural network acoustic models,
    ICML 2013.
    """
    return xp.where(x > 0, x, negative_slope * x)


leaky_relu.vjp(x=lambda dy, x, negative_slope, xp: dy * _leaky(x, negative_slope, xp))


@composite(Sample())
def softplus(xp: Namespace, x: Array, /) -> Any:
    r"""Smooth rectifier. $y = \ln(1 + e^x)$, $\bar x = \bar y / (1 + e^{-x})$."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


softplus.vjp(x=lambda dy, x, xp: dy * xp.sigmoid(x))


@composite(ROWS, COLUMNS)
def softmax(xp: Namespace, x: Array, /, *, axis: Axis = -1) -> Any:
    r"""Exponentials, normalised along an axis. $y_i = e^{x_i} / \sum_j e^{x_j}$; the Jacobian is
    $\partial y_i / \partial x_j = y_i (\delta_{ij} - y_j)$, so $\bar x = y \odot (\bar y - \sum_j \bar y_j y_j)$.

    Source: J. S. Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990.
    """
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)


softmax.vjp(x=lambda dy, y, axis, xp: y * (dy - xp.sum(dy * y, axis=axis, keepdims=True)))


@composite(ROWS, COLUMNS)
def log_softmax(xp: Namespace, x: Array, /, *, axis: Axis = -1) -> Any:
    r"""Logarithm of the softmax. $y = x - \ln \sum_j e^{x_j}$, $\bar x = \bar y - e^{y} \sum_j \bar y_j$."""
    shifted = x - xp.max(x, axis=axis, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))


log_softmax.vjp(x=lambda dy, y, axis, xp: dy - xp.exp(y) * xp.sum(dy, axis=axis, keepdims=True))
