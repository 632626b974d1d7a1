r"""Parts and conjugates of complex numbers.

None of these is holomorphic. With a cotangent that stands for $dL = \operatorname{Re}(\bar y\,dy)$, each rule is what
makes this $\operatorname{Re}(\bar x\,dx)$.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._primitive import Sample
from .._record import primitive

if TYPE_CHECKING:
    from .._typing import Array, Namespace


def is_complex(x: Any) -> bool:
    """Whether an array, raw or a tensor, is complex."""
    return "complex" in str(x.dtype)


def conjugate(x: Any, xp: Namespace) -> Any:
    """Return the conjugate of a complex array, and a real one as it is."""
    return xp.conj(x) if is_complex(x) else x


def direction(x: Any, magnitude: Any, xp: Namespace) -> Any:
    r"""Return $x / |x|$, and 0 for 0: the sign, without the division by 0 that libraries warn of."""
    if not is_complex(x):
        return xp.sign(x)
    return x / xp.where(magnitude == 0, xp.ones_like(magnitude), magnitude)


def adjoint(x: Any, xp: Namespace) -> Any:
    r"""Return the conjugate transpose $X^H$ of matrices."""
    return xp.matrix_transpose(conjugate(x, xp))


@primitive(Sample(complex=True))
def conj(x: Array, /) -> Array:
    r"""Complex conjugate. $y = \operatorname{Re} x - i \operatorname{Im} x$; $\bar x$ is the conjugate of $\bar y$."""
    ...


conj.vjp(x=lambda dy, xp: conjugate(dy, xp))


@primitive(Sample(complex=True))
def real(x: Array, /) -> Array:
    r"""Real part. $y = \operatorname{Re} x$, $\bar x = \bar y$."""
    ...


real.vjp(x=lambda dy: dy)


@primitive(Sample(complex=True))
def imag(x: Array, /) -> Array:
    r"""Imaginary part. $y = \operatorname{Im} x$, $\bar x = -i\,\bar y$."""
    ...


imag.vjp(x=lambda dy: dy * -1j)
