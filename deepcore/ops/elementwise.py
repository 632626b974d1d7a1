r"""Elementwise functions: one line of calculus each.

$\bar y$ is the cotangent of the result and $\bar x$ that of the operand; in the rules they are ``dy`` and the value
returned. Source of the derivatives: Abramowitz and Stegun, *Handbook of Mathematical Functions*, chapters 3 and 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._primitive import Sample
from .._record import kernel, primitive
from .complex_numbers import conjugate, direction, is_complex

if TYPE_CHECKING:
    from .._typing import Array, Namespace, Operand

UNIT: Final = Sample(low=-0.9, high=0.9)
POSITIVE: Final = Sample(low=0.2, high=3.0)
AWAY_FROM_ZERO: Final = Sample(kinks=(0.0,))
BETWEEN_INTEGERS: Final = Sample(kinks=(-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0))
PAIR: Final = Sample(((2, 3), (2, 3)))
STRETCHED: Final = Sample(((2, 3), (2, 1)))
ADDED_AXIS: Final = Sample(((3,), (2, 3)))
POSITIVE_PAIR: Final = Sample(((2, 3), (3,)), low=0.2, high=3.0)


def no_slope(dy: Any) -> None:
    """Give the derivative of a step function: zero wherever it exists."""


# ------------------------------------------------------------------------------------------------- powers, logarithms


@primitive(AWAY_FROM_ZERO)
def abs(x: Array, /) -> Array:
    r"""Absolute value. $y = |x|$, $\bar x = \bar y\,\operatorname{sign}(x)$, with 0 at 0. For a complex $x$ the sign in
    the rule is the conjugate.
    """
    ...


abs.vjp(x=lambda dy, x, y, xp: dy * conjugate(direction(x, y, xp), xp))


@primitive(Sample())
def exp(x: Array, /) -> Array:
    r"""Exponential. $y = e^x$, $\bar x = \bar y\,y$."""
    ...


exp.vjp(x=lambda dy, y: dy * y)


@primitive(Sample())
def expm1(x: Array, /) -> Array:
    r"""Exponential minus one, accurate near 0. $y = e^x - 1$, $\bar x = \bar y\,(y + 1)$."""
    ...


expm1.vjp(x=lambda dy, y: dy * (y + 1))


@primitive(POSITIVE)
def log(x: Array, /) -> Array:
    r"""Natural logarithm. $y = \ln x$, $\bar x = \bar y / x$."""
    ...


log.vjp(x=lambda dy, x: dy / x)


@primitive(POSITIVE)
def log1p(x: Array, /) -> Array:
    r"""Logarithm of one plus $x$, accurate near 0. $y = \ln(1 + x)$, $\bar x = \bar y / (1 + x)$."""
    ...


log1p.vjp(x=lambda dy, x: dy / (1 + x))


@primitive(POSITIVE)
def log2(x: Array, /) -> Array:
    r"""Logarithm to base 2. $y = \log_2 x$, $\bar x = \bar y / (x \ln 2)$."""
    ...


log2.vjp(x=lambda dy, x: dy / (x * 0.6931471805599453))


@primitive(POSITIVE)
def log10(x: Array, /) -> Array:
    r"""Logarithm to base 10. $y = \log_{10} x$, $\bar x = \bar y / (x \ln 10)$."""
    ...


log10.vjp(x=lambda dy, x: dy / (x * 2.302585092994046))


@primitive(POSITIVE)
def sqrt(x: Array, /) -> Array:
    r"""Square root. $y = \sqrt{x}$, $\bar x = \bar y / (2y)$."""
    ...


sqrt.vjp(x=lambda dy, y: dy / (2 * y))


@primitive(Sample())
def square(x: Array, /) -> Array:
    r"""Square. $y = x^2$, $\bar x = 2x\,\bar y$."""
    ...


square.vjp(x=lambda dy, x: 2 * (dy * x))


@primitive(POSITIVE)
def reciprocal(x: Array, /) -> Array:
    r"""Reciprocal. $y = 1/x$, $\bar x = -\bar y\,y^2$."""
    ...


reciprocal.vjp(x=lambda dy, y: -dy * (y * y))


# ------------------------------------------------------------------------------------------------------ trigonometry


@primitive(Sample())
def sin(x: Array, /) -> Array:
    r"""Sine. $y = \sin x$, $\bar x = \bar y \cos x$."""
    ...


sin.vjp(x=lambda dy, x, xp: dy * xp.cos(x))


@primitive(Sample())
def cos(x: Array, /) -> Array:
    r"""Cosine. $y = \cos x$, $\bar x = -\bar y \sin x$."""
    ...


cos.vjp(x=lambda dy, x, xp: -dy * xp.sin(x))


@primitive(Sample(low=-1.2, high=1.2))
def tan(x: Array, /) -> Array:
    r"""Tangent. $y = \tan x$, $\bar x = \bar y\,(1 + y^2)$."""
    ...


tan.vjp(x=lambda dy, y: dy * (1 + y * y))


@primitive(UNIT)
def asin(x: Array, /) -> Array:
    r"""Inverse sine. $y = \arcsin x$, $\bar x = \bar y / \sqrt{1 - x^2}$."""
    ...


asin.vjp(x=lambda dy, x, xp: dy / xp.sqrt(1 - x * x))


@primitive(UNIT)
def acos(x: Array, /) -> Array:
    r"""Inverse cosine. $y = \arccos x$, $\bar x = -\bar y / \sqrt{1 - x^2}$."""
    ...


acos.vjp(x=lambda dy, x, xp: -dy / xp.sqrt(1 - x * x))


@primitive(Sample())
def atan(x: Array, /) -> Array:
    r"""Inverse tangent. $y = \arctan x$, $\bar x = \bar y / (1 + x^2)$."""
    ...


atan.vjp(x=lambda dy, x: dy / (1 + x * x))


@primitive(Sample())
def sinh(x: Array, /) -> Array:
    r"""Hyperbolic sine. $y = \sinh x$, $\bar x = \bar y \cosh x$."""
    ...


sinh.vjp(x=lambda dy, x, xp: dy * xp.cosh(x))


@primitive(Sample())
def cosh(x: Array, /) -> Array:
    r"""Hyperbolic cosine. $y = \cosh x$, $\bar x = \bar y \sinh x$."""
    ...


cosh.vjp(x=lambda dy, x, xp: dy * xp.sinh(x))


@primitive(Sample())
def tanh(x: Array, /) -> Array:
    r"""Hyperbolic tangent. $y = \tanh x$, $\bar x = \bar y\,(1 - y^2)$."""
    ...


@kernel
def tanh_vjp(xp: Namespace, dy: Any, y: Any) -> Any:
    """Return the cotangent of a hyperbolic tangent's operand."""
    return dy * (1 - y * y)


