r"""The incomplete gamma and beta functions, regularised: distribution functions of statistics.

$P(a, x)$ and $Q(a, x) = 1 - P(a, x)$ are computed, each in relative precision, from the power series of $P$ left of
the transition $x \approx a$ (DLMF 8.11.4), the continued fraction of $Q$ right of it (DLMF 8.9.2), and for $a > 20$ by
Temme's uniform expansion about it (DLMF 8.12). Source: W. Gautschi, A computational procedure for incomplete gamma
functions, ACM Trans. Math. Softw. 5 (1979); N. M. Temme, On the computation of the incomplete gamma functions for large
values of the parameters, 1987; A. Gil, J. Segura and N. M. Temme, Efficient and accurate algorithms for the computation
and inversion of the incomplete gamma function ratios, SIAM J. Sci. Comput. 34 (2012).
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from .._primitive import Sample
from .._record import composite
from ._approximation import both_arrays, horner, log1pmx
from .gamma_functions import log_gamma_near_two, stirling_series

if TYPE_CHECKING:
    from .._typing import Array, Namespace, Operand
    from ._approximation import Polynomial

SAMPLES: Final = (
    Sample(((2, 3), (2, 3)), low=0.3, high=6.0),
    Sample(((2, 3), (2, 3)), low=0.3, high=0.9),
    Sample(((2, 3), (2, 3)), low=24.0, high=28.0),
)
SERIES: Final = 76
"""Terms of the power series, of which $x < a + 1$ and, for $a > 20$, $x < 0.6 a$ need no more."""
FRACTION: Final = 60
"""Terms of the continued fraction."""
ORDERS: Final = 12
POWERS: Final = 24


@cache
def _temme() -> tuple[Polynomial, ...]:
    r"""Return the power series of $c_0(\eta), c_1(\eta), \dots$, by exact arithmetic.

    With $\tfrac12 \eta^2 = \mu - \ln(1 + \mu)$, $c_0 = 1/\mu - 1/\eta$ and $\eta\,c_n = c_{n-1}' + \gamma_n\,\eta/\mu$,
    where $\gamma_n$ makes $c_n$ regular at 0 (DLMF 8.12.10 to 8.12.12).
    """
    n = POWERS + 2 * ORDERS
    mu = [Fraction(0), Fraction(1)]  # by mu mu' = eta (1 + mu)
    for k in range(2, n + 2):
        products = sum((i * mu[i] * mu[k + 1 - i] for i in range(2, k)), Fraction(0))
        mu.append((mu[k - 1] - products) / (k + 1))
    inverse = [Fraction(1)]  # of mu / eta
    for k in range(1, n + 1):
        inverse.append(-sum((mu[i + 1] * inverse[k - i] for i in range(1, k + 1)), Fraction(0)))
    c = inverse[1:]
    found: list[Polynomial] = []
    for _ in range(ORDERS):
        found.append(tuple([float(x) for x in c[:POWERS]]))
        gamma = -c[1]
        c = [(k + 2) * c[k + 2] + gamma * inverse[k + 1] for k in range(len(c) - 2)]
    return tuple(found)


def _uniform(a: Any, mu: Any, xp: Namespace) -> tuple[Any, Any]:
    r"""Return P and Q: $\tfrac12 \operatorname{erfc}(\mp\eta \sqrt{a/2})$ and a correction (DLMF 8.12.3)."""
    half_square = -mu * mu * log1pmx(mu, xp)
    eta = xp.sign(mu) * xp.sqrt(2 * half_square)
    inverse = 1 / a
    *lower, total = [horner(eta, c) for c in _temme()]
    for c in reversed(lower):
        total = total * inverse + c
    correction = total * xp.exp(-a * half_square) / xp.sqrt(2 * math.pi * a)
    z = eta * xp.sqrt(a / 2)
    return xp.special.erfc(-z) / 2 - correction, xp.special.erfc(z) / 2 + correction


def _factor(a: Any, x: Any, xp: Namespace) -> Any:
    r"""Return $x^a e^{-x} / \Gamma(a + 1)$, from 8 on by Stirling's series, so that nothing large is subtracted."""
    low = xp.minimum(a, 8.0)
    bounded = xp.minimum(x, 1000.0)
    half = xp.exp(-bounded / 2)  # in two halves, of which none underflows before the product does
    small = half * xp.pow(bounded, low) * half / xp.special.gamma(low + 1)
    high = xp.maximum(a, 8.0)
    mu = (x - high) / high
    middle = xp.abs(mu) < 0.45
    about = xp.where(middle, mu, xp.zeros_like(mu))
    away = xp.log(xp.where(middle, 1.0, x) / xp.where(middle, 1.0, high)) - mu
    exponent = high * xp.where(middle, about * about * log1pmx(about, xp), away)
    large = xp.exp(exponent - stirling_series(high)) / xp.sqrt(2 * math.pi * high)
    return xp.where(a < 8, small, large)


