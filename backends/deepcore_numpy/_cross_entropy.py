"""The softmax cross-entropy of labels, whose logits are picked by position instead of by a matrix of zeros and ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]


def _rows(logits: Array, labels: Array) -> tuple[Array, tuple[Array, Array]]:
    """Return the logits as a matrix, and where in it the labels are."""
    flat = labels.reshape(-1)
    return logits.reshape(flat.size, logits.shape[-1]), (np.arange(flat.size), flat)


def softmax_cross_entropy(logits: Array, labels: Array, /) -> Array:
    """Return the loss of each sample."""
    rows, places = _rows(logits, labels)
    shift = np.maximum.reduce(rows, axis=1, keepdims=True)
    shares = np.subtract(rows, shift)
    np.exp(shares, shares)
    normaliser = np.add.reduce(shares, axis=1, keepdims=True)
    np.log(normaliser, normaliser)
    np.add(shift, normaliser, normaliser)
    loss: Array = np.subtract(normaliser[:, 0], rows[places])
    return loss.reshape(labels.shape)


def softmax_cross_entropy_vjp(dy: Array, logits: Array, labels: Array, y: Array) -> Array:
    """Return the cotangent of the logits."""
    rows, places = _rows(logits, labels)
    shares = np.subtract(rows, (y.reshape(-1) + rows[places])[:, None])
    np.exp(shares, shares)
    shares[places] -= 1
    np.multiply(dy.reshape(-1, 1), shares, shares)
    return shares.reshape(logits.shape)