tanh.vjp(x=lambda dy, y, xp: xp.tanh_vjp(dy, y))


@primitive(Sample())
def asinh(x: Array, /) -> Array:
    r"""Inverse hyperbolic sine. $y = \operatorname{arsinh} x$, $\bar x = \bar y / \sqrt{x^2 + 1}$."""
    ...


asinh.vjp(x=lambda dy, x, xp: dy / xp.sqrt(x * x + 1))


@primitive(Sample(low=1.2, high=3.0))
def acosh(x: Array, /) -> Array:
    r"""Inverse hyperbolic cosine. $y = \operatorname{arcosh} x$, $\bar x = \bar y / (\sqrt{x - 1} \sqrt{x + 1})$."""
    ...


acosh.vjp(x=lambda dy, x, xp: dy / (xp.sqrt(x - 1) * xp.sqrt(x + 1)))


@primitive(UNIT)
def atanh(x: Array, /) -> Array:
    r"""Inverse hyperbolic tangent. $y = \operatorname{artanh} x$, $\bar x = \bar y / (1 - x^2)$."""
    ...


atanh.vjp(x=lambda dy, x: dy / (1 - x * x))


# -------------------------------------------------------------------------------------------------- signs and rounding


@primitive(Sample())
def negative(x: Array, /) -> Array:
    r"""Negation. $y = -x$, $\bar x = -\bar y$."""
    ...


negative.vjp(x=lambda dy: -dy)


@primitive(Sample())
def positive(x: Array, /) -> Array:
    r"""Identity. $y = x$, $\bar x = \bar y$."""
    ...


positive.vjp(x=lambda dy: dy)


def _sign(dy: Any, x: Any, y: Any, xp: Namespace) -> Any:
    if not is_complex(x):
        return None
    away = xp.where(x == 0, xp.ones_like(x), x)
    turn = dy - xp.real(dy * y) * xp.conj(y)
    return xp.where(x == 0, xp.zeros_like(turn), turn / xp.abs(away))


@primitive(AWAY_FROM_ZERO)
def sign(x: Array, /) -> Array:
    r"""Sign, 0 at 0. $y = \operatorname{sign} x$, $\bar x = 0$. For a complex $x$ it is the direction, $y = x / |x|$,
    and $\bar x = (\bar y - \operatorname{Re}(\bar y\,y)\,y^*) / |x|$.
    """
    ...


sign.vjp(x=_sign)


