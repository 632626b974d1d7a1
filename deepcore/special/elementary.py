r"""Elementary functions that need care near a point, and robust losses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from .._primitive import Sample
from .._record import composite
from ._approximation import both_arrays, horner, is_double, sine

if TYPE_CHECKING:
    from .._typing import Array, Namespace, Operand

PAIR: Final = Sample(((2, 3), (2, 3)), low=0.3, high=3.0)

SLOPE_OF_SINE: Final = tuple((-1) ** (k + 1) * 2 * (k + 1) / math.factorial(2 * k + 3) for k in range(12))
"""The power series of $(\\frac{\\sin u}{u})' / u$, in $u^2$."""
SLOPE_OF_EXPREL: Final = tuple((k + 1) / math.factorial(k + 2) for k in range(20))


def _slope_of_sinc(x: Any, xp: Namespace) -> Any:
    near = xp.abs(x) < 0.3
    u = math.pi * xp.where(near, x, xp.zeros_like(x))
    outer = xp.where(near, xp.ones_like(x), x)
    closed = (sine(outer + 0.5, xp) - sine(outer, xp) / (math.pi * outer)) / outer
    return xp.where(near, math.pi * (u * horner(u * u, SLOPE_OF_SINE)), closed)


@composite(Sample(low=-3.0, high=3.0, kinks=(0.0,)))
def sinc(xp: Namespace, x: Array, /) -> Any:
    r"""Cardinal sine. $y = \frac{\sin \pi x}{\pi x}$, 1 at 0, $\bar x = \bar y\,(\cos \pi x - y) / x$."""
    safe = xp.where(x == 0, xp.ones_like(x), x)
    return xp.where(x == 0, xp.ones_like(x), sine(safe, xp) / (math.pi * safe))


sinc.vjp(x=lambda dy, x, xp: dy * _slope_of_sinc(x, xp))


def slope_of_exprel(x: Any, xp: Namespace) -> Any:
    r"""Return the derivative of exprel, $((x - 1)\,e^x + 1) / x^2$, by its power series near 0."""
    near = xp.abs(x) < 1
    outer = xp.where(near, xp.ones_like(x), x)
    closed = (xp.exp(outer) - xp.expm1(outer) / outer) / outer
    return xp.where(near, horner(xp.where(near, x, xp.zeros_like(x)), SLOPE_OF_EXPREL), closed)


@composite(Sample(low=-5.0, high=5.0, kinks=(0.0,)))
def exprel(xp: Namespace, x: Array, /) -> Any:
    r"""Relative error exponential. $y = (e^x - 1) / x$, 1 at 0, $\bar x = \bar y\,(e^x - y) / x$."""
    last = 716.354 if is_double(x) else 93.255
    safe = xp.minimum(xp.where(x == 0, xp.ones_like(x), x), 50.0)
    large = xp.minimum(xp.maximum(x, 50.0), last)
    half = xp.exp(large / 2)  # in two halves, of which none overflows
    y = xp.where(x > 50, half / large * half, xp.expm1(safe) / safe)
    return xp.where(x == 0, xp.ones_like(x), xp.where(x > last, math.inf, y))


exprel.vjp(x=lambda dy, x, xp: dy * slope_of_exprel(x, xp))


@composite(Sample())
def cosm1(xp: Namespace, x: Array, /) -> Any:
    r"""Cosine minus one, accurate near 0. $y = \cos x - 1 = -2 \sin^2(x/2)$, $\bar x = -\bar y \sin x$."""
    s = xp.sin(x / 2)
    return -2 * (s * s)


cosm1.vjp(x=lambda dy, x, xp: -dy * xp.sin(x))


@composite(PAIR)
def huber(xp: Namespace, delta: Operand, r: Operand, /) -> Any:
    r"""Huber's loss. $y = \tfrac12 r^2$ for $|r| \le \delta$, else $\delta\,(|r| - \tfrac12 \delta)$;
    $\bar r = \bar y \min(\delta, |r|) \operatorname{sign} r$, $\bar\delta = \bar y \max(|r| - \delta, 0)$. Infinite for
    $\delta < 0$.

    Source: P. J. Huber, Robust estimation of a location parameter, Ann. Math. Statist. 35 (1964).
    """
    bound, residual = both_arrays(delta, r, xp)
    a = xp.abs(residual)
    within = xp.minimum(a, bound)
    return xp.where(bound < 0, math.inf, within * (a - within / 2))


huber.vjp(
    delta=lambda dy, delta, r, xp: dy * xp.maximum(xp.abs(r) - delta, 0.0),
    r=lambda dy, delta, r, xp: dy * (xp.minimum(delta, xp.abs(r)) * xp.sign(r)),
)


def _slope(delta: Any, r: Any, xp: Namespace) -> tuple[Any, Any]:
    """Return r / delta and the hypotenuse over it, where delta is positive."""
    u = r / xp.where(delta > 0, delta, 1.0)
    return u, xp.hypot(xp.ones_like(u), u)


def _pseudo_huber_delta(dy: Any, delta: Any, r: Any, xp: Namespace) -> Any:
    u, s = _slope(delta, r, xp)
    excess = u * (u / (1 + s))
    return dy * (delta * (excess * (excess / s)))


def _pseudo_huber_r(dy: Any, delta: Any, r: Any, xp: Namespace) -> Any:
    _, s = _slope(delta, r, xp)
    return dy * xp.where(delta > 0, r / s, xp.zeros_like(r))


@composite(PAIR)
def pseudo_huber(xp: Namespace, delta: Operand, r: Operand, /) -> Any:
    r"""Smooth approximation of Huber's loss. $y = \delta^2 (s - 1)$ with $s = \sqrt{1 + (r/\delta)^2}$,
    $\bar r = \bar y\,r / s$, $\bar\delta = \bar y\,\delta\,(s - 1)^2 / s$. Infinite for
    $\delta < 0$ and 0 for $\delta = 0$.

    Source: R. Hartley and A. Zisserman, *Multiple View Geometry in Computer Vision*, 2nd edition, 2003, appendix A6.8.
    """
    bound, residual = both_arrays(delta, r, xp)
    _, s = _slope(bound, residual, xp)
    y = residual * (residual / (1 + s))
    return xp.where(bound < 0, math.inf, xp.where(bound > 0, y, xp.zeros_like(y)))


pseudo_huber.vjp(delta=_pseudo_huber_delta, r=_pseudo_huber_r)
