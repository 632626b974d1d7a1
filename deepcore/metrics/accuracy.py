"""Accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import DataError, ShapeError
from ._metric import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._tensor import Tensor


class Accuracy(Metric):
    r"""The share of samples whose prediction is right, $\frac1n \sum_i [\hat y_i = y_i]$.

    Predictions are class scores of shape (n, C), of which the largest counts, or one score per sample, of shape (n,) or
    (n, 1), which says yes above the threshold. Targets are labels of shape (n,), or one-hot rows of shape (n, C).

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

    def __init__(self, *, threshold: float = 0.0) -> None:
        self.threshold = threshold
        self.reset()

    def reset(self) -> None:
        """Forget what was gathered."""
        self.right = self.total = 0

    def update(self, prediction: Tensor, target: NDArray[Any]) -> None:
        """Gather one batch."""
        scores = prediction.numpy()
        if scores.ndim == 2 and scores.shape[1] > 1:
            guess = scores.argmax(axis=1)
            label = target.argmax(axis=1) if target.shape == scores.shape else target
        else:
            guess = scores.reshape(-1) > self.threshold
            label = target.reshape(-1)
        if guess.shape != label.shape:
            msg = f"accuracy: predictions of shape {scores.shape} do not go with targets of shape {target.shape}"
            raise ShapeError(msg)
        self.right += int((guess == label).sum())
        self.total += len(guess)

    def compute(self) -> float:
        """Return the accuracy."""
        if not self.total:
            msg = "accuracy: no samples were gathered"
            raise DataError(msg)
        return self.right / self.total
