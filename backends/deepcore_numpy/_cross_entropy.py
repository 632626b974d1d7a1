"""The softmax cross-entropy of labels, whose logits are picked by position instead of by a matrix of zeros and ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

_largest: Any = np.maximum.reduce  # whose types do not know the parameters by position
_summed: Any = np.add.reduce

# These compute in memory that they are given, or in new memory where that is None.


def _loss(
    rows: Array,
    samples: Array,
    labels: Array,
    shift: Array | None = None,
    shares: Array | None = None,
    normaliser: Array | None = None,
    out: Array | None = None,
) -> Array:
    top: Array = _largest(rows, 1, None, shift, True)
    shares = np.subtract(rows, top, shares)
    np.exp(shares, shares)
    total: Array = _summed(shares, 1, None, normaliser, True)
    np.log(total, total)
    np.add(top, total, total)
    return np.subtract(total[:, 0], rows[samples, labels], out)


def _loss_vjp(
    weights: Array,
    rows: Array,
    loss: Array,
    samples: Array,
    labels: Array,
    normaliser: Array | None = None,
    shares: Array | None = None,
) -> Array:
    normaliser = np.add(loss, rows[samples, labels], normaliser)
    shares = np.subtract(rows, normaliser[:, None], shares)
    np.exp(shares, shares)
    shares[samples, labels] -= 1
    return np.multiply(weights, shares, shares)


def _rows(logits: Array) -> Array:
    return logits if logits.ndim == 2 else logits.reshape(-1, logits.shape[-1])


def softmax_cross_entropy(logits: Array, labels: Array, /) -> Array:
    """Return the loss of each sample."""
    rows = _rows(logits)
    return _loss(rows, np.arange(len(rows)), labels.reshape(-1)).reshape(labels.shape)


def softmax_cross_entropy_vjp(dy: Array, logits: Array, labels: Array, y: Array) -> Array:
    """Return the cotangent of the logits."""
    rows, weights = _rows(logits), dy.reshape(-1, 1)
    shares = _loss_vjp(weights, rows, y.reshape(-1), np.arange(len(rows)), labels.reshape(-1))
    return shares.reshape(logits.shape)


def loss_into(out: Array, logits: Array, labels: Array) -> None:
    """Write the loss of each sample."""
    np.copyto(out, softmax_cross_entropy(logits, labels))


def loss_vjp_into(out: Array, dy: Array, logits: Array, labels: Array, y: Array) -> None:
    """Write the cotangent of the logits."""
    np.copyto(out, softmax_cross_entropy_vjp(dy, logits, labels, y))


def prepared_loss(out: Array, logits: Array) -> Callable[[Array], object]:
    """Return what writes the loss, of labels. Arrays have their axes in their order."""
    rows, flat = _rows(logits), out.reshape(-1)
    samples, shares = np.arange(len(rows)), np.empty_like(rows)
    shift, normaliser = np.empty((2, len(rows), 1), rows.dtype)
    return lambda labels: _loss(rows, samples, labels.reshape(-1), shift, shares, normaliser, flat)


def prepared_loss_vjp(out: Array, dy: Array, logits: Array, y: Array) -> Callable[[Array], object]:
    """Return what writes the cotangent of the logits, of labels. Arrays have their axes in their order."""
    rows, shares = _rows(logits), _rows(out)
    weights, loss, samples = dy.reshape(-1, 1), y.reshape(-1), np.arange(len(rows))
    normaliser = np.empty(len(rows), rows.dtype)
    return lambda labels: _loss_vjp(weights, rows, loss, samples, labels.reshape(-1), normaliser, shares)
