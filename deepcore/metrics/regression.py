"""How far numbers are from what they should be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ._metric import Metric, on_host

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._tensor import Tensor


def _pair(
    metric: Metric, prediction: Tensor | NDArray[Any], target: Tensor | NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return predictions and targets of the same shape, in double precision."""
    found, wanted = on_host(prediction), on_host(target)
    if found.shape != wanted.shape:
        raise metric.unfit(found, wanted)
    return found.astype(np.float64), wanted.astype(np.float64)


class _Mean(Metric):
    """The mean of something over all elements."""

    sums = ("sum", "total")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was gathered."""
        self.sum, self.total = 0.0, 0

    def compute(self) -> float:
        """Return the mean."""
        if not self.total:
            raise self.none_gathered()
        return self.sum / self.total


class MSE(_Mean):
    r"""Mean squared error, $\frac1N \sum_i (\hat y_i - y_i)^2$ over all elements.

    Examples
    --------
    >>> import deepcore as dc
    >>> error = dc.metrics.MSE()
    >>> error.update(dc.asarray([1.0, 2.0]), dc.asarray([0.0, 0.0]))
    >>> error.compute()
    2.5
    """

    name = "mse"

    def update(self, prediction: Tensor, target: Tensor | NDArray[Any]) -> None:
        """Gather one batch."""
        found, wanted = _pair(self, prediction, target)
        self.sum += float(np.square(found - wanted).sum())
        self.total += found.size


class RMSE(MSE):
    r"""Root of the mean squared error."""

    name = "rmse"

    def compute(self) -> float:
        """Return the root."""
        return math.sqrt(super().compute())


class MAE(_Mean):
    r"""Mean absolute error, $\frac1N \sum_i |\hat y_i - y_i|$ over all elements.

    Examples
    --------
    >>> import deepcore as dc
    >>> error = dc.metrics.MAE()
    >>> error.update(dc.asarray([1.0, 2.0]), dc.asarray([0.0, 0.0]))
    >>> error.compute()
    1.5
    """

    name = "mae"

    def update(self, prediction: Tensor, target: Tensor | NDArray[Any]) -> None:
        """Gather one batch."""
        found, wanted = _pair(self, prediction, target)
        self.sum += float(np.abs(found - wanted).sum())
        self.total += found.size


class R2(Metric):
    r"""Coefficient of determination, $R^2 = 1 - \sum_i (\hat y_i - y_i)^2 / \sum_i (y_i - \bar y)^2$, and its mean over
    the outputs where there are several.

    Predictions and targets have shape (n,) or (n, m). Where the targets of an output are all equal, it is 1 for perfect
    predictions and 0 for others, as in scikit-learn; of fewer than two samples it is NaN.

    The mean and the spread of the targets are merged from batch to batch without cancellation. Source: T. F. Chan,
    G. H. Golub and R. J. LeVeque, Algorithms for computing the sample variance, The American Statistician 37, 1983.

    Examples
    --------
    >>> import deepcore as dc
    >>> r2 = dc.metrics.R2()
    >>> r2.update(dc.asarray([1.0, 2.0, 4.0]), dc.asarray([1.0, 2.0, 3.0]))
    >>> r2.compute()
    0.5
    """

    name = "r2"
    sums = ("total", "residual", "mean", "spread")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was gathered."""
        self.total = 0
        self.residual: Any = 0.0
        self.mean: Any = 0.0
        self.spread: Any = 0.0

    def update(self, prediction: Tensor, target: Tensor | NDArray[Any]) -> None:
        """Gather one batch."""
        found, wanted = _pair(self, prediction, target)
        if found.ndim not in (1, 2):
            raise self.unfit(found, wanted)
        if len(found):
            mean = wanted.mean(axis=0)
            spread = np.square(wanted - mean).sum(axis=0)
            self._add(len(found), np.square(found - wanted).sum(axis=0), mean, spread)

    def _add(self, total: int, residual: Any, mean: Any, spread: Any) -> None:
        both = self.total + total
        step = mean - self.mean
        self.spread = self.spread + spread + np.square(step) * (self.total * total / both)
        self.mean = self.mean + step * (total / both)
        self.residual = self.residual + residual
        self.total = both

    def absorb(self, other: Any) -> None:
        """Add what another metric has gathered."""
        if other.total:
            self._add(other.total, other.residual, other.mean, other.spread)

    def compute(self) -> float:
        """Return the coefficient."""
        if not self.total:
            raise self.none_gathered()
        if self.total < 2:
            return float("nan")
        residual, spread = np.atleast_1d(self.residual), np.atleast_1d(self.spread)
        constant = spread == 0
        values = 1 - residual / np.where(constant, 1, spread)
        return float(np.where(constant, residual == 0, values).mean())
