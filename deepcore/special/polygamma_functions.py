r"""The logarithmic derivative of the gamma function, its own derivatives, and the zeta function that they are.

Source: NIST Digital Library of Mathematical Functions (DLMF), 5.4 to 5.15 and 25.11.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, Final

from .._errors import ConfigError
from .._primitive import Sample
from .._record import composite
from ._approximation import BERNOULLI, Polynomial, both_arrays, horner, is_pole, numbers, rational

if TYPE_CHECKING:
    from .._tensor import Tensor
    from .._typing import Array, Namespace, Operand

KINKS: Final = (-4.0, -3.0, -2.0, -1.0, 0.0)
FROM: Final = 8.0
"""Where the asymptotic series of the digamma function begins."""
SERIES: Final = tuple(b / (2 * k + 2) for k, b in enumerate(BERNOULLI[:9]))

# digamma(1 + f) / (1 + f - root) for 0 <= f < 1. The root is 1 and the sum of two, the first exact in single precision.
DIGAMMA: Final = (
    numbers("""
        1.2503801375034054 1.8675925065795882 0.9711327475338101 0.21631407034162958 0.01996408239899135
        0.0005811134903054094 1.0894678035719496e-06
    """),
    numbers("""
        1.0 2.1771665956057795 1.6630736902013066 0.5710455686037226 0.09111902141077464 0.006100975572190157
        0.0001204315080764514
    """),
)
ROOT: Final = (0.4616321325302124, 1.2438149938918909e-08)

TERMS: Final = 10
"""How many terms of the zeta function are summed before the formula of Euler and Maclaurin takes over."""
MACLAURIN: Final = tuple(b / math.factorial(2 * k + 2) for k, b in enumerate(BERNOULLI))


def _cotangent(z: Any, xp: Namespace) -> Any:
    r"""Return $\cot \pi z$ in relative precision, about its poles, the integers, and about its zeros between them."""
    r = z - xp.round(z)
    a = xp.abs(r)
    near = a < 0.25
    t = xp.tan(math.pi * xp.where(near, a, 0.5 - a))
    return xp.sign(r) * xp.where(near, 1 / xp.where(near, t, 1.0), t)


def _digamma(z: Any, xp: Namespace) -> Any:
    r"""Return $\psi(z)$ for $z > 0$."""
    small = xp.minimum(z, FROM)
    n = xp.floor(small)
    f = small - n
    y = ((f - ROOT[0]) - ROOT[1]) * rational(f, DIGAMMA)
    for j in range(1, 7):
        y = y + xp.where(n > j, 1 / (f + j), 0.0)
    y = y - xp.where(n < 1, 1 / xp.where(n < 1, small, 1.0), 0.0)
    large = xp.maximum(z, FROM)
    inverse = 1 / large
    square = inverse * inverse
    asymptotic = xp.log(large) - inverse / 2 - square * horner(square, SERIES)
    return xp.where(z < FROM, y, asymptotic)


def _derivative_of_cotangent(order: int) -> Polynomial:
    r"""Return $P_n$ with $\frac{d^n}{du^n} \cot u = P_n(\cot u)$: $P_0(c) = c$, $P_{n+1}(c) = -(1 + c^2) P_n'(c)$."""
    p = [0.0, 1.0]
    for _ in range(order):
        slope = [k * c for k, c in enumerate(p)][1:]
        p = [-a - b for a, b in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)]
    return tuple(p)


