r"""Factorizations: Cholesky, QR, and singular values.

$G$ is the cotangent of a factor, conjugated if it is complex, as is $\bar X$ then.

Source of the rules: I. Murray, Differentiation of the Cholesky decomposition, 2016; H. Liao et al., Differentiable
programming tensor networks, Phys. Rev. X 9, 2019 (QR); J. Townsend, Differentiating the singular value decomposition,
2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from .._backend import place
from .._errors import GradientError
from .._primitive import Sample
from .._record import primitive
from ..ops.complex_numbers import adjoint, conjugate, is_complex
from .eigen import inverse_gaps

if TYPE_CHECKING:
    from .._typing import Array, Namespace, Shape

DEFINITE: Final = ((3, 3),)


def _half_diagonal(x: Any, xp: Namespace) -> Any:
    """Return matrices with their diagonals halved."""
    return x * (1 - xp.eye(x.shape[-1], dtype=x.dtype, device=place(x)) / 2)


def _cholesky(dy: Any, y: Any, upper: bool, xp: Namespace) -> Any:
    factor, g = (adjoint(y, xp), adjoint(conjugate(dy, xp), xp)) if upper else (y, conjugate(dy, xp))
    core = _half_diagonal(xp.tril(xp.matmul(adjoint(factor, xp), g)), xp)
    inverse = xp.linalg.inv(factor)
    half = xp.matmul(adjoint(inverse, xp), xp.matmul(core, inverse))
    return conjugate((half + adjoint(half, xp)) / 2, xp)


@primitive(
    Sample(DEFINITE, structure="positive definite"),
    Sample(((2, 3, 3),), structure="positive definite", parameters={"upper": True}),
)
def cholesky(x: Array, /, *, upper: bool = False) -> Array:
    r"""Cholesky factor of positive definite matrices, $X = L L^H$, or $U = L^H$. With
    $S = L^{-H} \Phi(L^H G) L^{-1}$, where $\Phi$ takes the lower triangle with half the diagonal,
    $\bar X = \tfrac12 (S + S^H)$.
    """
    ...


cholesky.vjp(x=_cholesky)


class QRResult(NamedTuple):
    """A matrix with orthonormal columns, and an upper triangular one."""

    Q: Array
    R: Array


def _square_qr(g_q: Any, g_r: Any, q: Any, r: Any, xp: Namespace) -> Any:
    """Return the cotangent of a matrix that is not wide; either of the factors' cotangents may be None."""
    core = 0 if g_r is None else xp.matmul(g_r, adjoint(r, xp))
    core = core if g_q is None else core - xp.matmul(adjoint(q, xp), g_q)
    core = xp.triu(core)
    both = core + adjoint(core, xp)
    dx = xp.matmul(q, _half_diagonal(both, xp))
    dx = dx if g_q is None else dx + g_q
    # dx R^{-H}, by solving with R from the left
    return adjoint(xp.linalg.solve(r, adjoint(dx, xp)), xp)


def _qr(g_q: Any, g_r: Any, x: Any, q: Any, r: Any, mode: str, xp: Namespace) -> Any:
    m, n = x.shape[-2:]
    if m > n and mode == "complete":
        msg = (
            f"linalg.qr: mode='complete' of a {m}x{n} matrix completes Q by columns that are not determined, so it has "
            "no derivative; use mode='reduced'"
        )
        raise GradientError(msg)
    g_q, g_r = (None if g is None else conjugate(g, xp) for g in (g_q, g_r))
    if m >= n:
        return conjugate(_square_qr(g_q, g_r, q, r, xp), xp)
    # A wide matrix is [X1 X2] = Q [R1 R2]: Q and R1 are those of X1, and R2 = Q^H X2.
    left, right = None if g_r is None else g_r[..., :m], None
    if g_r is not None:
        right = xp.matmul(q, g_r[..., m:])
        g_q = xp.matmul(x[..., m:], adjoint(g_r[..., m:], xp))
    dx = _square_qr(g_q, left, q, r[..., :m], xp)
    return conjugate(xp.concat([dx, xp.zeros_like(x[..., m:]) if right is None else right], axis=-1), xp)


@primitive(Sample(((3, 3),)), Sample(((2, 4, 3),)), Sample(((2, 3),)), result=QRResult)
def qr(x: Array, /, *, mode: Literal["reduced", "complete"] = "reduced") -> QRResult:
    r"""Orthogonal and triangular factor, $X = QR$. With $M = G_R R^H - Q^H G_Q$ and $\Psi$, which makes an upper
    triangle Hermitian, $\bar X = \bigl(G_Q + Q\,\Psi(M)\bigr) R^{-H}$ for a matrix that is not wide. Of a wide one
    $[X_1 X_2] = Q [R_1 R_2]$ this holds for $X_1$, to whose $G_Q$ is added $X_2 G_{R_2}^H$, and
    $\bar X_2 = Q G_{R_2}$.
    """
    ...