def _complement_near_zero(a: Any, x: Any, xp: Namespace) -> Any:
    r"""Return $Q(a, x)$ for $a < 1$ and $x < 2$, where $P$ may be next to 1 (Gautschi, section 3)."""
    log_gamma = log_gamma_near_two(a, xp)
    exponent = a * xp.log(x) - log_gamma
    series = xp.zeros_like(a)
    term = xp.ones_like(a)
    for n in range(1, 30):
        term = term * (-x / n)
        series = series + term / (a + n)
    return -xp.expm1(exponent) - a * xp.exp(exponent) * series


def _regularised(a: Any, x: Any, xp: Namespace) -> tuple[Any, Any]:
    """Return P and Q for positive, finite arguments."""
    mu = (x - a) / a
    uniform = (a > 20) & (xp.abs(mu) < 0.4)
    left = x < xp.maximum(a + 1, 1.5)
    tiny = (a < 1) & (x < 1.5)
    factor = _factor(a, x, xp)

    p_uniform, q_uniform = _uniform(xp.where(uniform, a, 30.0), xp.where(uniform, mu, 0.125), xp)

    series = xp.where(left & ~uniform, x, xp.zeros_like(x))
    total = xp.ones_like(x)
    for n in range(SERIES, 0, -1):
        total = 1 + total * (series / (a + n))
    p_left = factor * total

    # Legendre's fraction, from its tail, where its value is about that of the term.
    far = left | uniform
    b = xp.where(far, xp.full_like(x, 3.0), x)
    c = xp.where(far, xp.ones_like(a), a)
    fraction = b - c + (2 * FRACTION + 1)
    for n in range(FRACTION, 0, -1):
        fraction = b - c + (2 * n - 1) - n * (n - c) / fraction
    q_right = factor * a / fraction

    q_tiny = _complement_near_zero(xp.where(tiny, a, 0.5), xp.where(tiny, x, 0.5), xp)
    q_left = xp.where(tiny, q_tiny, 1 - p_left)
    p = xp.where(uniform, p_uniform, xp.where(left, p_left, 1 - q_right))
    return p, xp.where(uniform, q_uniform, xp.where(left, q_left, q_right))


def _at(a: Any, x: Any, xp: Namespace, *, lower: bool) -> Any:
    a, x = both_arrays(a, x, xp)
    a, x = a + xp.zeros_like(x), x + xp.zeros_like(a)
    inside = (a > 0) & (x > 0) & (xp.abs(a) < math.inf) & (xp.abs(x) < math.inf)
    p, q = _regularised(xp.where(inside, a, 1.0), xp.where(inside, x, 1.0), xp)
    zero, one = xp.zeros_like(x), xp.ones_like(x)
    below = ((x == 0) & (a > 0)) | ((a == math.inf) & (x >= 0) & (x < math.inf))
    above = ((a == 0) & (x > 0)) | ((x == math.inf) & (a >= 0) & (a < math.inf))
    y, at_below, at_above = (p, zero, one) if lower else (q, one, zero)
    return xp.where(inside, y, xp.where(below, at_below, xp.where(above, at_above, math.nan)))


def _density(a: Any, x: Any, xp: Namespace) -> Any:
    r"""Return $x^{a-1} e^{-x} / \Gamma(a)$, the density of the gamma distribution."""
    inside = (a > 0) & (x > 0)
    a, safe = xp.where(inside, a, 1.0), xp.where(inside, x, 1.0)
    value = xp.exp((a - 1) * xp.log(safe) - safe - xp.special.gammaln(a))
    return xp.where(inside, value, xp.zeros_like(value))


