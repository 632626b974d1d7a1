r"""Modified Bessel functions of the orders 0 and 1, and the same without their exponential growth or decay.

Up to $x = 8$ the first kind is a polynomial in $x^2 / 4$ (the power series, DLMF 10.25.2, economised); beyond it,
$\sqrt{x}\,e^{-x} I_\nu(x)$ is one in $1/x$. The second kind is split at 1 likewise, with the logarithm of DLMF 10.31
below. Source: NIST Digital Library of Mathematical Functions (DLMF), chapter 10; Abramowitz and Stegun, 9.8.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from .._primitive import Sample
from .._record import composite
from ._approximation import Polynomial, horner, is_double, numbers

if TYPE_CHECKING:
    from .._typing import Array, Namespace

SAMPLES: Final = (Sample(low=-5.0, high=5.0, kinks=(0.0,)), Sample(low=8.2, high=20.0))
POSITIVE: Final = (Sample(low=0.2, high=0.95), Sample(low=1.05, high=12.0))

# I0(x) and 2 I1(x) / x as functions of x^2 / 4, for |x| <= 8.
I0: Final = numbers("""
    1.0 1.0 0.2500000000000001 0.027777777777777565 0.0017361111111113758 6.944444444424399e-05 1.9290123457790406e-06
    3.936759885673581e-08 6.151187413177668e-10 7.594056846699174e-12 7.594079950279469e-14 6.275862820937522e-16
    4.3600362269175774e-18 2.5698743857514957e-20 1.35095827969477e-22 4.940670282542572e-25 3.6454386812677436e-27
""")
I1: Final = numbers("""
    1.0 0.5 0.08333333333333334 0.006944444444444433 0.0003472222222222366 1.1574074074063174e-05
    2.755731922452985e-07 4.920949859540306e-09 6.834652632309533e-11 7.594057567711265e-13 6.903701192957936e-15
    5.22994881944532e-17 3.3535043207335216e-19 1.837156865691237e-21 8.963806609001204e-24 3.1590697545594773e-26
    2.0903513298308396e-28
""")
# sqrt(x) exp(-x) I(x) as functions of 16 / x - 1, for x >= 8.
I0_LARGE: Final = numbers("""
    0.4021765094450081 0.0033605519836677235 0.00013621607439187193 1.1143033802583682e-05 1.4838475863096976e-06
    2.9735956581528157e-07 8.872154618944625e-08 3.932926571091252e-08 2.155681110989874e-08 7.532386417555123e-09
    -6.805980075129678e-09 -1.331979859201994e-08 -5.162517880939013e-09 7.323310735122893e-09 6.789790403895736e-09
    -3.11851456121224e-09 -4.8482509221176966e-09 1.0924527246468664e-09 2.3981927228949238e-09 -2.748111637276033e-10
    -7.473844621887592e-10 3.525321019700796e-11 1.0881994785468934e-10
""")
I1_LARGE: Final = numbers("""
    0.38939845902587233 -0.009749577193235609 -0.000219235763833829 -1.503854721127423e-05 -1.8349101539664522e-06
    -3.483853071371078e-07 -1.0001220638799958e-07 -4.31323156237458e-08 -2.3382691353601083e-08
    -8.407326839577817e-09 6.795073490187386e-09 1.3952625102162603e-08 5.722677527454156e-09 -7.432535335623792e-09
    -7.222524178953976e-09 3.0717395650769477e-09 5.094016301574338e-09 -1.0476127785270019e-09
    -2.5062162405593894e-09 2.582169443152386e-10 7.79067217908059e-10 -3.2677656089803323e-11 -1.13288885034257e-10
""")
# With z = x^2 / 4: (K0(x) + (log(x / 2) + EULER) I0(x)) / z and (x K1(x) - 1 - x log(x / 2) I1(x)) / z, for x <= 1.
K0: Final = numbers("""
    1.0 0.3749999999999997 0.05092592592593354 0.003616898148070007 0.00015856481521635274 4.7260790884044505e-06
    1.0207652189425458e-07 1.6698714091771586e-09 2.2506986599265858e-11
""")
K1: Final = numbers("""
    0.15443132980306573 -0.6727843350984671 -0.1815751669608552 -0.019182189839336106 -0.0011153594919305174
    -4.142247702703162e-05 -1.0715456092277125e-06 -2.0453287949503006e-08 -2.998424669071998e-10
    -3.665214307982683e-12
