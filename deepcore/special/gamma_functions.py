r"""The gamma function, its logarithm, and the beta function.

Near the origin everything is brought to $\ln \Gamma(2 + f)$ with $|f| \le \tfrac12$ by recurrence, from 8 on computed
by Stirling's series, and left of $-\tfrac12$ by reflection. Source: NIST Digital Library of Mathematical Functions
(DLMF), 5.2 to 5.12.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, Final

from .._primitive import Sample
from .._record import composite
from ._approximation import BERNOULLI, both_arrays, horner, is_double, is_pole, numbers, rational, sine

if TYPE_CHECKING:
    from .._tensor import Tensor
    from .._typing import Array, Namespace, Operand

POSITIVE: Final = Sample(low=0.2, high=12.0)
NEGATIVE: Final = Sample(low=-4.0, high=-0.1, kinks=(-4.0, -3.0, -2.0, -1.0, 0.0))
EVERYWHERE: Final = (POSITIVE, NEGATIVE)
POSITIVE_PAIR: Final = Sample(((2, 3), (2, 3)), low=0.3, high=12.0)
HALF_LOG_TWO_PI: Final = math.log(2 * math.pi) / 2
FROM: Final = 8.0
"""Where Stirling's series begins: eight of its terms are exact to double precision."""

STIRLING: Final = tuple(b / ((2 * k + 2) * (2 * k + 1)) for k, b in enumerate(BERNOULLI[:9]))

# log gamma(2 + f) / f for |f| <= 1/2.
LOG_GAMMA: Final = (
    numbers("""
        0.42278433509846713 0.8867497372853556 0.6368442783233098 0.19772277509548372 0.02591894381335076
        0.0010750446239912782
    """),
    numbers("""
        1.0 1.3346821464655734 0.6476247209534368 0.1376547166896449 0.011981438053391719 0.0002861984297022388
        -1.0659909643416131e-06
    """),
)


def _from_nearest_integer(x: Any, xp: Namespace) -> tuple[Any, Any, Any]:
    r"""Return $\ln \Gamma(2 + f)$, $q$ and whether to divide, with $\Gamma(x) = \Gamma(2 + f)\,q$ or $/\,q$, where
    $x = k + f$ for the integer $k$ next to it, $-\tfrac12 \le x \le 8$. The sign of q is lost.
    """
    k = xp.round(x)
    f = x - k
    q = xp.ones_like(x)
    for j in range(2, 8):
        q = q * xp.where(k > j, f + j, 1.0)
    low = xp.where(k < 1, xp.abs(x) * (1 + x), x)
    return f * rational(f, LOG_GAMMA), xp.where(k < 2, low, q), k < 2


def log_gamma_near_two(a: Any, xp: Namespace) -> Any:
    r"""Return $\ln \Gamma(1 + a)$ for $0 \le a \le 1$, in relative precision at both ends."""
    low = a <= 0.5
    f = xp.where(low, a, a - 1)
    return f * rational(f, LOG_GAMMA) - xp.where(low, xp.log1p(a), 0.0)


def stirling_series(x: Any) -> Any:
    r"""Return $\ln \Gamma(x) - (x - \tfrac12) \ln x + x - \tfrac12 \ln 2\pi$ for $x \ge 8$ (DLMF 5.11.1)."""
    inverse = 1 / x
    return inverse * horner(inverse * inverse, STIRLING)


def _log_gamma(z: Any, xp: Namespace) -> Any:
    r"""Return $\ln |\Gamma(z)|$ for $z \ge -\tfrac12$."""
    start, q, divides = _from_nearest_integer(xp.minimum(z, FROM), xp)
    log_q = xp.log(q)
    large = xp.maximum(z, FROM)
    # At infinity (x - 1/2) log x - x would be a difference of infinities.
    stirling = (large - 0.5) * (xp.log(large) - 1) + (HALF_LOG_TWO_PI - 0.5) + stirling_series(large)
    return xp.where(z < FROM, start + xp.where(divides, -log_q, log_q), stirling)


@composite(*EVERYWHERE)
def gammaln(xp: Namespace, x: Array, /) -> Any:
    r"""Logarithm of the absolute value of the gamma function. $y = \ln |\Gamma(x)|$, $\bar x = \bar y\,\psi(x)$.

    Infinite at 0, -1, -2, ... For $x < -\tfrac12$ it is $\ln \pi - \ln |x \sin \pi x| - \ln \Gamma(-x)$ (DLMF 5.5.3).
    """
    pole = is_pole(x, xp)
    safe = xp.where(pole, 1.5, x)
    reflected = safe < -0.5
    z = xp.where(reflected, -safe, safe)
    y = _log_gamma(z, xp)
    mirror = xp.where(reflected, z, 0.5)
    y = xp.where(reflected, math.log(math.pi) - xp.log(mirror * xp.abs(sine(mirror, xp))) - y, y)
    return xp.where(pole, math.inf, y)


gammaln.vjp(x=lambda dy, x, xp: dy * xp.special.digamma(x))