@composite(
    Sample(low=0.2, high=12.0),
    Sample(low=-4.0, high=-0.1, kinks=KINKS),
    Sample(low=0.3, high=12.0, parameters={"order": 1}),
    Sample(low=-1.8, high=-1.2, parameters={"order": 2}),
)
def digamma(xp: Namespace, x: Array, /, *, order: int = 0) -> Any:
    r"""Logarithmic derivative of the gamma function, or one of its derivatives. $y = \psi^{(n)}(x)$ with
    $\psi = \Gamma' / \Gamma$ and the order $n$, $\bar x = \bar y\,\psi^{(n+1)}(x)$.

    For $n \ge 1$ it is $(-1)^{n+1} n!\,\zeta(n + 1, x)$ (DLMF 25.11.12). Left of 0 it is reflected (DLMF 5.5.4 and
    5.15.6). At the poles $-1, -2, \dots$ the digamma function is NaN; its derivatives are infinite.
    """
    pole = is_pole(x, xp)
    safe = xp.where(pole, 1.5, x)
    reflected = safe < 0
    z = xp.abs(safe)
    mirror = xp.where(reflected, z, 0.25)
    if order == 0:
        y = _digamma(z, xp)
        y = xp.where(reflected, y + (1 / mirror + math.pi * _cotangent(mirror, xp)), y)
    else:
        factor = (-1.0) ** (order + 1) * math.factorial(order)
        y = factor * xp.special.zeta(order + 1.0, xp.where(reflected, 1 + z, z))
        turned = horner(-_cotangent(mirror, xp), _derivative_of_cotangent(order))
        y = xp.where(reflected, (-1.0) ** order * y - math.pi ** (order + 1) * turned, y)
        return xp.where(pole, factor * math.inf, y)
    at_zero = xp.where(xp.signbit(x), xp.full_like(x, math.inf), -math.inf)
    return xp.where(pole, xp.where(x == 0, at_zero, math.nan), y)


digamma.vjp(x=lambda dy, x, order, xp: dy * xp.special.digamma(x, order=order + 1))


def polygamma(n: int, x: Tensor) -> Tensor:
    r"""Derivative of the digamma function, $\psi^{(n)}(x)$. Another name of :func:`digamma` with ``order=n``.

    Parameters
    ----------
    n
        The order: 0 for the digamma function itself, 1 for the trigamma function.
    x
        Where to evaluate it.

    Raises
    ------
    ConfigError
        If the order is negative.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.special.polygamma(1, dc.asarray([1.0, 2.0]))
    Tensor([1.644934  , 0.64493406], dtype=float32)
    """
    order = operator.index(n)
    if order < 0:
        msg = f"polygamma: the order is a whole number from 0, not {n}"
        raise ConfigError(msg)
    return digamma(x, order=order)


@composite(Sample(((2, 3), (2, 3)), low=1.5, high=9.0))
def zeta(xp: Namespace, x: Operand, q: Array, /) -> Any:
    r"""Hurwitz zeta function. $y = \sum_{k=0}^\infty (q + k)^{-x}$ for $x > 1$ and $q > 0$,
    $\bar q = -\bar y\,x\,\zeta(x + 1, q)$ (DLMF 25.11.17). In $x$ it has no derivative in closed form.

    The first ten terms are summed; the rest is the formula of Euler and Maclaurin (DLMF 25.11.28). It is infinite at
    $x = 1$ and at the poles $q = 0, -1, \dots$, and NaN elsewhere outside its domain.
    """
    exponent, shift = both_arrays(x, q, xp)
    s = xp.where(exponent > 1, exponent, 2.0)
    start = xp.where(shift > 0, shift, 1.0)
    y = xp.pow(start, -s)
    for k in range(1, TERMS):
        y = y + xp.pow(start + k, -s)
    w = start + TERMS
    # Of an exponent beyond 400 the rest is nothing, and its factors would be too large.
    s = xp.minimum(s, 400.0)
    power = xp.pow(w, 1 - s)
    rest = power * (1 / (s - 1) + 0.5 / w)
    term = power * (s / w / w)
    for j, c in enumerate(MACLAURIN):
        rest = rest + c * term
        term = term * ((s + (2 * j + 1)) / w * ((s + (2 * j + 2)) / w))
    y = y + rest
    y = xp.where(shift > 0, y, xp.where(is_pole(shift, xp), xp.full_like(y, math.inf), math.nan))
    return xp.where(exponent > 1, y, xp.where(exponent == 1, xp.full_like(y, math.inf), math.nan))


zeta.vjp(q=lambda dy, x, q, xp: dy * (-x * xp.special.zeta(x + 1, q)))