""")
# sqrt(x) exp(x) K(x) as functions of 2 / x - 1, for x >= 1.
K0_LARGE: Final = numbers("""
    1.1901571834152027 -0.052279011491757725 0.00806738654837305 -0.001908401486269694 0.000569239888366278
    -0.00019727982079533474 7.60826586872693e-05 -3.181480152304441e-05 1.4181619279320194e-05 -6.659047157413486e-06
    3.2657081091197895e-06 -1.664944788202783e-06 8.75367048601019e-07 -4.5394544923949864e-07 2.4803459487907093e-07
    -2.2309983704181068e-07 1.4110088181777434e-07 1.7851523405193216e-07 -1.3937183019174966e-07
    -5.241853206114321e-07 3.857384659104005e-07 8.099886275413924e-07 -6.000630201385764e-07 -9.564853562635423e-07
    7.070095581823978e-07 7.84461006067369e-07 -5.797428092167697e-07 -4.351721536213342e-07 3.212055673136908e-07
    1.4559671833895107e-07 -1.0734767490754374e-07 -2.2835480422161667e-08 1.6792397679087016e-08
""")
K1_LARGE: Final = numbers("""
    1.4615569735231244 0.18797890654571858 -0.015852854565984353 0.0031120066456191077 -0.0008443927413966987
    0.00027603884016663954 -0.00010227195293082038 4.1523154816670675e-05 -1.8092808869088045e-05
    8.342609074656925e-06 -4.030801508600731e-06 2.029071220403118e-06 -1.055441514017276e-06 5.443959347486361e-07
    -2.953456974023299e-07 2.556810300834594e-07 -1.6025359613840637e-07 -1.8988011820883495e-07 1.48921791812072e-07
    5.702228070435795e-07 -4.1894053362228836e-07 -8.790090957089501e-07 6.504853421077993e-07 1.0387668502547699e-06
    -7.66905058454063e-07 -8.519750131784341e-07 6.288929485561381e-07 4.7280662681790407e-07 -3.4856215104332887e-07
    -1.5824018686082358e-07 1.165275983267175e-07 2.4838427928684185e-08 -1.8242185729826657e-08
