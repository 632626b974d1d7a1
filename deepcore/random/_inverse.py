r"""Inverse distribution functions, the same to the last bit on every machine.

A value with distribution function $F$ is $F^{-1}(u)$ of a uniform $u$. What follows uses only additions, subtractions,
multiplications, divisions and square roots in float64, which IEEE 754 defines to the last bit, and one at a time, so
that no compiler contracts two into one. The logarithm is here for that reason: those of C libraries, and NumPy's on
different processors, differ in their last bits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ._bits import halves, words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BLOCK: Final = 32768
"""How many values are computed at a time: what fits into the cache."""

# Coefficients of polynomials, the highest power first.
_LOG: Final = (
    *(1.479819860511658591e-01, 1.531383769920937332e-01, 1.818357216161805012e-01, 2.222219843214978396e-01),
    *(2.857142874366239149e-01, 3.999999999940941908e-01, 6.666666666666735130e-01, 0.0),
)
_LN2_HIGH: Final = 6.93147180369123816490e-01
_LN2_LOW: Final = 1.90821492927058770002e-10

_CENTRE: Final = (
    (
        *(2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4),
        *(1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
    ),
    (
        *(5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4),
        *(5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
    ),
)
_TAIL: Final = (
    (
        *(7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0),
        *(3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
    ),
    (
        *(1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1),
        *(6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0),
    ),
)
_FAR_TAIL: Final = (
    (
        *(2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2),
        *(2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0),
    ),
    (
        *(2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4),
        *(1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0),
    ),
)


def transformed(
    seed: int, draw: int, n: int, dtype: type[np.floating[Any]], inverse: Callable[[Floats], Floats]
) -> NDArray[Any]:
    r"""Return $F^{-1}(u)$ of n uniform numbers, rounded to a data type.

    Each $u$ is in the middle of one of $2^{32}$ equal parts of (0, 1), given by a half word, for float32, and of one of
    $2^{52}$, given by the upper bits of a word, otherwise; so it is neither 0 nor 1, and $1 - u$ is exact.
    """
    if dtype is np.float32:
        bits: NDArray[Any] = halves(seed, draw, n)
        width = 2.0**-32
    else:
        bits = words(seed, draw, n)
        bits >>= np.uint64(12)
        width = 2.0**-52
    values = np.empty(n, dtype)
    for i in range(0, n, BLOCK):
        u = bits[i : i + BLOCK].astype(np.float64)
        u += 0.5
        u *= width
        values[i : i + BLOCK] = inverse(u)
    return values


def _polynomial(coefficients: Sequence[float], x: Floats) -> Floats:
    """Return the value of a polynomial, by Horner's rule."""
    first, second, *rest = coefficients
    y = first * x
    y += second
    for c in rest:
        y *= x
        y += c
    return y


def _rational(coefficients: tuple[Sequence[float], Sequence[float]], x: Floats) -> Floats:
    y = _polynomial(coefficients[0], x)
    y /= _polynomial(coefficients[1], x)
    return y


def log(x: Floats) -> Floats:
    r"""Return $\log x$ of positive numbers, with an error below one unit in the last place.

    With $x = 2^k (1 + f)$ and $s = f / (2 + f)$, $\log(1 + f) = 2 \operatorname{artanh} s$ is a polynomial in $s^2$.

    Source: FDLIBM 5.3, e_log.c (Sun Microsystems, 1993), without its special cases.
    """
    m, k = np.frexp(x)
    small = m < math.sqrt(0.5)
    m += m * small  # exact: m doubles where it is small
    k = (k - small).astype(np.float64)
    f = m - 1.0
    s = f / (f + 2.0)
    half = f * f
    half *= 0.5
    r = _polynomial(_LOG, s * s)
    r += half
    r *= s
    r += k * _LN2_LOW
    half -= r
    half -= f
    return k * _LN2_HIGH - half


def normal_quantile(p: Floats) -> Floats:
    r"""Return $\Phi^{-1}(p)$ of the standard normal distribution, with a relative error of about $10^{-16}$.

    Source: M. J. Wichura, Algorithm AS 241: the percentage points of the normal distribution, Applied Statistics 37,
    1988, routine PPND16.
    """
    q = p - 0.5
    r = q * q
    np.subtract(0.180625, r, out=r)
    z = _rational(_CENTRE, r)
    z *= q
    tails = np.flatnonzero(np.abs(q) > 0.425)
    if tails.size:
        z[tails] = np.copysign(_tail(np.minimum(p[tails], 1.0 - p[tails])), q[tails])
    return z


def _tail(p: Floats) -> Floats:
    r"""Return $-\Phi^{-1}(p)$ for $p < 0.075$."""
    r = np.sqrt(-log(p))
    z = _rational(_TAIL, r - 1.6)
    far = np.flatnonzero(r > 5.0)
    if far.size:
        z[far] = _rational(_FAR_TAIL, r[far] - 5.0)
    return z


def normal_probability(z: float) -> float:
    r"""Return $\Phi(z)$, as exactly as the C library has the complementary error function."""
    return 0.5 * math.erfc(-z * math.sqrt(0.5))


def exponential_quantile(p: Floats) -> Floats:
    r"""Return $-\log p$, which is exponentially distributed, as $1 - p$ is uniform too."""
    y = log(p)
    np.negative(y, out=y)
    return y


def gumbel_quantile(p: Floats) -> Floats:
    r"""Return $-\log(-\log p)$."""
    return -log(-log(p))