@composite(*EVERYWHERE)
def gamma(xp: Namespace, x: Array, /) -> Any:
    r"""Gamma function. $y = \Gamma(x) = \int_0^\infty t^{x-1} e^{-t}\,dt$, $\bar x = \bar y\,y\,\psi(x)$.

    Infinite at 0, with its sign, and NaN at -1, -2, ... For $x < -\tfrac12$ it is
    $-\pi / (x \sin(\pi x)\,\Gamma(-x))$ (DLMF 5.5.3). From 8 on, the power is taken in two halves,
    whose exponents are exact.
    """
    pole = is_pole(x, xp)
    safe = xp.where(pole, 1.5, x)
    reflected = safe < -0.5
    z = xp.where(reflected, -safe, safe)
    last = 171.6243769563027 if is_double(x) else 35.04
    start, q, divides = _from_nearest_integer(xp.minimum(z, FROM), xp)
    e = xp.exp(start)
    small = xp.where(divides, e / q, e * q)
    small = xp.where((x < 0) & ~reflected, -small, small)
    large = xp.minimum(xp.maximum(z, FROM), last)
    half = xp.pow(large, large / 2 - 0.25)
    y = half * xp.exp(-large) * half * xp.exp(stirling_series(large) + HALF_LOG_TWO_PI)
    y = xp.where(z < FROM, small, xp.where(z > last, math.inf, y))
    mirror = xp.where(reflected, z, 1.5)
    y = xp.where(reflected, -(math.pi / sine(mirror, xp)) / mirror / xp.where(y == 0, xp.ones_like(y), y), y)
    at_pole = xp.where(xp.signbit(x), xp.full_like(x, -math.inf), math.inf)
    return xp.where(pole, xp.where(x == 0, at_pole, math.nan), y)


gamma.vjp(x=lambda dy, x, y, xp: dy * (y * xp.special.digamma(x)))


@composite(POSITIVE_PAIR)
def betaln(xp: Namespace, a: Operand, b: Operand, /) -> Any:
    r"""Logarithm of the absolute value of the beta function. $y = \ln |B(a, b)|$,
    $\bar a = \bar y\,(\psi(a) - \psi(a + b))$, and likewise $\bar b$.

    Where the larger argument is at least 8, the difference of two logarithms of gamma is taken term by term. Source:
    A. R. DiDonato and A. H. Morris, Algorithm 708, ACM Trans. Math. Softw. 18 (1992), functions ``algdiv``, ``betaln``.
    """
    a, b = both_arrays(a, b, xp)
    low, high = xp.minimum(a, b), xp.maximum(a, b)
    first = xp.special.gammaln(low)
    plain = first + xp.special.gammaln(high) - xp.special.gammaln(low + high)
    # Of small arguments the quotient, whose logarithm loses nothing, is a number of every data type.
    is_small = (high < FROM) & (low > 0)
    quotient = xp.where(is_small, high, 1.0)
    quotient = xp.special.gamma(quotient) / xp.special.gamma(xp.where(is_small, low, 1.0) + quotient)
    plain = xp.where(is_small, first + xp.log(quotient), plain)
    is_large = (high >= FROM) & (low > 0)
    high = xp.where(is_large, high, FROM)
    low = xp.where(is_large, low, 1.0)
    correction = stirling_series(high) - stirling_series(low + high)
    u = (high + (low - 0.5)) * xp.log1p(low / high)
    v = low * (xp.log(high) - 1)
    return xp.where(is_large, xp.special.gammaln(low) + correction - u - v, plain)


betaln.vjp(
    a=lambda dy, a, b, xp: dy * (xp.special.digamma(a) - xp.special.digamma(a + b)),
    b=lambda dy, a, b, xp: dy * (xp.special.digamma(b) - xp.special.digamma(a + b)),
)


def _sign_of_gamma(x: Any, xp: Namespace) -> Any:
    """Return the sign of the gamma function between its poles."""
    odd = xp.floor(x) - 2 * xp.floor(x / 2)
    return xp.where((x < 0) & (odd > 0), xp.full_like(x, -1.0), 1.0)


@composite(POSITIVE_PAIR)
def beta(xp: Namespace, a: Operand, b: Operand, /) -> Any:
    r"""Beta function. $y = B(a, b) = \Gamma(a)\,\Gamma(b) / \Gamma(a + b)$,
    $\bar a = \bar y\,y\,(\psi(a) - \psi(a + b))$, and likewise $\bar b$ (DLMF 5.12.1).
    """
    a, b = both_arrays(a, b, xp)
    sign = _sign_of_gamma(a, xp) * _sign_of_gamma(b, xp) * _sign_of_gamma(a + b, xp)
    return sign * xp.exp(xp.special.betaln(a, b))


beta.vjp(
    a=lambda dy, a, b, y, xp: dy * (y * (xp.special.digamma(a) - xp.special.digamma(a + b))),
    b=lambda dy, a, b, y, xp: dy * (y * (xp.special.digamma(b) - xp.special.digamma(a + b))),
)


def multigammaln(a: Tensor, d: int) -> Tensor:
    r"""Logarithm of the multivariate gamma function, $\ln \Gamma_d(a) = \tfrac14 d(d-1) \ln \pi + \sum_{j<d} \ln
    \Gamma(a - j/2)$.

    Parameters
    ----------
    a
        Where to evaluate it, more than $(d - 1) / 2$; elsewhere it is not defined, and this is not checked.
    d
        The dimension.

    Source: DLMF 35.3.4.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.special.multigammaln(dc.asarray([2.5]), 2)
    Tensor([0.8570478], dtype=float32)
    """
    y = gammaln(a)
    for j in range(1, operator.index(d)):
        y = y + gammaln(a - j / 2)
    return y + d * (d - 1) * math.log(math.pi) / 4