""")
EULER: Final = 0.5772156649015329


def _first(x: Any, series: Polynomial, large: Polynomial, xp: Namespace, *, scaled: bool) -> Any:
    r"""Return $I_\nu(|x|)$ without its factor $x/2$ below 8, times $e^{-|x|}$ if scaled."""
    a = xp.abs(x)
    small = xp.minimum(a, 8.0)
    inner = horner(small * small / 4, series)
    last = math.inf if scaled else 713.986 if is_double(x) else 91.9
    big = xp.minimum(xp.maximum(a, 8.0), last)
    outer = horner(16 / big - 1, large) / xp.sqrt(big)
    if scaled:
        return xp.where(a < 8, xp.exp(-small) * inner, outer)
    half = xp.exp(big / 2)  # in two halves, of which none overflows
    return xp.where(a < 8, inner, xp.where(a > last, math.inf, half * outer * half))


def _odd(x: Any, xp: Namespace, *, scaled: bool) -> Any:
    y = _first(x, I1, I1_LARGE, xp, scaled=scaled)
    return y * xp.where(xp.abs(x) < 8, x / 2, xp.sign(x))


def _ratio(y: Any, x: Any, xp: Namespace) -> Any:
    """Return y / x, and at 0 the limit one half, for a function that begins as x / 2."""
    return xp.where(x == 0, 0.5, y / xp.where(x == 0, xp.ones_like(x), x))


@composite(*SAMPLES)
def i0(xp: Namespace, x: Array, /) -> Any:
    r"""Modified Bessel function of the first kind and order 0. $y = I_0(x)$, $\bar x = \bar y\,I_1(x)$."""
    return _first(x, I0, I0_LARGE, xp, scaled=False)


i0.vjp(x=lambda dy, x, xp: dy * xp.special.i1(x))


@composite(*SAMPLES)
def i0e(xp: Namespace, x: Array, /) -> Any:
    r"""Exponentially scaled $I_0$. $y = e^{-|x|} I_0(x)$,
    $\bar x = \bar y\,(e^{-|x|} I_1(x) - y \operatorname{sign} x)$.
    """
    return _first(x, I0, I0_LARGE, xp, scaled=True)


i0e.vjp(x=lambda dy, x, y, xp: dy * (xp.special.i1e(x) - xp.sign(x) * y))


@composite(*SAMPLES)
def i1(xp: Namespace, x: Array, /) -> Any:
    r"""Modified Bessel function of the first kind and order 1. $y = I_1(x)$, $\bar x = \bar y\,(I_0(x) - y / x)$."""
    return _odd(x, xp, scaled=False)


i1.vjp(x=lambda dy, x, y, xp: dy * (xp.special.i0(x) - _ratio(y, x, xp)))


@composite(*SAMPLES)
def i1e(xp: Namespace, x: Array, /) -> Any:
    r"""Exponentially scaled $I_1$. $y = e^{-|x|} I_1(x)$,
    $\bar x = \bar y\,(e^{-|x|} I_0(x) - y \operatorname{sign} x - y / x)$.
    """
    return _odd(x, xp, scaled=True)


i1e.vjp(x=lambda dy, x, y, xp: dy * (xp.special.i0e(x) - xp.sign(x) * y - _ratio(y, x, xp)))


def _second(x: Any, near: Any, large: Polynomial, xp: Namespace, *, scaled: bool) -> Any:
    r"""Return $K_\nu(x)$, times $e^x$ if scaled, given it for what is between 0 and 1."""
    small = xp.minimum(xp.where(x > 0, x, 1.0), 1.0)
    inner = near(small)
    big = xp.maximum(x, 1.0)
    outer = horner(2 / big - 1, large) / xp.sqrt(big)
    inner, outer = (xp.exp(small) * inner, outer) if scaled else (inner, xp.exp(-big) * outer)
    y = xp.where(x < 1, inner, outer)
    return xp.where(x > 0, y, xp.where(x == 0, xp.full_like(y, math.inf), math.nan))


def _k0(xp: Namespace, x: Any, *, scaled: bool) -> Any:
    def near(x: Any) -> Any:
        z = x * x / 4
        return z * horner(z, K0) - (xp.log(x / 2) + EULER) * horner(z, I0)

    return _second(x, near, K0_LARGE, xp, scaled=scaled)


def _k1(xp: Namespace, x: Any, *, scaled: bool) -> Any:
    def near(x: Any) -> Any:
        z = x * x / 4
        return (1 + z * (horner(z, K1) + 2 * xp.log(x / 2) * horner(z, I1))) / x

    return _second(x, near, K1_LARGE, xp, scaled=scaled)


@composite(*POSITIVE)
def k0(xp: Namespace, x: Array, /) -> Any:
    r"""Modified Bessel function of the second kind and order 0, for $x > 0$. $y = K_0(x)$,
    $\bar x = -\bar y\,K_1(x)$.
    """
    return _k0(xp, x, scaled=False)


k0.vjp(x=lambda dy, x, xp: -dy * xp.special.k1(x))


@composite(*POSITIVE)
def k0e(xp: Namespace, x: Array, /) -> Any:
    r"""Exponentially scaled $K_0$. $y = e^x K_0(x)$, $\bar x = \bar y\,(y - e^x K_1(x))$."""
    return _k0(xp, x, scaled=True)


k0e.vjp(x=lambda dy, x, y, xp: dy * (y - xp.special.k1e(x)))


@composite(*POSITIVE)
def k1(xp: Namespace, x: Array, /) -> Any:
    r"""Modified Bessel function of the second kind and order 1, for $x > 0$. $y = K_1(x)$,
    $\bar x = -\bar y\,(K_0(x) + y / x)$.
    """
    return _k1(xp, x, scaled=False)


k1.vjp(x=lambda dy, x, y, xp: -dy * (xp.special.k0(x) + y / x))


@composite(*POSITIVE)
def k1e(xp: Namespace, x: Array, /) -> Any:
    r"""Exponentially scaled $K_1$. $y = e^x K_1(x)$, $\bar x = \bar y\,(y - e^x K_0(x) - y / x)$."""
    return _k1(xp, x, scaled=True)


k1e.vjp(x=lambda dy, x, y, xp: dy * (y - xp.special.k0e(x) - y / x))
