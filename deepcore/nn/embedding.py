"""Embeddings: vectors that are learned for each of a number of things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from .. import ops
from .._dtype import int32
from .._errors import BoundsError, ConfigError, DTypeError, ShapeError
from .._tape import no_grad
from ._module import Module
from ._parameter import Parameter
from ._values import can_be_read
from .initializers import initial, normal

if TYPE_CHECKING:
    from .._tensor import Tensor
    from ..random import Generator
    from .initializers import Initializer

STANDARD_NORMAL: Final = normal(std=1.0)


class Embedding(Module):
    r"""Rows of a table by their numbers, $y_i = W_{t_i}$; $\bar W_t = \sum_{i: t_i = t} \bar y_i$.

    It is a dense layer without bias of one-hot vectors, without the zeros.

    Parameters
    ----------
    num_embeddings
        The number of rows, $n$: of words, for example.
    embedding_dim
        The length of a row, $d$.
    padding_idx
        A row that stands for nothing: it begins at 0 and is not learned. A negative number counts from the end.
    initializer
        How $W$ begins: a function of the shape and a generator, or its name. By default, as in PyTorch, its entries are
        normal with variance 1.
    generator
        The source of the initial rows; the default one, if not given.

    Attributes
    ----------
    weight
        $W$, of shape (n, d).

    Raises
    ------
    DTypeError
        When called on numbers that are not whole.
    BoundsError
        When called on a number that is not from 0 to $n - 1$. On a device that is not the host this is left to the
        array library, because reading a value would be a transfer.

    Notes
    -----
    The input has any shape (...), and the result shape (..., d). The gradients of a row that occurs several times are
    added in a fixed order, so that two runs give the same numbers.

    References
    ----------
    Y. Bengio et al., A neural probabilistic language model, JMLR 3, 2003, section 2.

    Examples
    --------
    >>> import deepcore as dc
    >>> layer = dc.nn.Embedding.from_rows(dc.asarray([[0.0, 1.0], [2.0, 3.0]]))
    >>> layer(dc.asarray([1, 0, 1])).tolist()
    [[2.0, 3.0], [0.0, 1.0], [2.0, 3.0]]
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        padding_idx: int | None = None,
        initializer: str | Initializer = STANDARD_NORMAL,
        generator: Generator | None = None,
    ) -> None:
        if num_embeddings < 1 or embedding_dim < 1:
            found = f"{num_embeddings} and {embedding_dim}"
            msg = f"{type(self).__name__}: the number of rows and their length are at least 1, not {found}"
            raise ConfigError(msg)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            msg = f"{type(self).__name__}: there is no row {padding_idx} among {num_embeddings}, for padding_idx"
            raise ConfigError(msg)
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        rows = initial(initializer, (num_embeddings, embedding_dim), generator)
        if self.padding_idx is not None:
            with no_grad():
                rows[self.padding_idx] = 0.0
        self.weight = Parameter(rows)

    @classmethod
    def from_rows(cls, rows: Tensor, *, padding_idx: int | None = None, frozen: bool = False) -> Self:
        """Return an embedding that begins with given rows, such as word vectors; ``frozen`` ones are not learned."""
        if rows.ndim != 2:
            msg = f"{cls.__name__}: rows are a matrix with a row for each thing, and not of shape {rows.shape}"
            raise ShapeError(msg)
        layer = cls(*rows.shape, padding_idx=padding_idx, initializer="zeros")
        layer.weight = Parameter(ops.asarray(rows.detach(), copy=True))
        layer.freeze(frozen=frozen)
        return layer

    def forward(self, indices: Tensor) -> Tensor:
        """Return the rows."""
        self._check(indices)
        if indices.dtype.bits < 32:  # too small to count all rows with
            indices = indices.astype(int32)
        rows = ops.take(self.weight, ops.reshape(indices, (-1,)), axis=0)
        rows = ops.reshape(rows, (*indices.shape, self.embedding_dim))
        if self.padding_idx is None or not rows.requires_grad:
            return rows
        return ops.where((indices == self.padding_idx)[..., None], rows.detach(), rows)

    def _check(self, indices: Tensor) -> None:
        if not indices.dtype.is_kind("integral"):
            msg = f"{self!r}: expected whole numbers, got {indices.dtype}; use indices.astype(deepcore.int64)"
            raise DTypeError(msg)
        if not can_be_read(indices):
            return
        values = indices.numpy()
        wrong = (values < 0) | (values >= self.num_embeddings)
        if wrong.any():
            place: Any = tuple(np.argwhere(wrong)[0].tolist())
            where = f" at {place if values.ndim > 1 else place[0]}" if values.ndim else ""
            msg = f"{self!r}: index {values[place]}{where} is not from 0 to {self.num_embeddings - 1}"
            raise BoundsError(msg)

    def describe(self) -> str:
        """Return the number of rows and their length."""
        return f"{self.num_embeddings} × {self.embedding_dim}"


