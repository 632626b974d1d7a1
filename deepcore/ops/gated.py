r"""Activation functions that are the argument times a gate: $x\,g(x)$, or one half of it times a gate of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._errors import ShapeError
from .._primitive import Sample
from .._record import composite, kernel

if TYPE_CHECKING:
    from .._typing import Array, Namespace

HALVES: Final = (Sample(((3, 4),)), Sample(((4, 2),), parameters={"axis": 0}))

INVERSE_ROOT_TWO_PI: Final = 0.3989422804014327

# GELU's tanh of u is 2 sigmoid(2u) - 1, and 2u = x (LINEAR + CUBIC x^2) with sqrt(8 / pi) and 0.044715 of it.
GELU_LINEAR: Final = 1.5957691216057308
GELU_CUBIC: Final = 0.07135481627260025


@composite(Sample(low=-4.0, high=4.0, kinks=(-3.0, 3.0)))
def hard_swish(xp: Namespace, x: Array, /) -> Any:
    r"""Parabola in place of :func:`silu`. $y = x \min(\max(x + 3, 0), 6) / 6$; $\bar x = \bar y\,(2x + 3) / 6$ where
    $|x| < 3$, else 0 on the left and $\bar y$ on the right.

    Source: A. Howard et al., Searching for MobileNetV3, ICCV 2019, section 5.2.
    """
    return x * xp.clip(x + 3, 0, 6) / 6


def _hard_swish(dy: Any, x: Any, xp: Namespace) -> Any:
    inside = xp.astype(xp.abs(x) < 3, dy.dtype)
    return dy * ((xp.clip(x + 3, 0, 6) + x * inside) / 6)


hard_swish.vjp(x=_hard_swish)


@kernel
def silu_vjp(xp: Namespace, dy: Any, x: Any) -> Any:
    """Return the cotangent of a SiLU's operand."""
    s = xp.sigmoid(x)
    return dy * (s * (1 + x * (1 - s)))


@composite(Sample())
def silu(xp: Namespace, x: Array, /) -> Any:
    r"""Sigmoid linear unit, or swish. $y = x\,\sigma(x)$, $\bar x = \bar y\,\sigma(x) (1 + x (1 - \sigma(x)))$.

    Source: S. Elfwing, E. Uchibe and K. Doya, Sigmoid-weighted linear units, Neural Networks 107, 2018, equation 5;
    P. Ramachandran, B. Zoph and Q. V. Le, Searching for activation functions, arXiv:1710.05941, 2017.
    """
    return x * xp.sigmoid(x)


silu.vjp(x=lambda dy, x, xp: xp.silu_vjp(dy, x))


def _mish_parts(x: Any, xp: Namespace) -> tuple[Any, Any, Any, Any]:
    r"""Return $p$, $q$, and the numerator and denominator of $\tanh(\ln(1 + e^x))$ in terms of them.

    With $e^x = p / q$, one of which is 1 and the other less, nothing overflows and nothing cancels.
    """
    p, q = xp.exp(xp.minimum(x, 0)), xp.exp(-xp.maximum(x, 0))
    n = p * (p + 2 * q)
    return p, q, n, n + 2 * (q * q)


@composite(Sample())
def mish(xp: Namespace, x: Array, /) -> Any:
    r"""Argument times the tanh of its softplus. $y = x t$ with $t = \tanh \ln(1 + e^x)$, $\bar x = \bar y\,(t +
    x\,\sigma(x) (1 - t^2))$.

    Computed from $t = \frac{p (p + 2q)}{p (p + 2q) + 2 q^2}$ with $p = e^{\min(x, 0)}$ and $q = e^{-\max(x, 0)}$.

    Source: D. Misra, Mish: a self regularized non-monotonic activation function, BMVC 2020, equation 1.
    """
    _, _, n, d = _mish_parts(x, xp)
    return x * (n / d)


def _mish(dy: Any, x: Any, xp: Namespace) -> Any:
    p, q, n, d = _mish_parts(x, xp)
    return dy * ((n + x * (4 * p * (p + q) * (q * q)) / d) / d)


mish.vjp(x=_mish)


@kernel
def gelu_vjp(xp: Namespace, dy: Any, x: Any) -> Any:
    """Return the cotangent of a GELU's operand."""
    return dy * (xp.special.ndtr(x) + x * (xp.exp(x * x * -0.5) * INVERSE_ROOT_TWO_PI))