@composite(*SAMPLES)
def gammainc(xp: Namespace, a: Operand, x: Array, /) -> Any:
    r"""Regularised lower incomplete gamma function. $y = P(a, x) = \frac{1}{\Gamma(a)} \int_0^x t^{a-1} e^{-t}\,dt$,
    $\bar x = \bar y\,x^{a-1} e^{-x} / \Gamma(a)$. In $a$ it has no derivative in closed form.
    """
    return _at(a, x, xp, lower=True)


gammainc.vjp(x=lambda dy, a, x, xp: dy * _density(a, x, xp))


@composite(*SAMPLES)
def gammaincc(xp: Namespace, a: Operand, x: Array, /) -> Any:
    r"""Regularised upper incomplete gamma function.
    $y = Q(a, x) = \frac{1}{\Gamma(a)} \int_x^\infty t^{a-1} e^{-t}\,dt$,
    $\bar x = -\bar y\,x^{a-1} e^{-x} / \Gamma(a)$. In $a$ it has no derivative in closed form.
    """
    return _at(a, x, xp, lower=False)


gammaincc.vjp(x=lambda dy, a, x, xp: -dy * _density(a, x, xp))


PAIRS: Final = 60
"""Pairs of terms of the continued fraction of the incomplete beta function: enough up to $a, b \\approx 1000$."""


def _beta_fraction(a: Any, b: Any, x: Any) -> Any:
    r"""Return $1 + \cfrac{d_1}{1 + \cfrac{d_2}{1 + \cdots}}$ for $x \le (a + 1) / (a + b + 2)$ (DLMF 8.17.22)."""
    value = 1.0
    for m in range(PAIRS, -1, -1):
        even = (m + 1) * (b - (m + 1)) * x / ((a + (2 * m + 1)) * (a + (2 * m + 2)))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + (2 * m + 1)))
        value = 1 + odd / (1 + even / value)
    return value


def _beta_terms(a: Any, b: Any, x: Any, xp: Namespace) -> tuple[Any, Any, Any, Any, Any]:
    """Return the arguments, replaced where they are not inside the domain, where they are, and where a and b are."""
    a, x = both_arrays(a, x, xp)
    b, x = both_arrays(b, x, xp)
    valid = (a > 0) & (b > 0) & (xp.abs(a) < math.inf) & (xp.abs(b) < math.inf)
    inside = valid & (x > 0) & (x < 1)
    return xp.where(inside, a, 1.0), xp.where(inside, b, 1.0), xp.where(inside, x, 0.5), inside, valid


@composite(Sample(((2, 3), (2, 3), (2, 3)), low=0.2, high=0.9), Sample(((3,), (3,), (2, 3)), low=0.4, high=0.8))
def betainc(xp: Namespace, a: Operand, b: Operand, x: Array, /) -> Any:
    r"""Regularised incomplete beta function. $y = I_x(a, b) = \frac{1}{B(a, b)} \int_0^x t^{a-1} (1 - t)^{b-1}\,dt$,
    $\bar x = \bar y\,x^{a-1} (1 - x)^{b-1} / B(a, b)$. In $a$ and $b$ it has no derivative in closed form.

    Computed for the smaller tail by $I_x(a, b) = 1 - I_{1-x}(b, a)$ (DLMF 8.17.4).
    """
    u, v, z, inside, valid = _beta_terms(a, b, x, xp)
    swap = z > (u + 1) / (u + v + 2)
    factor = xp.exp(u * xp.log(z) + v * xp.log1p(-z) - xp.special.betaln(u, v))
    p, q = xp.where(swap, v, u), xp.where(swap, u, v)
    tail = factor / (p * _beta_fraction(p, q, xp.where(swap, 1 - z, z)))
    y = xp.where(swap, 1 - tail, tail)
    outside = xp.where(valid & (x == 0), xp.zeros_like(y), xp.where(valid & (x == 1), xp.ones_like(y), math.nan))
    return xp.where(inside, y, outside)


def _beta_density(dy: Any, a: Any, b: Any, x: Any, xp: Namespace) -> Any:
    u, v, z, inside, _ = _beta_terms(a, b, x, xp)
    value = xp.exp((u - 1) * xp.log(z) + (v - 1) * xp.log1p(-z) - xp.special.betaln(u, v))
    return dy * xp.where(inside, value, xp.zeros_like(value))


betainc.vjp(x=lambda dy, a, b, x, xp: _beta_density(dy, a, b, x, xp))
