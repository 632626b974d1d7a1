r"""Entropies and divergences: $x \ln y$ with $0 \ln 0 = 0$, and what is made of it.

Source: S. Boyd and L. Vandenberghe, *Convex Optimization*, Cambridge 2004, section 3.1.5 and example 3.19.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from .._primitive import Sample
from .._record import composite
from ._approximation import both_arrays

if TYPE_CHECKING:
    from .._typing import Array, Namespace, Operand

POSITIVE: Final = Sample(low=0.2, high=3.0)
POSITIVE_PAIR: Final = Sample(((2, 3), (2, 3)), low=0.2, high=3.0)


def _log(y: Any, xp: Namespace) -> Any:
    """Return the logarithm, minus infinity at 0 and NaN below, without a warning."""
    logarithm = xp.log(xp.where(y > 0, y, 1.0))
    return xp.where(y > 0, logarithm, xp.where(y == 0, xp.full_like(y, -math.inf), math.nan))


@composite(POSITIVE_PAIR)
def xlogy(xp: Namespace, x1: Operand, x2: Operand, /) -> Any:
    r"""Product with a logarithm, 0 where $x_1 = 0$. $y = x_1 \ln x_2$, $\bar x_1 = \bar y \ln x_2$,
    $\bar x_2 = \bar y\,x_1 / x_2$.
    """
    x1, x2 = both_arrays(x1, x2, xp)
    zero = (x1 == 0) & ~xp.isnan(x2)
    return xp.where(zero, xp.zeros_like(x1), x1 * _log(xp.where(zero, xp.ones_like(x2), x2), xp))


def _quotient(x: Any, y: Any, xp: Namespace) -> Any:
    """Return x / y, 0 where x is, also at y = 0."""
    return xp.where(x == 0, xp.zeros_like(x), x / xp.where((x == 0) & (y == 0), xp.ones_like(y), y))


xlogy.vjp(
    x1=lambda dy, x2, xp: dy * _log(x2, xp),
    x2=lambda dy, x1, x2, xp: dy * _quotient(x1, x2, xp),
)


@composite(POSITIVE_PAIR)
def xlog1py(xp: Namespace, x1: Operand, x2: Operand, /) -> Any:
    r"""Product with a logarithm of $1 + x_2$, 0 where $x_1 = 0$. $y = x_1 \ln(1 + x_2)$,
    $\bar x_1 = \bar y \ln(1 + x_2)$, $\bar x_2 = \bar y\,x_1 / (1 + x_2)$.
    """
    x1, x2 = both_arrays(x1, x2, xp)
    zero = (x1 == 0) & ~xp.isnan(x2)
    return xp.where(zero, xp.zeros_like(x1), x1 * _log1p(xp.where(zero, xp.ones_like(x2), x2), xp))


def _log1p(y: Any, xp: Namespace) -> Any:
    logarithm = xp.log1p(xp.where(y > -1, y, 1.0))
    return xp.where(y > -1, logarithm, xp.where(y == -1, xp.full_like(y, -math.inf), math.nan))


xlog1py.vjp(
    x1=lambda dy, x2, xp: dy * _log1p(x2, xp),
    x2=lambda dy, x1, x2, xp: dy * _quotient(x1, 1 + x2, xp),
)


@composite(POSITIVE)
def entr(xp: Namespace, x: Array, /) -> Any:
    r"""Entropy of one probability. $y = -x \ln x$ for $x > 0$, 0 at 0, $-\infty$ below,
    $\bar x = -\bar y\,(1 + \ln x)$.
    """
    inner = xp.where(x > 0, x, 1.0)
    y = xp.where(x > 0, -inner * xp.log(inner), xp.zeros_like(x))
    return xp.where(x < 0, -math.inf, xp.where(xp.isnan(x), x, y))


entr.vjp(x=lambda dy, x, xp: dy * (-1 - _log(x, xp)))


def _divergence(x: Any, y: Any, xp: Namespace) -> Any:
    r"""Return $x \ln(x / y)$ where both are positive, and elsewhere 0, infinity or NaN."""
    inside = (x > 0) & (y > 0)
    p, q = xp.where(inside, x, 1.0), xp.where(inside, y, 1.0)
    # Near x = y the logarithm is that of 1 + (x - y) / y, whose difference is exact.
    near = (p < 2 * q) & (q < 2 * p)
    nearby = xp.log1p(xp.where(near, p - q, xp.zeros_like(p)) / q)
    value = p * xp.where(near, nearby, xp.log(p) - xp.log(q))
    outside = xp.where((x == 0) & (y >= 0), xp.zeros_like(value), math.inf)
    value = xp.where(inside, value, outside)
    return xp.where(xp.isnan(x) | xp.isnan(y), math.nan, value)


def _log_ratio(x: Any, y: Any, xp: Namespace) -> Any:
    return _log(x, xp) - _log(y, xp)


@composite(POSITIVE_PAIR)
def rel_entr(xp: Namespace, p: Operand, q: Operand, /) -> Any:
    r"""Relative entropy of two probabilities. $y = p \ln(p / q)$, 0 at $p = 0$, $\infty$ outside the domain;
    $\bar p = \bar y\,(1 + \ln(p / q))$, $\bar q = -\bar y\,p / q$.
    """
    p, q = both_arrays(p, q, xp)
    return _divergence(p, q, xp)


rel_entr.vjp(
    p=lambda dy, p, q, xp: dy * (1 + _log_ratio(p, q, xp)),
    q=lambda dy, p, q, xp: -dy * _quotient(p, q, xp),
)


@composite(POSITIVE_PAIR)
def kl_div(xp: Namespace, p: Operand, q: Operand, /) -> Any:
    r"""Kullback-Leibler divergence of two probabilities, never negative. $y = p \ln(p / q) - p + q$, $\infty$ outside
    the domain; $\bar p = \bar y \ln(p / q)$, $\bar q = \bar y\,(1 - p / q)$.
    """
    a, b = both_arrays(p, q, xp)
    return _divergence(a, b, xp) + xp.where((a >= 0) & (b >= 0), b - a, xp.zeros_like(a + b))


kl_div.vjp(
    p=lambda dy, p, q, xp: dy * _log_ratio(p, q, xp),
    q=lambda dy, p, q, xp: dy * (1 - _quotient(p, q, xp)),
)
