"""What the approximations have in common: polynomials, quotients of polynomials, and exponentials of squares.

Every special function here is computed on every element in every region of its domain, with arguments that are safe
there, and then chosen by ``where``: nothing branches on values, so tracers can follow.

Coefficients, lowest power first, are those of the rational function (or polynomial) that equals the function at the
Chebyshev nodes of the interval, computed with 60 digits and rounded once. Method: N. J. Higham, *Accuracy and Stability
of Numerical Algorithms*, 2nd edition, SIAM 2002, section 5.1; W. J. Cody, A survey of practical rational and polynomial
approximation of functions, SIAM Review 12 (1970).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from .._typing import Namespace

Polynomial: TypeAlias = "tuple[float, ...]"
Quotient: TypeAlias = "tuple[Polynomial, Polynomial]"

BERNOULLI: Final = (
    *(1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510),
    *(43867 / 798, -174611 / 330, 854513 / 138, -236364091 / 2730),
)
"""The numbers $B_2, B_4, ..., B_{24}$ (DLMF 24.2)."""


def numbers(text: str) -> Polynomial:
    """Return the coefficients that a text lists."""
    return tuple([float(word) for word in text.split()])


def horner(x: Any, coefficients: Polynomial) -> Any:
    r"""Return $\sum_k c_k x^k$ by Horner's rule."""
    *lower, y = coefficients
    for c in reversed(lower):
        y = y * x + c
    return y


def rational(x: Any, quotient: Quotient) -> Any:
    """Return the quotient of two polynomials."""
    above, below = quotient
    return horner(x, above) / horner(x, below)


def exp_square(x: Any, scale: float, xp: Namespace) -> Any:
    r"""Return $e^{s x^2}$ for $x \ge 0$ without the error of the rounded square, which the exponential would multiply.

    With $h = \lfloor 16x \rfloor / 16$, whose square is exact, $e^{s x^2} = e^{s h^2} e^{s (x - h)(x + h)}$. Source:
    W. J. Cody, Rational Chebyshev approximations for the error function, Math. Comp. 23 (1969), section 4.
    """
    h = xp.floor(x * 16) / 16
    return xp.exp(h * h * scale) * xp.exp((x - h) * (x + h) * scale)


def is_double(x: Any) -> bool:
    """Whether an array is of double precision, whichever library's it is."""
    return "64" in str(x.dtype)


def both_arrays(x1: Any, x2: Any, xp: Namespace) -> tuple[Any, Any]:
    """Return two operands as arrays: a Python number adopts the data type of the other."""
    if not hasattr(x1, "dtype"):
        return xp.full_like(x2, x1), x2
    return x1, (x2 if hasattr(x2, "dtype") else xp.full_like(x1, x2))


def is_pole(x: Any, xp: Namespace) -> Any:
    """Whether the gamma function has a pole: at 0, -1, -2, ..."""
    return (x <= 0) & (x == xp.floor(x))


def sine(z: Any, xp: Namespace) -> Any:
    r"""Return $\sin \pi z$ in relative precision: $(-1)^n \sin \pi (z - n)$ for the integer n next to z."""
    n = xp.round(z)
    odd = n - 2 * xp.floor(n / 2)
    return (1 - 2 * odd) * xp.sin(math.pi * (z - n))


ATANH: Final = tuple(1 / (2 * k + 3) for k in range(16))


def log1pmx(x: Any, xp: Namespace) -> Any:
    r"""Return $(\ln(1 + x) - x) / x^2$ for $x > -1$, which is $-\tfrac12$ at 0.

    With $r = x / (2 + x)$, $\ln(1 + x) = 2 \operatorname{artanh} r$ (DLMF 4.6.4), whose power series leaves
    $(\frac{2 x}{(2 + x)^2} \sum_k \frac{r^{2k}}{2k + 3} - 1) / (2 + x)$.
    """
    near = xp.abs(x) < 0.45
    inner = xp.where(near, x, xp.zeros_like(x))
    r = inner / (2 + inner)
    series = (2 * r * horner(r * r, ATANH) / (2 + inner) - 1) / (2 + inner)
    outer = xp.where(near, xp.ones_like(x), x)
    return xp.where(near, series, ((xp.log1p(outer) - outer) / outer) / outer)
