"""What a model makes of data, and whether that is a classification or a regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import DataError, ShapeError
from .._modes import in_mode
from .._tape import no_grad
from ..nn import Module
from ..ops.creation import asarray

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Predicts = Module | Callable[[NDArray[Any]], Any]

BATCH = 1024


def on_host(x: Any) -> NDArray[Any]:
    """Return a tensor or an array as a NumPy array."""
    return x.detach().numpy() if hasattr(x, "detach") else np.asarray(x)


def predicted(model: Predicts, X: Any, batch_size: int = BATCH) -> NDArray[Any]:
    """Return a model's results for any number of samples, in evaluation mode, on the host."""
    parts = [_of_batch(model, X[i : i + batch_size]) for i in range(0, len(X), batch_size)]
    if not parts:
        msg = "plot: there are no samples"
        raise DataError(msg)
    return np.concatenate(parts)


def _of_batch(model: Predicts, X: Any) -> NDArray[Any]:
    if not isinstance(model, Module):
        return on_host(model(np.asarray(X)))
    with no_grad(), in_mode([module for _, module in model.named_modules()], training=False):
        return on_host(model(asarray(on_host(X), device=model.device)))


@dataclass(frozen=True)
class Outcome:
    """What a model says of some samples, and what is right.

    Attributes
    ----------
    scores
        What it says, of shape (n, ...).
    right
        What is right: a class of each sample, or a number.
    chosen
        What it takes the samples for: a class, or a number.
    n_classes
        The number of classes; 0 in a regression.
    threshold
        What a single score must exceed to say yes: it is a logit where this is 0, and a probability elsewhere.
    """

    scores: NDArray[Any]
    right: NDArray[Any]
    chosen: NDArray[Any]
    n_classes: int
    threshold: float = 0.0

    def probabilities(self) -> NDArray[np.float64]:
        """Return the probabilities of the classes, of shape (n, C); what are none yet are taken for logits."""
        z = self.scores.reshape(len(self.scores), -1).astype(np.float64)
        if z.shape[1] == 1:
            p = np.clip(z, 0.0, 1.0) if self.threshold else 0.5 * (1.0 + np.tanh(0.5 * z))
            return np.concatenate([1.0 - p, p], axis=1)
        if (z >= 0).all() and np.allclose(z.sum(axis=1), 1.0, atol=1e-3):
            return z
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return np.asarray(e / e.sum(axis=1, keepdims=True))


def outcome(scores: NDArray[Any], targets: Any, *, task: str | None = None, threshold: float = 0.0) -> Outcome | None:
    """Return what predictions say of targets; None, if they are neither one class nor one number per sample.

    Parameters
    ----------
    scores
        Predictions: (n, C), a score of every class; (n, 1) or (n,), one number, which says yes above the threshold
        where the targets are 0 and 1 and whole, and otherwise is compared with the target.
    targets
        Labels of shape (n,), rows of which one element is 1, of shape (n, C), or numbers, (n,) or (n, 1).
    task
        ``"classification"`` or ``"regression"``, if the targets leave a doubt.
    threshold
        What a single score must exceed to say yes.
    """
    right = on_host(targets)
    if len(scores) != len(right):
        msg = f"plot: {len(scores)} predictions do not go with {len(right)} targets; give one target for each sample"
        raise ShapeError(msg)
    n = len(right)
    if task != "regression" and scores.ndim == 2 and scores.shape[1] > 1:
        if right.shape == scores.shape and _is_one_hot(right):
            right = right.argmax(axis=1)
        if right.size == n and _is_whole(right) and right.min() >= 0 and right.max() < scores.shape[1]:
            return Outcome(scores, right.reshape(n).astype(np.int64), scores.argmax(axis=1), scores.shape[1])
        return None
    if scores.size != n or right.size != n:
        return None
    one, right = scores.reshape(n), right.reshape(n)
    whole = right.dtype.kind in "iub" if task is None else task == "classification"
    if whole and _is_whole(right) and np.isin(right, (0, 1)).all():
        return Outcome(scores, right.astype(np.int64), (one > threshold).astype(np.int64), 2, threshold)
    return None if task == "classification" else Outcome(scores, right, one, 0)


def _is_one_hot(rows: NDArray[Any]) -> bool:
    return bool(np.isin(rows, (0, 1)).all() and (rows.sum(axis=1) == 1).all())


def _is_whole(numbers: NDArray[Any]) -> bool:
    return numbers.dtype.kind in "iub" or bool((numbers == np.floor(numbers)).all())
