"""Losses of distances and angles between vectors: what belongs together is drawn together, and the rest apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ops
from .._errors import ShapeError
from ._loss import Loss

if TYPE_CHECKING:
    from .._tensor import Tensor


def _norm(x: Tensor) -> Tensor:
    """Return the Euclidean norm of the last axis, with the derivative 0 at 0."""
    squares = ops.vecdot(x, x)
    positive = squares > 0
    return ops.sqrt(ops.where(positive, squares, 1.0)) * positive.astype(x.dtype)


class _OfVectors(Loss):
    """What losses of vectors along the last axis share."""

    def check(self, *vectors: Tensor) -> None:
        """Raise unless all are vectors of the same shape."""
        first = vectors[0]
        self.floating(first)
        if first.ndim < 1 or any(x.shape != first.shape for x in vectors):
            shapes = ", ".join(str(x.shape) for x in vectors)
            msg = f"{type(self).__name__}: expected vectors of the same shape (..., n), got {shapes}"
            raise ShapeError(msg)

    def per_vector(self, similar: Tensor, x: Tensor) -> Tensor:
        """Return what says which pairs are similar, one number per vector, in the vectors' data type."""
        if similar.shape != x.shape[:-1]:
            msg = f"{type(self).__name__}: vectors {x.shape} need targets {x.shape[:-1]}, got {similar.shape}"
            raise ShapeError(msg)
        return similar.astype(x.dtype)


class Cosine(_OfVectors):
    r"""Distance of directions, vector by vector: $\ell = 1 - \cos(a, b)$, or with targets $y = \pm 1$ as the third
    argument, $\ell = \max(0, \cos(a, b) - m)$ for those that are $-1$.

    Call it with predictions and targets of shape (..., n), or with pairs of vectors and targets of shape (...).

    Parameters
    ----------
    margin
        $m$, the cosine that dissimilar pairs may have.
    eps
        What a norm is at least, so that the cosine of a zero vector is 0.
    reduction
        As in :class:`Loss`, over the vectors.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Cosine()(dc.asarray([[1.0, 0.0]]), dc.asarray([[0.0, 2.0]])).item()
    1.0
    """

    def __init__(self, margin: float = 0.0, *, eps: float = 1e-8, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = margin
        self.eps = eps

    def forward(
        self, prediction: Tensor, target: Tensor, similar: Tensor | None = None, weight: Tensor | None = None
    ) -> Tensor:
        """Return the loss."""
        self.check(prediction, target)
        target = target.astype(prediction.dtype)
        norms = ops.maximum(_norm(prediction), self.eps) * ops.maximum(_norm(target), self.eps)
        cosine = ops.vecdot(prediction, target) / norms
        if similar is None:
            return self.reduced(1 - cosine, weight)
        together = (self.per_vector(similar, prediction) > 0).astype(cosine.dtype)
        apart = ops.relu(cosine - self.margin)
        return self.reduced(together * (1 - cosine) + (1 - together) * apart, weight)


class Contrastive(_OfVectors):
    r"""Contrastive loss of pairs, with $d = \lVert a - b \rVert$: $\ell = \frac12 d^2$ for similar pairs and
    $\frac12 \max(0, m - d)^2$ for the others.

    Call it with two arrays of vectors, of shape (..., n), and with targets of shape (...) that are 1 for similar pairs
    and 0 for the others.

    Parameters
    ----------
    margin
        $m$, the distance that dissimilar pairs are to have.
    reduction
        As in :class:`Loss`, over the pairs.

    References
    ----------
    R. Hadsell, S. Chopra and Y. LeCun, Dimensionality reduction by learning an invariant mapping, CVPR 2006,
    equation 4.

    Notes
    -----
    In the paper $Y = 0$ means similar; here 1 does, as in most data sets.

    Examples
    --------
    >>> import deepcore as dc
    >>> a, b = dc.asarray([[0.0, 0.0], [0.0, 0.0]]), dc.asarray([[0.5, 0.0], [0.5, 0.0]])
    >>> dc.nn.Contrastive(reduction="none")(a, b, dc.asarray([1, 0])).tolist()
    [0.125, 0.125]
    """

    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = margin

    def forward(self, a: Tensor, b: Tensor, similar: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss."""
        self.check(a, b)
        similar = self.per_vector(similar, a)
        difference = a - b
        short = ops.relu(self.margin - _norm(difference))
        losses = similar * ops.vecdot(difference, difference) + (1 - similar) * ops.square(short)
        return self.reduced(losses / 2, weight)

    def describe(self) -> str:
        """Return the margin."""
        return f"margin {self.margin}"


class Triplet(_OfVectors):
    r"""Triplet loss, $\ell = \max(0, d(a, p) - d(a, n) + m)$ for an anchor $a$, a vector $p$ of the same kind and one
    $n$ of another, where $d(x, y) = \lVert x - y + \varepsilon \rVert$.

    Call it with three arrays of vectors, of shape (..., n).

    Parameters
    ----------
    margin
        $m$, how much further the other kind is to be.
    swap
        Whether to use $\min(d(a, n), d(p, n))$ in place of $d(a, n)$.
    eps
        $\varepsilon$, which keeps distances from 0, as in PyTorch.
    reduction
        As in :class:`Loss`, over the triplets.

    References
    ----------
    F. Schroff, D. Kalenichenko and J. Philbin, FaceNet, CVPR 2015, equation 3, there with squared distances;
    V. Balntas et al., Learning local feature descriptors with triplets, BMVC 2016, for ``swap``.

    Examples
    --------
    >>> import deepcore as dc
    >>> a, p, n = dc.asarray([[0.0]]), dc.asarray([[1.0]]), dc.asarray([[1.5]])
    >>> round(dc.nn.Triplet()(a, p, n).item(), 4)
    0.5
    """

    def __init__(self, margin: float = 1.0, *, swap: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = margin
        self.swap = swap
        self.eps = eps

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss."""
        self.check(anchor, positive, negative)
        far = _norm(anchor - negative + self.eps)
        if self.swap:
            far = ops.minimum(far, _norm(positive - negative + self.eps))
        return self.reduced(ops.relu(_norm(anchor - positive + self.eps) - far + self.margin), weight)

    def describe(self) -> str:
        """Return the margin."""
        return f"margin {self.margin}"