qr.vjp(
    Q=lambda dy, x, Q, R, mode, xp: _qr(dy, None, x, Q, R, mode, xp),
    R=lambda dy, x, Q, R, mode, xp: _qr(None, dy, x, Q, R, mode, xp),
)


class SVDResult(NamedTuple):
    """Left singular vectors as columns, singular values in descending order, right singular vectors as rows."""

    U: Array
    S: Array
    Vh: Array


def _thin(shape: Shape, full_matrices: bool) -> None:
    if full_matrices and shape[-2] != shape[-1]:
        msg = (
            f"linalg.svd: full_matrices=True of a {shape[-2]}x{shape[-1]} matrix adds singular vectors that are not "
            "determined, so U and Vh have no derivative; use full_matrices=False"
        )
        raise GradientError(msg)


def _reciprocal(s: Any, xp: Namespace) -> Any:
    """Return 1/s, and 0 for 0."""
    return xp.where(s == 0, xp.zeros_like(s), 1 / xp.where(s == 0, xp.ones_like(s), s))


def _off_range(g: Any, u: Any, xp: Namespace) -> Any:
    """Return the part of columns that is orthogonal to those of u."""
    return g - xp.matmul(u, xp.matmul(adjoint(u, xp), g))


def _svd_u(dy: Any, u: Any, s: Any, vh: Any, xp: Namespace) -> Any:
    g = conjugate(dy, xp)
    turns = xp.matmul(adjoint(u, xp), g)
    skew = turns - adjoint(turns, xp)
    core = skew * inverse_gaps(s * s, xp) * s[..., None, :]
    if is_complex(skew):  # the phases of the vectors
        core = core + skew * xp.eye(s.shape[-1], dtype=s.dtype, device=place(s)) * (_reciprocal(s, xp)[..., None] / 2)
    dx = xp.matmul(u, core)
    if u.shape[-2] > u.shape[-1]:
        dx = dx + _off_range(g, u, xp) * _reciprocal(s, xp)[..., None, :]
    return conjugate(xp.matmul(dx, vh), xp)


def _svd_s(dy: Any, u: Any, vh: Any, xp: Namespace) -> Any:
    k = dy.shape[-1]
    return conjugate(xp.matmul(u[..., :k] * dy[..., None, :], vh[..., :k, :]), xp)


def _svd_vh(dy: Any, u: Any, s: Any, vh: Any, xp: Namespace) -> Any:
    v, g = adjoint(vh, xp), adjoint(conjugate(dy, xp), xp)
    turns = xp.matmul(vh, g)
    core = (turns - adjoint(turns, xp)) * inverse_gaps(s * s, xp) * s[..., :, None]
    dx = xp.matmul(core, vh)
    if v.shape[-2] > v.shape[-1]:
        dx = dx + adjoint(_off_range(g, v, xp), xp) * _reciprocal(s, xp)[..., :, None]
    return conjugate(xp.matmul(u, dx), xp)


def _svd_vectors(rule: Any, dy: Any, factors: tuple[Any, Any, Any], full_matrices: bool, xp: Namespace) -> Any:
    u, s, vh = factors
    _thin((u.shape[-2], vh.shape[-1]), full_matrices)
    return rule(dy, u, s, vh, xp)


@primitive(
    Sample(((3, 3),)),
    Sample(((2, 4, 3),), parameters={"full_matrices": False}),
    Sample(((2, 3),), parameters={"full_matrices": False}),
    result=SVDResult,
)
def svd(x: Array, /, *, full_matrices: bool = True) -> SVDResult:
    r"""Singular value decomposition, $X = U \operatorname{diag}(s)\,V^H$. With $F_{ij} = 1 / (s_j^2 - s_i^2)$,
    $S = \operatorname{diag}(s)$ and $\operatorname{skew} M = M - M^H$,
    $\bar X = U \bigl[(F \circ \operatorname{skew} U^H G_U) S + \operatorname{diag}(\bar s)
    + S (F \circ \operatorname{skew} V^H G_V)\bigr] V^H + (I - U U^H) G_U S^{-1} V^H + U S^{-1} G_V^H (I - V V^H)$.
    """
    ...


svd.vjp(
    U=lambda dy, U, S, Vh, full_matrices, xp: _svd_vectors(_svd_u, dy, (U, S, Vh), full_matrices, xp),
    S=lambda dy, U, Vh, xp: _svd_s(dy, U, Vh, xp),
    Vh=lambda dy, U, S, Vh, full_matrices, xp: _svd_vectors(_svd_vh, dy, (U, S, Vh), full_matrices, xp),
)


def _svdvals(dy: Any, x: Any, xp: Namespace) -> Any:
    u, _, vh = xp.linalg.svd(x, full_matrices=False)
    return _svd_s(dy, u, vh, xp)


@primitive(Sample(((3, 3),)), Sample(((2, 4, 3),)), Sample(((2, 3),)))
def svdvals(x: Array, /) -> Array:
    r"""Singular values, in descending order. $\bar X = U \operatorname{diag}(\bar s)\,V^H$."""
    ...


svdvals.vjp(x=_svdvals)