class EmbeddingBag(Embedding):
    r"""Rows of a table by their numbers, taken together: $y_b = \sum_i W_{t_{bi}}$, or their mean or their maximum.

    Parameters
    ----------
    num_embeddings, embedding_dim
        The number of rows, $n$, and their length, $d$.
    mode
        ``"mean"``, ``"sum"``, or ``"max"``, which is taken in each column.
    padding_idx
        A row that does not count: it is neither added nor learned, nor in the number that the mean divides by.
    initializer, generator
        As in :class:`Embedding`.

    Raises
    ------
    ShapeError
        When called on anything but (batch, number).

    Notes
    -----
    The input has shape (batch, number), with ``padding_idx`` where a bag has fewer, and the result (batch, d). A bag of
    nothing is 0. PyTorch's bags of different sizes in one row are not supported.

    Examples
    --------
    >>> import deepcore as dc
    >>> layer = dc.nn.EmbeddingBag.from_rows(dc.asarray([[0.0], [1.0], [5.0]]), padding_idx=0)
    >>> layer(dc.asarray([[1, 2], [2, 0]])).tolist()
    [[3.0], [5.0]]
    """

    modes: tuple[str, ...] = ("mean", "sum", "max")

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        *,
        mode: str = "mean",
        padding_idx: int | None = None,
        initializer: str | Initializer = STANDARD_NORMAL,
        generator: Generator | None = None,
    ) -> None:
        if mode not in self.modes:
            msg = f"EmbeddingBag: unknown mode {mode!r}; the known ones are {', '.join(self.modes)}"
            raise ConfigError(msg)
        super().__init__(
            num_embeddings, embedding_dim, padding_idx=padding_idx, initializer=initializer, generator=generator
        )
        self.mode = mode

    def forward(self, indices: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the sums, means or maxima; of rows times weights, one for each index, where they are given."""
        if indices.ndim != 2:
            msg = f"{self!r}: expected whole numbers of shape (batch, number), got {indices.shape}"
            raise ShapeError(msg)
        if weight is not None and (self.mode != "sum" or weight.shape != indices.shape):
            found = f"{weight.shape} with mode={self.mode!r}"
            msg = f"{self!r}: weights are for mode='sum' and of shape {indices.shape}, got {found}"
            raise ConfigError(msg)
        rows = super().forward(indices)
        if weight is not None:
            rows = rows * weight[..., None]
        counts = None
        if self.padding_idx is not None:
            counts = (indices != self.padding_idx)[..., None]
        if self.mode == "max":
            return self._largest(rows, counts)
        if counts is None:
            return rows.mean(axis=1) if self.mode == "mean" and indices.shape[1] else rows.sum(axis=1)
        mass = counts.astype(rows.dtype)
        total = (rows * mass).sum(axis=1)
        return total if self.mode == "sum" else total / ops.maximum(mass.sum(axis=1), 1.0)

    def _largest(self, rows: Tensor, counts: Tensor | None) -> Tensor:
        if rows.shape[1] == 0:
            return rows.sum(axis=1)
        if counts is None:
            return rows.max(axis=1)
        largest = ops.where(counts, rows, -float("inf")).max(axis=1)
        return ops.where(ops.any(counts, axis=1), largest, 0.0)
