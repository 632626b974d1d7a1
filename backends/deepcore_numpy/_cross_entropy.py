"""The softmax cross-entropy of labels, whose logits are picked by position instead of by a matrix of zeros and ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

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


def loss_into(out: Array, logits: Array, labels: Array) -> None:
    """Write the loss of each sample."""
    np.copyto(out, softmax_cross_entropy(logits, labels))


def loss_vjp_into(out: Array, dy: Array, logits: Array, labels: Array, y: Array) -> None:
    """Write the cotangent of the logits."""
    np.copyto(out, softmax_cross_entropy_vjp(dy, logits, labels, y))


def prepared_loss(out: Array, logits: Array) -> Callable[[Array], None]:
    """Return what writes the loss, of labels."""
    rows, flat = logits.reshape(-1, logits.shape[-1]), out.reshape(-1)
    shift, normaliser = np.empty((2, len(rows), 1), logits.dtype)
    shares, column, samples = np.empty_like(rows), normaliser[:, 0], np.arange(len(rows))
    largest: Any = np.maximum.reduce  # whose types do not know the parameters by position
    summed: Any = np.add.reduce

    def compute(labels: Array) -> None:
        largest(rows, 1, None, shift, True)
        np.subtract(rows, shift, shares)
        np.exp(shares, shares)
        summed(shares, 1, None, normaliser, True)
        np.log(normaliser, normaliser)
        np.add(shift, normaliser, normaliser)
        np.subtract(column, rows[samples, labels.reshape(-1)], flat)

    return compute


def prepared_loss_vjp(out: Array, dy: Array, logits: Array, y: Array) -> Callable[[Array], None]:
    """Return what writes the cotangent of the logits, of labels."""
    rows, shares = (a.reshape(-1, logits.shape[-1]) for a in (logits, out))
    weights, loss, samples = dy.reshape(-1, 1), y.reshape(-1), np.arange(len(rows))
    normaliser = np.empty((len(rows), 1), logits.dtype)
    column = normaliser[:, 0]

    def compute(labels: Array) -> None:
        places = samples, labels.reshape(-1)
        np.add(loss, rows[places], column)
        np.subtract(rows, normaliser, shares)
        np.exp(shares, shares)
        shares[places] -= 1
        np.multiply(weights, shares, shares)

    return compute
