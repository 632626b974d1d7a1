"""The softmax cross-entropy of labels, whose logits are picked by position instead of by a matrix of zeros and ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]


def _rows(logits: Array, labels: Array) -> tuple[Array, tuple[Array, Array]]:
    """Return the logits as a matrix, and where in it the labels are."""
    if logits.ndim != 2:
        labels = labels.reshape(-1)
        logits = logits.reshape(labels.size, logits.shape[-1])
    return logits, (np.arange(len(logits)), labels)


def softmax_cross_entropy(logits: Array, labels: Array, /) -> Array:
    """Return the loss of each sample."""
    rows, places = _rows(logits, labels)
    shift = np.maximum.reduce(rows, 1)
    shares = np.subtract(rows, shift[:, None])
    np.exp(shares, shares)
    loss: Array = np.add.reduce(shares, 1)
    np.log(loss, loss)
    np.add(shift, loss, loss)
    np.subtract(loss, rows[places], loss)
    return loss if loss.shape == labels.shape else loss.reshape(labels.shape)


def softmax_cross_entropy_vjp(dy: Array, logits: Array, labels: Array, y: Array) -> Array:
    """Return the cotangent of the logits."""
    rows, places = _rows(logits, labels)
    chosen = rows[places]
    chosen += y.reshape(-1)
    shares = np.subtract(rows, chosen[:, None])
    np.exp(shares, shares)
    shares[places] -= 1
    np.multiply(dy.reshape(-1, 1), shares, shares)
    return shares if shares.shape == logits.shape else shares.reshape(logits.shape)
