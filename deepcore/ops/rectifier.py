r"""Activation functions that are $x$, or nearly, on the right, and bounded or flatter on the left.

Where two branches meet, ``max`` and ``min`` choose between them: boolean masks cost an array library ten times as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._primitive import Sample
from .._record import composite, kernel
from .elementwise import AWAY_FROM_ZERO

if TYPE_CHECKING:
    from .._typing import Array, Namespace


SELU_ALPHA: Final = 1.6732632423543772848170429916717
SELU_SCALE: Final = 1.0507009873554804934193349852946


def _is_positive(x: Any, xp: Namespace) -> Any:
    return xp.astype(x > 0, x.dtype)


@composite(AWAY_FROM_ZERO)
def relu(xp: Namespace, x: Array, /) -> Any:
    r"""Rectified linear unit. $y = \max(x, 0)$, $\bar x = \bar y\,[x > 0]$, so the derivative at 0 is 0.

    Source: V. Nair and G. E. Hinton, Rectified linear units improve restricted Boltzmann machines, ICML 2010.
    """
    return xp.maximum(x, 0)


@kernel
def relu_vjp(xp: Namespace, dy: Any, y: Any) -> Any:
    """Return the cotangent of a rectifier's operand."""
    return dy * xp.astype(y > 0, dy.dtype)


relu.vjp(x=lambda dy, y, xp: xp.relu_vjp(dy, y))


def _relu_subgradient(dy: Any, x: Any, subgradient: float, xp: Namespace) -> Any:
    return dy * (_is_positive(x, xp) + subgradient * xp.astype(x == 0, dy.dtype))


@composite(Sample(kinks=(0.0,), parameters={"subgradient": 1.0}))
def relu_subgradient(xp: Namespace, x: Array, /, *, subgradient: float = 0.5) -> Any:
    r"""Rectified linear unit with a chosen derivative $s$ at 0. $y = \max(x, 0)$, $\bar x = \bar y\,([x > 0] +
    s\,[x = 0])$.

    Every $s$ from 0 to 1 is a subgradient of the rectifier. :func:`relu` has $s = 0$ and keeps less for the rule.

    Source: D. Bertoin et al., Numerical influence of ReLU'(0) on backpropagation, NeurIPS 2021.
    """
    return xp.maximum(x, 0)


relu_subgradient.vjp(x=_relu_subgradient)


def _leaky(x: Any, slope: Any, xp: Namespace) -> Any:
    """Compute the slope of a function that is x on the right and has another slope on the left and at 0."""
    positive = _is_positive(x, xp)
    return positive + slope * (1 - positive)


@composite(
    AWAY_FROM_ZERO,
    Sample(parameters={"negative_slope": 0.3}, kinks=(0.0,)),
    Sample(parameters={"negative_slope": 1.5}, kinks=(0.0,)),
)
def leaky_relu(xp: Namespace, x: Array, /, *, negative_slope: float = 0.01) -> Any:
    r"""Rectified linear unit with a slope $a$ below 0. $y = x$ for $x > 0$, else $ax$; $\bar x = \bar y$ or $a \bar y$.

    Source: A. L. Maas, A. Y. Hannun and A. Y. Ng, Rectifier nonlinearities improve neural network acoustic models,
    ICML 2013.
    """
    return xp.maximum(x, negative_slope * x) if negative_slope <= 1 else xp.minimum(x, negative_slope * x)


leaky_relu.vjp(x=lambda dy, x, negative_slope, xp: dy * _leaky(x, negative_slope, xp))


@composite(Sample(((2, 3), (3,)), kinks=(0.0,)), Sample(((2, 3, 2), (3, 1)), kinks=(0.0,)))
def prelu(xp: Namespace, x: Array, slope: Array, /) -> Any:
    r"""Rectified linear unit with slopes $a$ of its own below 0, which broadcast. $y = \max(x, 0) + a \min(x, 0)$;
    $\bar x = \bar y$ or $a \bar y$, $\bar a = \bar y \min(x, 0)$.

    Source: K. He et al., Delving deep into rectifiers, ICCV 2015, equation 1.
    """
    return xp.maximum(x, 0) + slope * xp.minimum(x, 0)


prelu.vjp(
    x=lambda dy, x, slope, xp: dy * _leaky(x, slope, xp),
    slope=lambda dy, x, xp: dy * xp.minimum(x, 0),
)


def _elu(dy: Any, x: Any, alpha: float, xp: Namespace) -> Any:
    # From x and not from y: y + alpha would lose the small slopes far on the left to cancellation.
    e = xp.exp(xp.minimum(x, 0))
    return dy * (e if alpha == 1.0 else _leaky(x, alpha * e, xp))


@composite(Sample(), Sample(parameters={"alpha": 0.7}, kinks=(0.0,)))
def elu(xp: Namespace, x: Array, /, *, alpha: float = 1.0) -> Any:
    r"""Exponential linear unit. $y = x$ for $x > 0$, else $\alpha (e^x - 1)$; $\bar x = \bar y$ or
    $\alpha e^x \bar y$.

    Source: D.-A. Clevert, T. Unterthiner and S. Hochreiter, Fast and accurate deep network learning by exponential
    linear units, ICLR 2016, equation 16.
    """
    return xp.maximum(x, 0) + alpha * xp.expm1(xp.minimum(x, 0))


elu.vjp(x=_elu)


@composite(AWAY_FROM_ZERO)
def selu(xp: Namespace, x: Array, /) -> Any:
    r"""Scaled exponential linear unit. $y = \lambda x$ for $x > 0$, else $\lambda \alpha (e^x - 1)$; $\bar x =
    \lambda \bar y$ or $\lambda \alpha e^x \bar y$, with $\alpha \approx 1.6733$ and $\lambda \approx 1.0507$, for which
    mean 0 and variance 1 are a fixed point from layer to layer.

    Source: G. Klambauer et al., Self-normalizing neural networks, NeurIPS 2017, equations 2 and 14.
    """
    return SELU_SCALE * xp.maximum(x, 0) + (SELU_SCALE * SELU_ALPHA) * xp.expm1(xp.minimum(x, 0))


selu.vjp(x=lambda dy, x, xp: _elu(SELU_SCALE * dy, x, SELU_ALPHA, xp))


@composite(Sample(), Sample(parameters={"alpha": 0.7}))
def celu(xp: Namespace, x: Array, /, *, alpha: float = 1.0) -> Any:
    r"""Exponential linear unit with a continuous derivative. $y = \max(x, 0) + \alpha (e^{\min(x, 0) / \alpha} - 1)$,
    $\bar x = \bar y\,e^{\min(x, 0) / \alpha}$.

    Source: J. T. Barron, Continuously differentiable exponential linear units, arXiv:1704.07483, 2017, equation 2.
    """
    return xp.maximum(x, 0) + alpha * xp.expm1(xp.minimum(x, 0) / alpha)


celu.vjp(x=lambda dy, x, alpha, xp: dy * xp.exp(xp.minimum(x, 0) / alpha))


@composite(Sample(), Sample(parameters={"beta": 2.5}))
def softplus(xp: Namespace, x: Array, /, *, beta: float = 1.0) -> Any:
    r"""Smooth rectifier. $y = \frac1\beta \ln(1 + e^{\beta x})$, $\bar x = \bar y / (1 + e^{-\beta x})$.

    Source: C. Dugas et al., Incorporating second-order functional knowledge for better option pricing, NIPS 2000.
    """
    if beta == 1.0:
        return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-beta * xp.abs(x))) / beta


softplus.vjp(x=lambda dy, x, beta, xp: dy * xp.sigmoid(x if beta == 1.0 else beta * x))
