"""Elementary functions in single precision, in instructions that work on all lanes at once.

Each reduces its argument to an interval about zero and evaluates a polynomial there, without branches [1]_. The
polynomials are near-minimax in the relative error of the result. Results are within 2 units in the last place of the
exact ones, those of the normal distribution function within 7; infinities, NaN, zeros and subnormal numbers are as the
C library has them.

References
----------
.. [1] J.-M. Muller, *Elementary Functions: Algorithms and Implementation*, 3rd edition, Birkhäuser, 2016, chapters 3
       and 11
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir

from ._lanes import INT32

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._lanes import Code, Lanes

FLOAT: Final = ir.FloatType()

LN2_HIGH: Final = 0.693145751953125  # ten bits of zeros at the end: its products with exponents are exact
LN2_LOW: Final = 1.42860677302554e-06

# (exp r - 1 - r) / r^2 on |r| <= ln 2 / 2
_EXP: Final = (
    0.5,
    0.1666666716337204,
    0.04166635125875473,
    0.008333275094628334,
    0.0013941129436716437,
    0.0001991315366467461,
)
# (log(1 + f) - f + f^2 / 2) / f^3 on |f| <= 1/3
_LOG: Final = (
    0.3333321511745453, -0.24999797344207764, 0.20010405778884888, -0.16680486500263214, 0.14005860686302185,
    -0.12184274941682816, 0.13984476029872894, -0.12891602516174316,
)  # fmt: skip
# erf(x) / x - 1, of x^2, on |x| <= 0.93
_ERF: Final = (
    0.12837916612625122, -0.37612631916999817, 0.11283687502145767, -0.026858940720558167, 0.005199906416237354,
    -0.0008130011847242713, 8.316770981764421e-05,
)  # fmt: skip
# -log(erfc t) / t - 1 on 0.92 <= t <= 4
_ERFC: Final = (
    0.12855175137519836, 0.6356252431869507, 0.10526270419359207, -0.022674141451716423, 0.0029301599133759737,
    -4.9587557441554964e-05, -4.5581033191410825e-05, 4.938202437188011e-06,
)  # fmt: skip
# Phi(-t) exp(t^2 / 2) on 0 <= t <= 15
_TAIL: Final = (0.5, 0.43928135, 0.1839673, 0.04088042, 0.0041531)
_TAIL_DIVISOR: Final = (1.0, 1.6764477, 1.20554127, 0.47140376, 0.10247813, 0.01041017)
_TAIL_END: Final = 15.0


def _c(lanes: Lanes, number: float) -> Code:
    return lanes.constant(FLOAT, number)


def _bits(lanes: Lanes, x: Code) -> Code:
    return lanes.builder.bitcast(x, lanes.wide(INT32))


def _from_bits(lanes: Lanes, bits: Code) -> Code:
    return lanes.builder.bitcast(bits, lanes.wide(FLOAT))


def _where(lanes: Lanes, how: str, x: Code, bound: float, yes: Code, no: Code) -> Code:
    return lanes.builder.select(lanes.builder.fcmp_ordered(how, x, _c(lanes, bound)), yes, no)


def _reduced(lanes: Lanes, x: Code) -> tuple[Code, Code]:
    """Return n, a whole number, and r with x = n ln 2 + r and |r| <= ln 2 / 2."""
    n = lanes.intrinsic("rint", lanes.builder.fmul(x, _c(lanes, 1 / math.log(2))))
    return n, lanes.fma(n, _c(lanes, -LN2_LOW), lanes.fma(n, _c(lanes, -LN2_HIGH), x))


def _power_of_two(lanes: Lanes, n: Code) -> Code:
    """Return 2^n for whole numbers n between -126 and 127."""
    shifted = lanes.builder.add(n, lanes.constant(INT32, 127))
    return _from_bits(lanes, lanes.builder.shl(shifted, lanes.constant(INT32, 23)))


def _at_least(lanes: Lanes, x: Code, low: float) -> Code:
    """Return x or a bound, and NaN where it is NaN."""
    return _where(lanes, "<", x, low, _c(lanes, low), x)


def _at_most(lanes: Lanes, x: Code, high: float) -> Code:
    """Return x or a bound, and NaN where it is NaN."""
    return _where(lanes, ">", x, high, _c(lanes, high), x)


def exp(lanes: Lanes, x: Code) -> Code:
    """Write exp x."""
    return _decay(lanes, _at_most(lanes, x, 90.0))


def _decay(lanes: Lanes, x: Code) -> Code:
    """Write exp x = 2^n exp r, where x is not large."""
    build = lanes.builder
    n, r = _reduced(lanes, _at_least(lanes, x, -105.0))
    y = lanes.fma(build.fmul(r, r), lanes.polynomial(r, _EXP), r)
    whole = build.fptosi(n, lanes.wide(INT32))
    half = build.ashr(whole, lanes.constant(INT32, 1))  # in two steps, because 2^n alone may overflow or be subnormal
    scaled = build.fmul(build.fadd(y, _c(lanes, 1.0)), _power_of_two(lanes, half))
    return build.fmul(scaled, _power_of_two(lanes, build.sub(whole, half)))


def expm1(lanes: Lanes, x: Code) -> Code:
    """Write exp x - 1 = 2^n (exp r - 1) + 2^n - 1."""
    build = lanes.builder
    n, r = _reduced(lanes, _at_least(lanes, _at_most(lanes, x, 80.0), -20.0))
    y = lanes.fma(build.fmul(r, r), lanes.polynomial(r, _EXP), r)
    power = _power_of_two(lanes, build.fptosi(n, lanes.wide(INT32)))
    small = lanes.fma(power, y, build.fsub(power, _c(lanes, 1.0)))
    tiny = _where(lanes, "<", lanes.intrinsic("fabs", x), 1e-7, x, small)  # keeps the sign of zero
    return _where(lanes, ">", x, 80.0, exp(lanes, x), tiny)


def log(lanes: Lanes, x: Code) -> Code:
    """Write log x = e ln 2 + log(1 + f), with x = 2^e (1 + f) and 2/3 <= 1 + f < 4/3."""
    build = lanes.builder
    is_subnormal = build.fcmp_ordered("<", x, _c(lanes, 2.0**-126))
    scaled = build.select(is_subnormal, build.fmul(x, _c(lanes, 2.0**23)), x)
    bits = _bits(lanes, scaled)
    shifted = build.sub(bits, lanes.constant(INT32, 0x3F2AAAAB))  # the bits of 2/3
    exponent = build.and_(shifted, lanes.constant(INT32, -(1 << 23)))
    f = build.fsub(_from_bits(lanes, build.sub(bits, exponent)), _c(lanes, 1.0))
    e = build.sitofp(build.ashr(exponent, lanes.constant(INT32, 23)), lanes.wide(FLOAT))
    e = build.fadd(e, build.select(is_subnormal, _c(lanes, -23.0), _c(lanes, 0.0)))
    square = build.fmul(f, f)
    tail = lanes.fma(e, _c(lanes, LN2_LOW), build.fmul(square, build.fmul(f, lanes.polynomial(f, _LOG))))
    tail = lanes.fma(square, _c(lanes, -0.5), tail)
    y = lanes.fma(e, _c(lanes, LN2_HIGH), build.fadd(f, tail))
    y = build.select(build.fcmp_ordered("==", x, _c(lanes, math.inf)), x, y)
    y = _where(lanes, "==", x, 0.0, _c(lanes, -math.inf), y)
    return build.select(build.fcmp_unordered("<", x, _c(lanes, 0.0)), build.fsub(_c(lanes, math.nan), x), y)


def log1p(lanes: Lanes, x: Code) -> Code:
    """Write log(1 + x) = log u + (x - (u - 1)) / u, where u is 1 + x rounded."""
    build = lanes.builder
    u = build.fadd(_c(lanes, 1.0), x)
    lost = build.fdiv(build.fsub(x, build.fsub(u, _c(lanes, 1.0))), u)
    y = build.fadd(log(lanes, u), lost)
    y = _where(lanes, "==", u, 1.0, x, y)
    y = _where(lanes, "==", u, 0.0, _c(lanes, -math.inf), y)
    return _where(lanes, "==", x, math.inf, x, y)


def _sum(lanes: Lanes, x: Code, y: Code) -> tuple[Code, Code]:
    """Return x + y, where |x| >= |y|, and what it loses when it is rounded."""
    build = lanes.builder
    total = build.fadd(x, y)
    return total, build.fsub(y, build.fsub(total, x))


def sigmoid(lanes: Lanes, x: Code) -> Code:
    """Write e / (1 + e) where x < 0, and elsewhere 1 / (1 + e), with e = exp -|x|."""
    build = lanes.builder
    e = _decay(lanes, build.fneg(lanes.intrinsic("fabs", x)))
    total, lost = _sum(lanes, _c(lanes, 1.0), e)
    quotient = build.fdiv(_where(lanes, "<", x, 0.0, e, _c(lanes, 1.0)), total)
    return lanes.fma(build.fneg(quotient), lost, quotient)  # (1 - lost), which is enough for (1 - lost / total)


def tanh(lanes: Lanes, x: Code) -> Code:
    """Write tanh |x| = -m / (2 + m), where m = exp(-2|x|) - 1 = 2^n (exp r - 1) + 2^n - 1."""
    build = lanes.builder
    size = lanes.intrinsic("fabs", x)
    n, r = _reduced(lanes, _at_least(lanes, build.fneg(build.fadd(size, size)), -20.0))
    y = lanes.fma(build.fmul(r, r), lanes.polynomial(r, _EXP), r)
    power = _power_of_two(lanes, build.fptosi(n, lanes.wide(INT32)))
    m = lanes.fma(power, y, build.fsub(power, _c(lanes, 1.0)))
    total, lost = _sum(lanes, _c(lanes, 2.0), m)
    quotient = build.fdiv(m, total)
    minus = build.fneg(quotient)
    rest = lanes.fma(minus, lost, lanes.fma(minus, total, m))  # what is left of m, and 1 / (2 + m) = (1 - quotient) / 2
    quotient = lanes.fma(rest, lanes.fma(minus, _c(lanes, 0.5), _c(lanes, 0.5)), quotient)
    return lanes.intrinsic("copysign", quotient, x)


def ndtr(lanes: Lanes, x: Code) -> Code:
    """Write Phi(-|x|) = exp(-x^2 / 2) P(|x|) / Q(|x|), or 1 minus that.

    What is lost when the square is rounded is a factor of the exponential, which is that of the density.
    """
    build = lanes.builder
    size = lanes.intrinsic("fabs", x)
    square = build.fmul(x, x)
    density = exp(lanes, build.fmul(square, _c(lanes, -0.5)))
    is_far = build.fcmp_ordered(">", size, _c(lanes, _TAIL_END))
    lost = build.select(is_far, _c(lanes, 0.0), lanes.fma(x, x, build.fneg(square)))
    density = lanes.fma(density, build.fmul(lost, _c(lanes, -0.5)), density)
    t = build.select(is_far, _c(lanes, _TAIL_END), size)
    tail = build.fdiv(build.fmul(density, lanes.polynomial(t, _TAIL)), lanes.polynomial(t, _TAIL_DIVISOR))
    return _where(lanes, "<", x, 0.0, tail, build.fsub(_c(lanes, 1.0), tail))


def erf(lanes: Lanes, x: Code) -> Code:
    """Write erf x, by a polynomial about zero, and elsewhere as 1 - exp(-t - t Q(t)) with t = |x|."""
    build = lanes.builder
    size = lanes.intrinsic("fabs", x)
    near = lanes.fma(x, lanes.polynomial(build.fmul(x, x), _ERF), x)
    t = _where(lanes, ">", size, 4.0, _c(lanes, 4.0), size)
    far = build.fsub(_c(lanes, 1.0), exp(lanes, build.fneg(lanes.fma(t, lanes.polynomial(t, _ERFC), t))))
    return _where(lanes, "<", size, 0.93, near, lanes.intrinsic("copysign", far, x))


ELEMENTARY: Final[dict[str, Callable[[Lanes, Any], Any]]] = {
    "erf": erf,
    "exp": exp,
    "expm1": expm1,
    "log": log,
    "log1p": log1p,
    "ndtr": ndtr,
    "sigmoid": sigmoid,
    "tanh": tanh,
}
"""The functions, by the names that the standard and :mod:`deepcore.ops` give them."""
