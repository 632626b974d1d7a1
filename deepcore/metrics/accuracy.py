"""Accuracy, of the first choice and of the first few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import ConfigError
from ._metric import Metric, chosen_classes, on_host

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._tensor import Tensor


class Accuracy(Metric):
    r"""The share of samples whose prediction is right, $\frac1n \sum_i [\hat y_i = y_i]$.

    Predictions are class scores of shape (n, C), of which the largest counts, or one score per sample, of shape (n,) or
    (n, 1), which says yes above the threshold, or classes, whole numbers of shape (n,). Targets are labels of shape
    (n,), or one-hot rows of shape (n, C). There may be more axes before that of the classes.

    Parameters
    ----------
    threshold
        What a single score must exceed: 0 for logits, 0.5 for probabilities.

    Examples
    --------
    >>> import deepcore as dc, numpy as np
    >>> accuracy = dc.metrics.Accuracy()
    >>> accuracy.update(dc.asarray([[0.1, 0.9], [0.8, 0.2]]), np.asarray([1, 1]))
    >>> accuracy.compute()
    0.5
    """

    name = "accuracy"
    sums = ("right", "total")

    def __init__(self, *, threshold: float = 0.0) -> None:
        self.threshold = threshold
        self.reset()

    def reset(self) -> None:
        """Forget what was gathered."""
        self.right = self.total = 0

    def update(self, prediction: Tensor, target: Tensor | NDArray[Any]) -> None:
        """Gather one batch."""
        guess, label, _ = chosen_classes(self, prediction, target, self.threshold)
        self.right += int((guess == label).sum())
        self.total += len(guess)

    def compute(self) -> float:
        """Return the accuracy."""
        if not self.total:
            raise self.none_gathered()
        return self.right / self.total


class TopKAccuracy(Metric):
    r"""The share of samples whose label is among the $k$ classes of the largest scores.

    Predictions have shape (n, C), and targets (n,), or (n, C) where they are one-hot. Of equal scores that of the
    higher class counts as larger, as in scikit-learn's ``top_k_accuracy_score``.

    Parameters
    ----------
    k
        How many choices a prediction has.

    Examples
    --------
    >>> import deepcore as dc
    >>> top = dc.metrics.TopKAccuracy(2)
    >>> top.update(dc.asarray([[0.1, 0.5, 0.4], [0.6, 0.3, 0.1]]), dc.asarray([2, 2]))
    >>> top.compute()
    0.5
    """

    sums = ("right", "total")

    def __init__(self, k: int = 5) -> None:
        if k < 1:
            msg = f"TopKAccuracy: k is at least 1, not {k}"
            raise ConfigError(msg)
        self.k = k
        self.name = f"top_{k}_accuracy"
        self.reset()

    def reset(self) -> None:
        """Forget what was gathered."""
        self.right = self.total = 0

    def update(self, prediction: Tensor, target: Tensor | NDArray[Any]) -> None:
        """Gather one batch."""
        scores, label = on_host(prediction), on_host(target)
        if scores.ndim != 2 or label.shape not in (scores.shape, scores.shape[:1]):
            raise self.unfit(scores, label)
        label = label.argmax(axis=1) if label.ndim == 2 else label
        own = np.take_along_axis(scores, label[:, None].astype(np.int64), axis=1)
        above = (scores > own) | ((scores == own) & (np.arange(scores.shape[1]) > label[:, None]))
        self.right += int((above.sum(axis=1) < self.k).sum())
        self.total += len(scores)

    def compute(self) -> float:
        """Return the share."""
        if not self.total:
            raise self.none_gathered()
        return self.right / self.total
