r"""Activation functions that saturate, and the softmax. None overflows or warns, however large its argument.

Those that grow without bound on the right are in :mod:`deepcore.ops.rectifier`, and products of the argument with a
function of it in :mod:`deepcore.ops.gated`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._primitive import Sample
from .._record import composite, kernel
from .elementwise import AWAY_FROM_ZERO, no_slope

if TYPE_CHECKING:
    from .._typing import Array, Axis, Namespace

ROWS: Final = Sample(((2, 5),))
COLUMNS: Final = Sample(((3, 2),), parameters={"axis": 0})
BEYOND_THREE: Final = Sample(low=-4.0, high=4.0, kinks=(-3.0, 3.0))


@composite(AWAY_FROM_ZERO, Sample(parameters={"at_zero": 0.5}, kinks=(0.0,)))
def step(xp: Namespace, x: Array, /, *, at_zero: float = 1.0) -> Any:
    r"""Step of O. Heaviside. $y = [x > 0]$, and $y = c$ at 0, the parameter ``at_zero``; $\bar x = 0$.

    Nothing in front of it learns, because its derivative is zero wherever it exists.

    Source: F. Rosenblatt, The perceptron, Psychological Review 65, 1958, where a unit fires at its threshold.
    """
    y = xp.astype(x > 0, x.dtype)
    return y if at_zero == 0.0 else y + at_zero * xp.astype(x == 0, x.dtype)


step.vjp(x=no_slope)


@composite(Sample())
def sigmoid(xp: Namespace, x: Array, /) -> Any:
    r"""Logistic function. $y = 1 / (1 + e^{-x})$, $\bar x = \bar y\,y (1 - y)$.

    Computed as $e^{\min(x, 0)} / (1 + e^{-|x|})$, which cannot overflow.
    """
    return xp.exp(xp.minimum(x, 0)) / (1 + xp.exp(-xp.abs(x)))


@kernel
def sigmoid_vjp(xp: Namespace, dy: Any, y: Any) -> Any:
    """Return the cotangent of a sigmoid's operand."""
    return dy * (y * (1 - y))


sigmoid.vjp(x=lambda dy, y, xp: xp.sigmoid_vjp(dy, y))


@composite(BEYOND_THREE)
def hard_sigmoid(xp: Namespace, x: Array, /) -> Any:
    r"""Straight lines in place of the logistic function. $y = \min(\max(x + 3, 0), 6) / 6$,
    $\bar x = \bar y / 6$ where $|x| < 3$, else 0.

    Source: A. Howard et al., Searching for MobileNetV3, ICCV 2019, section 5.2.
    """
    return xp.clip(x + 3, 0, 6) / 6


hard_sigmoid.vjp(x=lambda dy, x, xp: dy * (xp.astype(xp.abs(x) < 3, dy.dtype) / 6))


@composite(AWAY_FROM_ZERO)
def softsign(xp: Namespace, x: Array, /) -> Any:
    r"""Quotient that saturates slowly. $y = x / (1 + |x|)$, $\bar x = \bar y / (1 + |x|)^2$.

    Source: J. Turian, J. Bergstra and Y. Bengio, Quadratic features and deep architectures for chunking, NAACL 2009.
    """
    return x / (1 + xp.abs(x))


def _softsign(dy: Any, x: Any, xp: Namespace) -> Any:
    d = 1 + xp.abs(x)
    return dy / d / d  # the square would overflow


softsign.vjp(x=_softsign)


@composite(Sample())
def gaussian(xp: Namespace, x: Array, /) -> Any:
    r"""Bell curve. $y = e^{-x^2}$, $\bar x = -2 x y \bar y$.

    Source: D. S. Broomhead and D. Lowe, Multivariable functional interpolation and adaptive networks, 1988.
    """
    return xp.exp(-(x * x))


gaussian.vjp(x=lambda dy, x, y: dy * (-2 * (x * y)))


@composite(ROWS, COLUMNS)
def softmax(xp: Namespace, x: Array, /, *, axis: Axis = -1) -> Any:
    r"""Exponentials, normalised along an axis. $y_i = e^{x_i} / \sum_j e^{x_j}$; the Jacobian is
    $\partial y_i / \partial x_j = y_i (\delta_{ij} - y_j)$, so $\bar x = y \odot (\bar y - \sum_j \bar y_j y_j)$.

    Source: J. S. Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990.
    """
    e = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return e / xp.sum(e, axis=axis, keepdims=True)


@kernel
def softmax_vjp(xp: Namespace, dy: Any, y: Any, *, axis: Axis) -> Any:
    """Return the cotangent of a softmax's operand."""
    return y * (dy - xp.sum(dy * y, axis=axis, keepdims=True))


softmax.vjp(x=lambda dy, y, axis, xp: xp.softmax_vjp(dy, y, axis=axis))


@composite(ROWS, COLUMNS)
def log_softmax(xp: Namespace, x: Array, /, *, axis: Axis = -1) -> Any:
    r"""Logarithm of the softmax. $y = x - \ln \sum_j e^{x_j}$, $\bar x = \bar y - e^{y} \sum_j \bar y_j$."""
    shifted = x - xp.max(x, axis=axis, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))


@kernel
def log_softmax_vjp(xp: Namespace, dy: Any, y: Any, *, axis: Axis) -> Any:
    """Return the cotangent of a log-softmax's operand."""
    return dy - xp.exp(y) * xp.sum(dy, axis=axis, keepdims=True)


log_softmax.vjp(x=lambda dy, y, axis, xp: xp.log_softmax_vjp(dy, y, axis=axis))
