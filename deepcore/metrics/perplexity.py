"""Perplexity."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import DataError
from ._metric import Metric, on_host

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._tensor import Tensor


class Perplexity(Metric):
    r"""The number of equally likely choices that a model is as unsure as: $\exp\bigl(-\frac1n \sum_i \ln p_i\bigr)$ for
    the probabilities $p_i$ that it gives to the labels.

    Predictions have shape (..., C), and targets are labels of shape (...).

    Parameters
    ----------
    from_logits
        Whether predictions are logits, or logarithms of probabilities.
    ignore_index
        A label that marks samples to leave out.

    References
    ----------
    F. Jelinek et al., Perplexity: a measure of the difficulty of speech recognition tasks, Journal of the Acoustical
    Society of America 62, 1977.

    Examples
    --------
    >>> import deepcore as dc
    >>> perplexity = dc.metrics.Perplexity()
    >>> perplexity.update(dc.zeros((2, 8)), dc.asarray([3, 5]))
    >>> round(perplexity.compute(), 6)
    8.0
    """

    name = "perplexity"
    sums = ("cost", "total")

    def __init__(self, *, from_logits: bool = True, ignore_index: int | None = None) -> None:
        self.from_logits = from_logits
        self.ignore_index = ignore_index
        self.reset()

    def reset(self) -> None:
        """Forget what was gathered."""
        self.cost, self.total = 0.0, 0

    def update(self, prediction: Tensor, target: Tensor | NDArray[Any]) -> None:
        """Gather one batch."""
        scores, label = on_host(prediction), on_host(target)
        if scores.ndim < 1 or label.shape != scores.shape[:-1]:
            raise self.unfit(scores, label)
        scores, label = scores.reshape(-1, scores.shape[-1]).astype(np.float64), label.reshape(-1).astype(np.int64)
        if self.ignore_index is not None:
            kept = label != self.ignore_index
            scores, label = scores[kept], label[kept]
        if not label.size:
            return
        if label.min() < 0 or label.max() >= scores.shape[1]:
            found = f"labels from {label.min()} to {label.max()}"
            msg = f"{self.name}: {found}, but there are {scores.shape[1]} classes"
            raise DataError(msg)
        logs = scores[np.arange(len(label)), label]
        if self.from_logits:
            shift = scores.max(axis=1)
            logs = logs - shift - np.log(np.exp(scores - shift[:, None]).sum(axis=1))
        self.cost -= float(logs.sum())
        self.total += len(label)

    def compute(self) -> float:
        """Return the perplexity; infinity where it is too large for a number."""
        if not self.total:
            raise self.none_gathered()
        mean = self.cost / self.total
        return math.exp(mean) if mean < 709.0 else math.inf
