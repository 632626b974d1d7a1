r"""The transformations of Box and Cox and their inverses, smooth in the exponent also where it is 0.

Source: G. E. P. Box and D. R. Cox, An analysis of transformations, J. R. Statist. Soc. B 26 (1964), equations 1 and 2.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from .._primitive import Sample
from .._record import composite
from ._approximation import both_arrays, log1pmx
from .elementary import slope_of_exprel

if TYPE_CHECKING:
    from .._typing import Namespace, Operand

POSITIVE_PAIR: Final = Sample(((2, 3), (2, 3)), low=0.2, high=3.0)
MIXED_PAIR: Final = Sample(((2, 3), (2, 3)), low=-0.7, high=0.9)


def _power(log_x: Any, lmbda: Any, at_zero: Any, xp: Namespace) -> Any:
    r"""Return $(x^\lambda - 1) / \lambda = \ln x \cdot \operatorname{exprel}(\lambda \ln x)$, and its value at 0."""
    y = log_x * xp.special.exprel(lmbda * log_x)
    limit = -1 / xp.where(lmbda > 0, lmbda, 1.0)
    return xp.where(at_zero, xp.where(lmbda > 0, limit, -math.inf), y)


def _safe_log(x: Any, xp: Namespace) -> Any:
    return xp.where(x >= 0, xp.log(xp.where(x > 0, x, 1.0)), math.nan)


def _safe_log1p(x: Any, xp: Namespace) -> Any:
    return xp.where(x >= -1, xp.log1p(xp.where(x > -1, x, 1.0)), math.nan)


@composite(POSITIVE_PAIR)
def boxcox(xp: Namespace, x: Operand, lmbda: Operand, /) -> Any:
    r"""Transformation of Box and Cox. $y = (x^\lambda - 1) / \lambda$, $\ln x$ where $\lambda = 0$,
    $\bar x = \bar y\,x^{\lambda - 1}$, $\bar\lambda = \bar y\,(x^\lambda \ln x - y) / \lambda$.
    """
    x, lmbda = both_arrays(x, lmbda, xp)
    return _power(_safe_log(x, xp), lmbda, x == 0, xp)


def _in_exponent(dy: Any, log_x: Any, lmbda: Any, xp: Namespace) -> Any:
    return dy * (log_x * log_x * slope_of_exprel(lmbda * log_x, xp))


boxcox.vjp(
    x=lambda dy, x, lmbda, xp: dy * xp.exp((lmbda - 1) * _safe_log(x, xp)),
    lmbda=lambda dy, x, lmbda, xp: _in_exponent(dy, _safe_log(x, xp), lmbda, xp),
)


@composite(MIXED_PAIR)
def boxcox1p(xp: Namespace, x: Operand, lmbda: Operand, /) -> Any:
    r"""Transformation of Box and Cox of $1 + x$. $y = ((1 + x)^\lambda - 1) / \lambda$,
    $\ln(1 + x)$ where $\lambda = 0$; $\bar x = \bar y\,(1 + x)^{\lambda - 1}$,
    $\bar\lambda = \bar y\,((1 + x)^\lambda \ln(1 + x) - y) / \lambda$.
    """
    x, lmbda = both_arrays(x, lmbda, xp)
    return _power(_safe_log1p(x, xp), lmbda, x == -1, xp)


boxcox1p.vjp(
    x=lambda dy, x, lmbda, xp: dy * xp.exp((lmbda - 1) * _safe_log1p(x, xp)),
    lmbda=lambda dy, x, lmbda, xp: _in_exponent(dy, _safe_log1p(x, xp), lmbda, xp),
)


def _exponent(y: Any, lmbda: Any, xp: Namespace) -> Any:
    r"""Return $\ln(1 + \lambda y) / \lambda$, $y$ where $\lambda = 0$; infinite where $\lambda y = -1$, NaN beyond."""
    u = lmbda * y
    inside = u > -1
    v = xp.where(inside, u, xp.zeros_like(u))
    near = xp.abs(v) < 0.4
    divisor = xp.where(near, xp.ones_like(v), lmbda + xp.zeros_like(v))
    close = y * (1 + v * log1pmx(xp.where(near, v, xp.zeros_like(v)), xp))
    value = xp.where(near, close, xp.log1p(v) / divisor)
    edge = xp.where(lmbda > 0, xp.full_like(u, -math.inf), math.inf)
    return xp.where(inside, value, xp.where(u == -1, edge, math.nan))


@composite(MIXED_PAIR)
def inv_boxcox(xp: Namespace, z: Operand, lmbda: Operand, /) -> Any:
    r"""Inverse of the transformation of Box and Cox. $y = (1 + \lambda z)^{1/\lambda}$, $e^z$ where $\lambda = 0$,
    $\bar z = \bar y\,y / (1 + \lambda z)$, $\bar\lambda = \bar y\,y\,(z / (1 + \lambda z) - \ln y) / \lambda$.
    """
    z, lmbda = both_arrays(z, lmbda, xp)
    return xp.exp(_exponent(z, lmbda, xp))


def _inverse_in_exponent(z: Any, lmbda: Any, xp: Namespace) -> Any:
    # With ln(1 + u) = u + u^2 m the derivative of ln(1 + u) / u is -1 / (1 + u) - m, which has no cancellation at 0.
    u = lmbda * z
    return -(z * z) * (1 / (1 + u) + log1pmx(u, xp))


inv_boxcox.vjp(
    z=lambda dy, z, lmbda, xp: dy * (xp.exp(_exponent(z, lmbda, xp)) / (1 + lmbda * z)),
    lmbda=lambda dy, z, lmbda, xp: dy * (xp.exp(_exponent(z, lmbda, xp)) * _inverse_in_exponent(z, lmbda, xp)),
)


@composite(MIXED_PAIR)
def inv_boxcox1p(xp: Namespace, z: Operand, lmbda: Operand, /) -> Any:
    r"""Inverse of the transformation of Box and Cox of $1 + x$. $y = (1 + \lambda z)^{1/\lambda} - 1$, $e^z - 1$ where
    $\lambda = 0$, $\bar z = \bar y\,(1 + y) / (1 + \lambda z)$,
    $\bar\lambda = \bar y\,(1 + y)\,(z / (1 + \lambda z) - \ln(1 + y)) / \lambda$.
    """
    z, lmbda = both_arrays(z, lmbda, xp)
    return xp.expm1(_exponent(z, lmbda, xp))


inv_boxcox1p.vjp(
    z=lambda dy, z, lmbda, xp: dy * (xp.exp(_exponent(z, lmbda, xp)) / (1 + lmbda * z)),
    lmbda=lambda dy, z, lmbda, xp: dy * (xp.exp(_exponent(z, lmbda, xp)) * _inverse_in_exponent(z, lmbda, xp)),
)