@primitive(BETWEEN_INTEGERS)
def ceil(x: Array, /) -> Array:
    r"""Round up. $y = \lceil x \rceil$, $\bar x = 0$."""
    ...


ceil.vjp(x=no_slope)


@primitive(BETWEEN_INTEGERS)
def floor(x: Array, /) -> Array:
    r"""Round down. $y = \lfloor x \rfloor$, $\bar x = 0$."""
    ...


floor.vjp(x=no_slope)


@primitive(BETWEEN_INTEGERS)
def round(x: Array, /) -> Array:
    r"""Round to the nearest whole number, halves to even. $\bar x = 0$."""
    ...


round.vjp(x=no_slope)


@primitive(BETWEEN_INTEGERS)
def trunc(x: Array, /) -> Array:
    r"""Round towards zero. $\bar x = 0$."""
    ...


trunc.vjp(x=no_slope)


# ---------------------------------------------------------------------------------------------------------- arithmetic


@primitive(PAIR, STRETCHED, ADDED_AXIS)
def add(x1: Operand, x2: Operand, /) -> Array:
    r"""Sum. $y = x_1 + x_2$, $\bar x_1 = \bar x_2 = \bar y$."""
    ...


add.vjp(x1=lambda dy: dy, x2=lambda dy: dy)


@primitive(PAIR, STRETCHED, ADDED_AXIS)
def subtract(x1: Operand, x2: Operand, /) -> Array:
    r"""Difference. $y = x_1 - x_2$, $\bar x_1 = \bar y$, $\bar x_2 = -\bar y$."""
    ...


subtract.vjp(x1=lambda dy: dy, x2=lambda dy: -dy)


@primitive(PAIR, STRETCHED, ADDED_AXIS)
def multiply(x1: Operand, x2: Operand, /) -> Array:
    r"""Product. $y = x_1 x_2$, $\bar x_1 = \bar y\,x_2$, $\bar x_2 = \bar y\,x_1$."""
    ...


multiply.vjp(x1=lambda dy, x2: dy * x2, x2=lambda dy, x1: dy * x1)


@primitive(Sample(((2, 3), (3,)), low=0.4, high=2.0))
def divide(x1: Operand, x2: Operand, /) -> Array:
    r"""Quotient. $y = x_1 / x_2$, $\bar x_1 = \bar y / x_2$, $\bar x_2 = -\bar y\,y / x_2$."""
    ...


divide.vjp(x1=lambda dy, x2: dy / x2, x2=lambda dy, x2, y: -dy * (y / x2))


def _pow_x1(dy: Any, x1: Any, x2: Any, xp: Namespace) -> Any:
    # At x2 = 0 the derivative is 0, also where x1 = 0 would give 0 * 0**-1.
    return dy * x2 * xp.pow(x1, xp.where(x2 == 0, xp.ones_like(x2), x2 - 1))


def _pow_x2(dy: Any, x1: Any, y: Any, xp: Namespace) -> Any:
    # At x1 = 0 the derivative is 0 (for x2 > 0), where log would give 0 * -inf.
    return dy * y * xp.log(xp.where(x1 == 0, xp.ones_like(x1), x1))


@primitive(POSITIVE_PAIR)
def pow(x1: Operand, x2: Operand, /) -> Array:
    r"""Power. $y = x_1^{x_2}$, $\bar x_1 = \bar y\,x_2 x_1^{x_2 - 1}$, $\bar x_2 = \bar y\,y \ln x_1$."""
    ...


pow.vjp(x1=_pow_x1, x2=_pow_x2)


@primitive(Sample(((2, 3), (2, 3)), low=0.6, high=0.95))
def floor_divide(x1: Operand, x2: Operand, /) -> Array:
    r"""Quotient rounded down. $y = \lfloor x_1 / x_2 \rfloor$, $\bar x_1 = \bar x_2 = 0$."""
    ...


floor_divide.vjp(x1=no_slope, x2=no_slope)


@primitive(Sample(((2, 3), (2, 3)), low=0.6, high=0.95))
def remainder(x1: Operand, x2: Operand, /) -> Array:
    r"""Remainder, of the sign of $x_2$. $y = x_1 - \lfloor x_1/x_2 \rfloor x_2$,
    $\bar x_1 = \bar y$, $\bar x_2 = -\bar y \lfloor x_1/x_2 \rfloor$.
    """
    ...


remainder.vjp(x1=lambda dy: dy, x2=lambda dy, x1, x2, xp: -dy * xp.floor_divide(x1, x2))


@primitive(Sample(((2, 3), (2, 3)), kinks=(0.0,)))
def atan2(x1: Operand, x2: Operand, /) -> Array:
    r"""Angle of the point $(x_2, x_1)$. $\bar x_1 = \bar y\,x_2 / r^2$, $\bar x_2 = -\bar y\,x_1 / r^2$, with
    $r^2 = x_1^2 + x_2^2$.
    """
    ...