@composite(Sample(), Sample(low=-8.0, high=8.0))
def gelu(xp: Namespace, x: Array, /) -> Any:
    r"""Gaussian error linear unit. $y = x\,\Phi(x)$ with the normal distribution function $\Phi(x) = \frac12 (1 +
    \operatorname{erf} \frac{x}{\sqrt2})$, $\bar x = \bar y\,\bigl(\Phi(x) + x e^{-x^2/2} / \sqrt{2\pi}\bigr)$.

    Source: D. Hendrycks and K. Gimpel, Gaussian error linear units, arXiv:1606.08415, 2016, section 2.
    """
    return x * xp.special.ndtr(x)


gelu.vjp(x=lambda dy, x, xp: xp.gelu_vjp(dy, x))


@kernel
def gelu_tanh_vjp(xp: Namespace, dy: Any, x: Any) -> Any:
    """Return the cotangent of the operand of the approximation of a GELU."""
    xx = x * x
    s = xp.sigmoid(x * (GELU_LINEAR + GELU_CUBIC * xx))
    return dy * (s * (1 + x * (1 - s) * (GELU_LINEAR + 3 * GELU_CUBIC * xx)))


@composite(Sample())
def gelu_tanh(xp: Namespace, x: Array, /) -> Any:
    r"""Approximation of :func:`gelu`. $y = \frac x2 (1 + \tanh u) = x\,\sigma(2u)$ with $u =
    \sqrt{2 / \pi}\,(x + 0.044715\,x^3)$, $\bar x = \bar y\,\sigma(2u) \bigl(1 + 2 x (1 - \sigma(2u))\,u'\bigr)$.

    Source: D. Hendrycks and K. Gimpel, Gaussian error linear units, arXiv:1606.08415, 2016, section 2.
    """
    return x * xp.sigmoid(x * (GELU_LINEAR + GELU_CUBIC * (x * x)))


gelu_tanh.vjp(x=lambda dy, x, xp: xp.gelu_tanh_vjp(dy, x))


def _halves(x: Any, axis: int, name: str) -> tuple[Any, Any]:
    n, ndim = x.shape[axis] if -x.ndim <= axis < x.ndim else 1, x.ndim
    if n % 2:
        msg = f"{name}: an axis of even length is split into values and gates; axis {axis} of {tuple(x.shape)} is not"
        raise ShapeError(msg)
    lead = (slice(None),) * (axis % ndim)
    return x[(*lead, slice(None, n // 2), ...)], x[(*lead, slice(n // 2, None), ...)]


def _glu(dy: Any, x: Any, axis: int, xp: Namespace) -> Any:
    a, b = _halves(x, axis, "glu")
    s = xp.sigmoid(b)
    da = dy * s
    return xp.concat([da, da * (a * (1 - s))], axis=axis)


@composite(*HALVES)
def glu(xp: Namespace, x: Array, /, *, axis: int = -1) -> Any:
    r"""Gated linear unit. $x$ is split along an axis into $(a, b)$, and $y = a \odot \sigma(b)$; $\bar a = \bar y\,
    \sigma(b)$, $\bar b = \bar y\,a\,\sigma(b) (1 - \sigma(b))$.

    Source: Y. N. Dauphin et al., Language modeling with gated convolutional networks, ICML 2017, equation 1.
    """
    a, b = _halves(x, axis, "glu")
    return a * xp.sigmoid(b)


glu.vjp(x=_glu)


def _swiglu(dy: Any, x: Any, axis: int, xp: Namespace) -> Any:
    a, b = _halves(x, axis, "swiglu")
    s = xp.sigmoid(b)
    ds = dy * s
    return xp.concat([ds * b, ds * (a * (1 + b * (1 - s)))], axis=axis)


@composite(*HALVES)
def swiglu(xp: Namespace, x: Array, /, *, axis: int = -1) -> Any:
    r"""Gated linear unit with the gate of :func:`silu`. $x$ is split along an axis into $(a, b)$, and $y = a \odot
    b\,\sigma(b)$; $\bar a = \bar y\,b\,\sigma(b)$, $\bar b = \bar y\,a\,\sigma(b) (1 + b (1 - \sigma(b)))$.

    Source: N. Shazeer, GLU variants improve transformer, arXiv:2002.05202, 2020, equation 5.
    """
    a, b = _halves(x, axis, "swiglu")
    return a * (b * xp.sigmoid(b))


swiglu.vjp(x=_swiglu)
