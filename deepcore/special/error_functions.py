r"""The error function, its relatives, and the normal distribution.

One approximation serves the whole right half line: $(1 + 2x)\,e^{x^2} \operatorname{erfc} x$ lies between 1 and 1.13
there, and is a rational function of $t = (x - k)/(x + k) \in [-1, 1)$. Source: M. M. Shepherd and J. G. Laframboise,
Chebyshev approximation of $(1 + 2x) \exp(x^2) \operatorname{erfc} x$ in $0 \le x < \infty$, Math. Comp. 36 (1981).
The inverse follows J. M. Blair, C. A. Edwards and J. H. Johnson, Rational Chebyshev approximations for the inverse of
the error function, Math. Comp. 30 (1976). Derivatives: NIST Digital Library of Mathematical Functions (DLMF), 7.10.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from .._primitive import Sample
from .._record import composite
from ._approximation import exp_square, is_double, numbers, rational

if TYPE_CHECKING:
    from .._typing import Array, Namespace

TWO_OVER_ROOT_PI: Final = 2 / math.sqrt(math.pi)
ROOT_TWO: Final = math.sqrt(2)
LAST: Final = 40.0
"""Beyond it the complementary functions are zero in every data type."""

# erf(x) / x as a function of x^2, for |x| <= 1/2.
ERF: Final = (
    numbers("""
        1.1283791670955126 0.6033774589966047 0.0829166550277388 0.014702218653006785
    """),
    numbers("""
        1.0 0.8680626837073601 0.2628372001592008 0.03764515743927829 0.0023031966871278333
    """),
)
# (1 + 2x) erfcx(x) as a function of t = 1 - 5 / (x + 2.5), for x >= 0.
ERFCX: Final = (
    numbers("""
        1.2648381843668615 -0.28260107501439047 0.820072451710716 0.1769239123927916 0.04224155687272718
        0.1892728464601905 -0.05396554963896996 0.04317905312583999 -0.009146930345534527 0.0027978075632367804
        -0.0002911471851347532 2.443906025711951e-05
    """),
    numbers("""
        1.0 -0.12669155146687733 0.7143960660780139 0.07444399780586705 0.19372474918723323 0.048964381118541664
        0.028661667622720016 0.0077156336583732495 0.0021447195327917203 0.000389621585795152 4.953001181953096e-05
        3.067538138658552e-06
    """),
)
# erfinv(c) / c as a function of (c^2 - 9/32) / (9/32), for |c| <= 3/4.
CENTRE: Final = (
    numbers("""
        0.9640216376238271 -1.2619667044896101 0.6472734012438286 -0.16416318126863774 0.02131538744377854
        -0.0013157439294901301 3.056636401834841e-05 -1.2192626274198818e-07
    """),
    numbers("""
        1.0 -1.406020842705649 0.787326658995338 -0.22327270406959832 0.03365533156404709 -0.0025763270232080815
        8.547444482578938e-05 -7.92958685661244e-07
    """),
)
# erfcinv(q) / w with w = sqrt(-log q): of w - 1 for w <= 3.5, of w - 3.5 beyond it and up to the smallest number.
TAIL: Final = (
    numbers("""
        0.6367161372196166 2.80749799739182 5.444906632847494 6.008602655922489 4.054431583301638 1.6661052967104821
        0.38617052209968866 0.04104356368636636 0.0009983971422369395 -3.62360076621557e-05
    """),
    numbers("""
        1.0 3.8733061639719804 6.8228538286608105 6.9627397089843 4.413631442849465 1.7289705676996974
        0.38923936679677107 0.04098414739335334 0.0009976818520122455 -3.622923496070843e-05
    """),
)
FAR_TAIL: Final = (
    numbers("""
        0.9240864954494911 1.3520959839718567 0.8426116224221328 0.29082941605325646 0.06064232193583449
        0.007846013360873223 0.0006267092337773742 3.0047663145339648e-05 8.211814472353954e-07 1.1742097775148748e-08
        7.541607874452871e-11 1.538649142784705e-13
    """),
    numbers("""
        1.0 1.4284161567944464 0.8736608286537088 0.29733100009189034 0.06139112544300924 0.007893874452229875
        0.0006283633518132056 3.0076652560743385e-05 8.214078260532772e-07 1.1742681923999399e-08
        7.541616821182898e-11 1.5386486999764478e-13
    """),
)


def _scaled(x: Any) -> Any:
    """Return erfcx of what is not negative."""
    return rational(1 - 5 / (x + 2.5), ERFCX) / (1 + 2 * x)


def _tail(x: Any, xp: Namespace) -> Any:
    """Return erfc of what is not negative, in its relative precision."""
    return exp_square(xp.minimum(x, LAST), -1.0, xp) * _scaled(x)


def _upper(x: Any, xp: Namespace) -> Any:
    """Return the upper tail of the normal distribution at what is not negative."""
    return exp_square(xp.minimum(x, LAST), -0.5, xp) * _scaled(x / ROOT_TWO) / 2


def _density(x: Any, scale: float, xp: Namespace) -> Any:
    """Return the Gaussian function, zero where its argument could overflow."""
    return exp_square(xp.minimum(xp.abs(x), LAST), scale, xp)


@composite(Sample(), Sample(low=-5.0, high=5.0))
def erf(xp: Namespace, x: Array, /) -> Any:
    r"""Error function. $y = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2}\,dt$,
    $\bar x = \bar y \frac{2}{\sqrt\pi} e^{-x^2}$.
    """
    a = xp.abs(x)
    inner = xp.where(a < 0.5, x, xp.zeros_like(x))
    outer = xp.maximum(a, 0.5)
    return xp.where(a < 0.5, inner * rational(inner * inner, ERF), xp.sign(x) * (1 - _tail(outer, xp)))


erf.vjp(x=lambda dy, x, xp: dy * (TWO_OVER_ROOT_PI * _density(x, -1.0, xp)))


@composite(Sample(), Sample(low=-5.0, high=5.0))
def erfc(xp: Namespace, x: Array, /) -> Any:
    r"""Complementary error function. $y = 1 - \operatorname{erf} x$, in relative precision however small,
    $\bar x = -\bar y \frac{2}{\sqrt\pi} e^{-x^2}$.
    """
    a = xp.abs(x)
    inner = xp.where(a < 0.5, x, xp.zeros_like(x))
    tail = _tail(xp.maximum(a, 0.5), xp)
    return xp.where(a < 0.5, 1 - inner * rational(inner * inner, ERF), xp.where(x < 0, 2 - tail, tail))


erfc.vjp(x=lambda dy, x, xp: dy * (-TWO_OVER_ROOT_PI * _density(x, -1.0, xp)))


@composite(Sample(), Sample(low=1.0, high=20.0))
def erfcx(xp: Namespace, x: Array, /) -> Any:
    r"""Scaled complementary error function. $y = e^{x^2} \operatorname{erfc} x$, $\bar x = \bar y\,(2xy - 2/\sqrt\pi)$.

    For $x < 0$ it is $2 e^{x^2} - \operatorname{erfcx}(-x)$, and infinite where that is no number of the data type.
    """
    last = 26.628 if is_double(x) else 9.382
    left = exp_square(xp.minimum(xp.maximum(-x, 0.0), last), 1.0, xp)
    y = _scaled(xp.abs(x))
    return xp.where(x < 0, xp.where(x < -last, math.inf + y, 2 * left - y), y)


erfcx.vjp(x=lambda dy, x, y: dy * (2 * x * y - TWO_OVER_ROOT_PI))


def _inverse(q: Any, c: Any, xp: Namespace) -> Any:
    """Return the argument, not negative, at which erfc is q and erf is c = 1 - q."""
    centre = xp.minimum(c, 0.75)
    near = centre * rational((centre * centre) / 0.28125 - 1, CENTRE)
    w = xp.sqrt(-xp.log(xp.where((q > 0) & (q < 0.3), q, 0.3)))
    far = w * xp.where(w < 3.5, rational(xp.minimum(w, 3.5) - 1, TAIL), rational(xp.maximum(w, 3.5) - 3.5, FAR_TAIL))
    inside = xp.where(c <= 0.75, near, far)
    return xp.where(q > 0, inside, xp.where(q == 0, xp.full_like(q, math.inf), math.nan))


@composite(Sample(low=-0.95, high=0.95))
def erfinv(xp: Namespace, x: Array, /) -> Any:
    r"""Inverse of the error function, on $[-1, 1]$. $\bar x = \bar y \frac{\sqrt\pi}{2} e^{y^2}$."""
    return xp.sign(x) * _inverse(1 - xp.abs(x), xp.abs(x), xp)


erfinv.vjp(x=lambda dy, y, xp: dy * (xp.exp(y * y) / TWO_OVER_ROOT_PI))


@composite(Sample(low=0.02, high=1.98))
def erfcinv(xp: Namespace, x: Array, /) -> Any:
    r"""Inverse of the complementary error function, on $[0, 2]$. $\bar x = -\bar y \frac{\sqrt\pi}{2} e^{y^2}$."""
    return xp.sign(1 - x) * _inverse(xp.minimum(x, 2 - x), xp.abs(1 - x), xp)


erfcinv.vjp(x=lambda dy, y, xp: dy * (xp.exp(y * y) / -TWO_OVER_ROOT_PI))


@composite(Sample(), Sample(low=-6.0, high=6.0))
def ndtr(xp: Namespace, x: Array, /) -> Any:
    r"""Distribution function of the standard normal distribution.
    $y = \Phi(x) = \tfrac12 \operatorname{erfc}(-x/\sqrt2)$, $\bar x = \bar y\,e^{-x^2/2} / \sqrt{2\pi}$.
    """
    tail = _upper(xp.abs(x), xp)
    return xp.where(x < 0, tail, 1 - tail)


ndtr.vjp(x=lambda dy, x, xp: dy * (_density(x, -0.5, xp) / math.sqrt(2 * math.pi)))


def _hazard(x: Any, xp: Namespace) -> Any:
    """Return the derivative of log_ndtr, the density over the distribution function."""
    left = math.sqrt(2 / math.pi) / _scaled(xp.maximum(-x, 0.0) / ROOT_TWO)
    right = xp.maximum(x, 0.0)
    return xp.where(x < 0, left, _density(right, -0.5, xp) / (math.sqrt(2 * math.pi) * (1 - _upper(right, xp))))


@composite(Sample(), Sample(low=-20.0, high=6.0))
def log_ndtr(xp: Namespace, x: Array, /) -> Any:
    r"""Logarithm of the normal distribution function, finite far into the tail. $y = \ln \Phi(x)$,
    $\bar x = \bar y\,e^{-x^2/2} / (\sqrt{2\pi}\,\Phi(x))$.

    For $x < 0$ it is $\ln(\tfrac12 \operatorname{erfcx}(-x/\sqrt2)) - x^2/2$, a sum of two negative numbers.
    """
    a = xp.maximum(-x, 0.0)
    # Beyond 1e15 the logarithm is nothing beside the square, and it would be that of 0 at infinity.
    left = xp.log(_scaled(xp.minimum(a, 1e15) / ROOT_TWO) / 2) - a * (a / 2)
    return xp.where(x < 0, left, xp.log1p(-_upper(xp.maximum(x, 0.0), xp)))


log_ndtr.vjp(x=lambda dy, x, xp: dy * _hazard(x, xp))


@composite(Sample(low=0.02, high=0.98))
def ndtri(xp: Namespace, p: Array, /) -> Any:
    r"""Quantile of the standard normal distribution, on $[0, 1]$.
    $y = \Phi^{-1}(p) = -\sqrt2 \operatorname{erfc}^{-1}(2p)$, $\bar p = \bar y \sqrt{2\pi}\,e^{y^2/2}$.
    """
    return -ROOT_TWO * xp.special.erfcinv(2 * p)


ndtri.vjp(p=lambda dy, y, xp: dy * (math.sqrt(2 * math.pi) * xp.exp(y * y / 2)))