atan2.vjp(
    x1=lambda dy, x1, x2: dy * x2 / (x1 * x1 + x2 * x2),
    x2=lambda dy, x1, x2: -dy * x1 / (x1 * x1 + x2 * x2),
)


@primitive(POSITIVE_PAIR)
def hypot(x1: Operand, x2: Operand, /) -> Array:
    r"""Length of the hypotenuse. $y = \sqrt{x_1^2 + x_2^2}$, $\bar x_1 = \bar y\,x_1/y$, $\bar x_2 = \bar y\,x_2/y$."""
    ...


hypot.vjp(x1=lambda dy, x1, y: dy * (x1 / y), x2=lambda dy, x2, y: dy * (x2 / y))


@primitive(PAIR, STRETCHED)
def logaddexp(x1: Operand, x2: Operand, /) -> Array:
    r"""Logarithm of the sum of exponentials. $y = \ln(e^{x_1} + e^{x_2})$, $\bar x_i = \bar y\,e^{x_i - y}$."""
    ...


logaddexp.vjp(x1=lambda dy, x1, y, xp: dy * xp.exp(x1 - y), x2=lambda dy, x2, y, xp: dy * xp.exp(x2 - y))


def _larger(dy: Any, winner: Any, loser: Any, xp: Namespace) -> Any:
    """Give the cotangent to the operand that won; where both are equal, half."""
    zero = xp.zeros_like(dy)
    return xp.where(winner > loser, dy, xp.where(winner == loser, dy / 2, zero))


@primitive(PAIR, STRETCHED)
def maximum(x1: Operand, x2: Operand, /) -> Array:
    r"""Larger of two. $\bar x_1 = \bar y$ where $x_1 > x_2$, $\bar y / 2$ where equal, else 0; likewise $\bar x_2$."""
    ...


maximum.vjp(x1=lambda dy, x1, x2, xp: _larger(dy, x1, x2, xp), x2=lambda dy, x1, x2, xp: _larger(dy, x2, x1, xp))


@primitive(PAIR, STRETCHED)
def minimum(x1: Operand, x2: Operand, /) -> Array:
    r"""Smaller of two. $\bar x_1 = \bar y$ where $x_1 < x_2$, $\bar y / 2$ where equal, else 0; likewise $\bar x_2$."""
    ...


minimum.vjp(x1=lambda dy, x1, x2, xp: _larger(dy, x2, x1, xp), x2=lambda dy, x1, x2, xp: _larger(dy, x1, x2, xp))


@primitive(Sample(((2, 3), (2, 3)), kinks=(0.0,)))
def copysign(x1: Operand, x2: Operand, /) -> Array:
    r"""Magnitude of $x_1$ with the sign of $x_2$. $\bar x_1 = \bar y \operatorname{sign}(x_1) \operatorname{sign}(y)$,
    $\bar x_2 = 0$.
    """
    ...


copysign.vjp(x1=lambda dy, x1, y, xp: dy * xp.sign(x1) * xp.sign(y), x2=no_slope)


@primitive(PAIR)
def nextafter(x1: Operand, x2: Operand, /) -> Array:
    r"""Next representable number after $x_1$ towards $x_2$."""
    ...


nextafter.not_differentiable("a step between representable numbers")


def _clip_x(dy: Any, x: Any, min: Any, max: Any, xp: Namespace) -> Any:
    zero = xp.zeros_like(dy)
    dx = dy if min is None else xp.where(x >= min, dy, zero)
    return dx if max is None else xp.where(x <= max, dx, zero)


@primitive(
    Sample(((2, 3),), parameters={"max": 0.5}, kinks=(0.5,)),
    Sample(((2, 3),), parameters={"min": -0.5}, kinks=(-0.5,)),
    Sample(((2, 3),), parameters={"min": -0.5, "max": 0.5}, kinks=(-0.5, 0.5)),
)
def clip(x: Array, /, min: Operand | None = None, max: Operand | None = None) -> Array:
    r"""Limit to an interval. $y = \min(\max(x, \text{min}), \text{max})$. The cotangent goes to $x$ where it is inside
    the interval (the ends included), to ``min`` where $x$ is below it, and to ``max`` where $x$ is above it.
    """
    ...


clip.vjp(
    x=_clip_x,
    min=lambda dy, x, min, xp: xp.where(x < min, dy, xp.zeros_like(dy)),
    max=lambda dy, x, max, xp: xp.where(x > max, dy, xp.zeros_like(dy)),
)
