r"""Eigenvalues and eigenvectors.

Of an eigenvector only the direction is determined (and of a complex one not even its phase), so derivatives mean
something for functions that do not depend on the choice. Where eigenvalues coincide, what depends on the choice of a
basis of their space is given the cotangent 0. $G$ is the cotangent of the result, conjugated if it is complex, as is
$\bar X$ then; $F_{ij} = 1 / (\lambda_j - \lambda_i)$, 0 where $\lambda_i = \lambda_j$; $\circ$ multiplies by elements.

Source of the rules: M. B. Giles, Collected matrix derivative results for forward and reverse mode algorithmic
differentiation, *Advances in Automatic Differentiation*, Springer 2008, section 3.1; for complex matrices C. Boeddeker
et al., On the computation of complex-valued gradients with application to statistically optimum beamforming, 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .._primitive import Sample
from .._record import primitive
from ..ops.complex_numbers import adjoint, conjugate

if TYPE_CHECKING:
    from .._typing import Array, Namespace

HERMITIAN: Final = (
    Sample(((3, 3),), structure="hermitian"),
    Sample(((2, 3, 3),), structure="hermitian"),
)


class EighResult(NamedTuple):
    """Eigenvalues in ascending order, and eigenvectors as the columns of a matrix."""

    eigenvalues: Array
    eigenvectors: Array


class EigResult(NamedTuple):
    """Eigenvalues, and eigenvectors of length 1 as the columns of a matrix."""

    eigenvalues: Array
    eigenvectors: Array


def inverse_gaps(values: Any, xp: Namespace) -> Any:
    r"""Return $F_{ij} = 1 / (\lambda_j - \lambda_i)$, and 0 where the difference is 0."""
    gaps = values[..., None, :] - values[..., :, None]
    same = gaps == 0
    return xp.where(same, xp.zeros_like(gaps), 1 / xp.where(same, xp.ones_like(gaps), gaps))


def _conjugation(core: Any, vectors: Any, xp: Namespace) -> Any:
    r"""Return $V C V^H$, conjugated: the plain form of the cotangent."""
    return conjugate(xp.matmul(xp.matmul(vectors, core), adjoint(vectors, xp)), xp)


def _eigenvalues(dy: Any, vectors: Any, xp: Namespace) -> Any:
    return conjugate(xp.matmul(vectors * dy[..., None, :], adjoint(vectors, xp)), xp)


def _eigenvectors(dy: Any, values: Any, vectors: Any, xp: Namespace) -> Any:
    turns = xp.matmul(adjoint(vectors, xp), conjugate(dy, xp))
    return _conjugation(turns * inverse_gaps(values, xp), vectors, xp)


@primitive(*HERMITIAN, result=EighResult)
def eigh(x: Array, /) -> EighResult:
    r"""Eigenvalues $\lambda$ and eigenvectors $V$ of Hermitian matrices, $X = V \operatorname{diag}(\lambda) V^H$.
    $\bar X = V \bigl(\operatorname{diag}(\bar\lambda) + F \circ V^H G\bigr) V^H$.
    """
    ...


eigh.vjp(
    eigenvalues=lambda dy, eigenvectors, xp: _eigenvalues(dy, eigenvectors, xp),
    eigenvectors=lambda dy, eigenvalues, eigenvectors, xp: _eigenvectors(dy, eigenvalues, eigenvectors, xp),
)


@primitive(*HERMITIAN)
def eigvalsh(x: Array, /) -> Array:
    r"""Eigenvalues of Hermitian matrices, in ascending order. $\bar X = V \operatorname{diag}(\bar\lambda) V^H$."""
    ...


eigvalsh.vjp(x=lambda dy, x, xp: _eigenvalues(dy, xp.linalg.eigh(x)[1], xp))


def _general(core: Any, vectors: Any, xp: Namespace) -> Any:
    r"""Return $V^{-H} C V^H$, conjugated."""
    adjoined = adjoint(vectors, xp)
    return conjugate(xp.linalg.solve(adjoined, xp.matmul(core, adjoined)), xp)


def _general_values(dy: Any, vectors: Any, xp: Namespace) -> Any:
    adjoined = adjoint(vectors, xp)
    return conjugate(xp.linalg.solve(adjoined, xp.conj(dy)[..., None] * adjoined), xp)


def _general_vectors(dy: Any, values: Any, vectors: Any, xp: Namespace) -> Any:
    adjoined, g = adjoint(vectors, xp), xp.conj(dy)
    turns = xp.matmul(adjoined, g)
    # A column keeps its length: what would change it is projected out.
    lengths = xp.real(xp.sum(xp.conj(vectors) * g, axis=-2))
    turns = turns - xp.matmul(adjoined, vectors) * lengths[..., None, :]
    return _general(turns * xp.conj(inverse_gaps(values, xp)), vectors, xp)


@primitive(Sample(((3, 3),)), result=EigResult)
def eig(x: Array, /) -> EigResult:
    r"""Eigenvalues $\lambda$ and eigenvectors $V$, which are complex, $X V = V \operatorname{diag}(\lambda)$.
    $\bar X = V^{-H} \bigl(\operatorname{diag}(\bar\lambda) + F^* \circ
    (V^H G - V^H V \operatorname{diag}(\operatorname{Re} V^H G))\bigr) V^H$.
    """
    ...


eig.vjp(
    eigenvalues=lambda dy, eigenvectors, xp: _general_values(dy, eigenvectors, xp),
    eigenvectors=lambda dy, eigenvalues, eigenvectors, xp: _general_vectors(dy, eigenvalues, eigenvectors, xp),
)


@primitive(Sample(((3, 3),)))
def eigvals(x: Array, /) -> Array:
    r"""Eigenvalues, which are complex. $\bar X = V^{-H} \operatorname{diag}(\bar\lambda) V^H$."""
    ...


eigvals.vjp(x=lambda dy, x, xp: _general_values(dy, xp.linalg.eig(x)[1], xp))
