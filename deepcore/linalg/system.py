r"""Inverses, determinants and systems of equations.

Source of the rules: M. B. Giles, Collected matrix derivative results for forward and reverse mode algorithmic
differentiation, *Advances in Automatic Differentiation*, Springer 2008.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .._primitive import Sample
from .._record import primitive
from ..ops.complex_numbers import adjoint, conjugate, is_complex

if TYPE_CHECKING:
    from .._typing import Array, Namespace

DEFINITE: Final = Sample(((3, 3),), structure="positive definite")
STACKED: Final = Sample(((2, 3, 3),), structure="positive definite")


def _by_inverse(dy: Any, x: Any, xp: Namespace) -> Any:
    r"""Return $\bar y X^{-\top}$ for a number $\bar y$ per matrix."""
    return dy[..., None, None] * xp.matrix_transpose(xp.linalg.inv(x))


def _inv(dy: Any, y: Any, xp: Namespace) -> Any:
    t = xp.matrix_transpose(y)
    return -xp.matmul(t, xp.matmul(dy, t))


@primitive(DEFINITE, STACKED)
def inv(x: Array, /) -> Array:
    r"""Inverse. $Y = X^{-1}$, $\bar X = -Y^\top \bar Y Y^\top$."""
    ...


inv.vjp(x=_inv)


@primitive(DEFINITE, STACKED)
def det(x: Array, /) -> Array:
    r"""Determinant. $y = \det X$, $\bar X = \bar y\,y\,X^{-\top}$, for an invertible $X$."""
    ...


det.vjp(x=lambda dy, x, y, xp: _by_inverse(dy * y, x, xp))


class SlogdetResult(NamedTuple):
    """The sign of a determinant, and the logarithm of its magnitude."""

    sign: Array
    logabsdet: Array


@primitive(DEFINITE, STACKED, result=SlogdetResult)
def slogdet(x: Array, /) -> SlogdetResult:
    r"""Sign $s$ of the determinant, and logarithm $\ell$ of its magnitude. $\bar X = \bar\ell X^{-\top}$ and, for a
    complex $X$, also $i \operatorname{Im}(\bar s s)\,X^{-\top}$.
    """
    ...


slogdet.vjp(
    sign=lambda dy, x, sign, xp: _by_inverse(xp.imag(dy * sign) * 1j, x, xp) if is_complex(x) else None,
    logabsdet=lambda dy, x, xp: _by_inverse(dy, x, xp),
)


def _columns(x: Any, rank: int) -> Any:
    """Return right-hand sides as columns: the standard takes one vector, or a stack of matrices."""
    return x[..., None] if rank == 1 else x


def _solve_x1(dy: Any, x1: Any, x2: Any, y: Any, xp: Namespace) -> Any:
    dx2 = xp.linalg.solve(xp.matrix_transpose(x1), _columns(dy, x2.ndim))
    return -xp.matmul(dx2, xp.matrix_transpose(_columns(y, x2.ndim)))


def _solve_x2(dy: Any, x1: Any, x2: Any, xp: Namespace) -> Any:
    dx2 = xp.linalg.solve(xp.matrix_transpose(x1), _columns(dy, x2.ndim))
    return dx2[..., 0] if x2.ndim == 1 else dx2


@primitive(
    Sample(((3, 3), (3,)), structure="positive definite"),
    Sample(((2, 3, 3), (3,)), structure="positive definite"),
    Sample(((3, 3), (3, 2)), structure="positive definite"),
    Sample(((3, 3), (2, 3, 2)), structure="positive definite"),
)
def solve(x1: Array, x2: Array, /) -> Array:
    r"""Solution of $X_1 Y = X_2$. $\bar X_2 = X_1^{-\top} \bar Y$, $\bar X_1 = -\bar X_2 Y^\top$."""
    ...


solve.vjp(x1=_solve_x1, x2=_solve_x2)


def _pinv(dy: Any, x: Any, y: Any, xp: Namespace) -> Any:
    gh, yh = adjoint(conjugate(dy, xp), xp), adjoint(y, xp)
    k = xp.matmul(gh, y)
    kyh = xp.matmul(k, yh)
    dx = kyh - xp.matmul(xp.matmul(x, y), kyh) - adjoint(xp.matmul(y, k), xp)
    return conjugate(dx + xp.matmul(xp.matmul(yh, y), gh - xp.matmul(k, x)), xp)


@primitive(Sample(((3, 2),)), Sample(((2, 3),)), Sample(((2, 3, 3),), structure="positive definite"))
def pinv(x: Array, /, *, rtol: Any = None) -> Array:
    r"""Moore-Penrose inverse, where the rank does not change. $Y = X^+$ and, with $G = \bar Y$ and $K = G^H Y$,
    $\bar X = K Y^H - X Y K Y^H - (Y K)^H + Y^H Y (G^H - K X)$. For a complex $X$, $G$ and the result are conjugated.

    Source: G. H. Golub and V. Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems
    whose variables separate, SIAM J. Numer. Anal. 10, 1973, equation 4.12, transposed.
    """
    ...


pinv.vjp(x=_pinv)


@primitive(Sample(((3, 2),)))
def matrix_rank(x: Array, /, *, rtol: Any = None) -> Array:
    """Rank: the number of singular values above a tolerance."""
    ...


matrix_rank.not_differentiable("a count")
