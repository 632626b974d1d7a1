r"""What is mistaken for what: the confusion matrix, and precision, recall and F-score, which follow from it.

With $C_{ij}$ samples of class $i$ that were taken for class $j$, class $k$ has $t_k = C_{kk}$ right ones,
$p_k = \sum_i C_{ik}$ predictions and $a_k = \sum_j C_{kj}$ samples.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import ConfigError, DataError
from ._metric import Metric, chosen_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._tensor import Tensor

AVERAGES: Final = ("binary", "micro", "macro", "weighted", None)
NORMALISATIONS: Final = (None, "true", "pred", "all")


class _Counts(Metric):
    """What gathers a confusion matrix."""

    sums = ("matrix",)

    def __init__(self, n_classes: int | None = None, *, threshold: float = 0.0) -> None:
        if n_classes is not None and n_classes < 2:
            msg = f"{type(self).__name__}: there are at least 2 classes, not {n_classes}"
            raise ConfigError(msg)
        self.n_classes = n_classes
        self.threshold = threshold
        self.reset()

    def reset(self) -> None:
        """Forget what was gathered."""
        n = self.n_classes or 0
        self.matrix: NDArray[np.int64] = np.zeros((n, n), np.int64)

    def update(self, prediction: Tensor, target: Tensor | NDArray[Any]) -> None:
        """Gather one batch."""
        guess, label, shown = chosen_classes(self, prediction, target, self.threshold)
        n = self.n_classes or shown
        if n is None:
            msg = f"{self.name}: predictions are classes, so give their number: {type(self).__name__}(n_classes)"
            raise ConfigError(msg)
        guess, label = guess.astype(np.int64), label.astype(np.int64)
        for values, what in ((guess, "predictions"), (label, "labels")):
            if values.size and (values.min() < 0 or values.max() >= n):
                found = f"{what} from {values.min()} to {values.max()}"
                msg = f"{self.name}: {found}, but there are {n} classes, 0 to {n - 1}"
                raise DataError(msg)
        counts = np.bincount(label * n + guess, minlength=n * n).reshape(n, n)
        if self.matrix.size == 0:
            self.matrix = counts
        elif self.matrix.shape == counts.shape:
            self.matrix = self.matrix + counts
        else:
            msg = f"{self.name}: {n} classes in this batch, {len(self.matrix)} in those before"
            raise DataError(msg)

    def absorb(self, other: Any) -> None:
        """Add what another metric has gathered. Before the first batch the number of classes may be unknown."""
        if self.matrix.size and other.matrix.size and self.matrix.shape != other.matrix.shape:
            msg = f"{self.name}: {len(self.matrix)} classes here, {len(other.matrix)} there"
            raise DataError(msg)
        if self.matrix.size and other.matrix.size:
            self.matrix = self.matrix + other.matrix
        elif other.matrix.size:
            self.matrix = other.matrix.copy()


class ConfusionMatrix(_Counts):
    r"""The matrix $C_{ij}$ of the samples of class $i$ (rows) that were taken for class $j$ (columns).

    Predictions and targets are those of :class:`Accuracy`.

    Parameters
    ----------
    n_classes
        The number of classes; where it is not given, that of the scores.
    normalise
        ``"true"`` divides the rows by their sums, ``"pred"`` the columns, and ``"all"`` everything by the number of
        samples; None gives whole numbers. What has no samples is 0.
    threshold
        What a single score must exceed to say yes: 0 for logits, 0.5 for probabilities.

    Examples
    --------
    >>> import deepcore as dc
    >>> matrix = dc.metrics.ConfusionMatrix(2)
    >>> matrix.update(dc.asarray([1, 1, 0]), dc.asarray([1, 0, 0]))
    >>> matrix.compute().tolist()
    [[1, 1], [0, 1]]
    """

    name = "confusion_matrix"

    def __init__(self, n_classes: int | None = None, *, normalise: str | None = None, threshold: float = 0.0) -> None:
        if normalise not in NORMALISATIONS:
            msg = f"ConfusionMatrix: unknown normalisation {normalise!r}; the known ones are true, pred, all and None"
            raise ConfigError(msg)
        super().__init__(n_classes, threshold=threshold)
        self.normalise = normalise

    def compute(self) -> NDArray[Any]:
        """Return the matrix, on the host."""
        if self.normalise is None:
            return self.matrix.copy()
        axis = {"true": 1, "pred": 0, "all": None}[self.normalise]
        total = self.matrix.sum(axis=axis, keepdims=True)
        return self.matrix / np.maximum(total, 1)


class _Averaged(_Counts):
    """What is a quotient for every class, and averaged over them. The options are those of :class:`Precision`."""

    def __init__(
        self,
        average: str | None = "binary",
        *,
        n_classes: int | None = None,
        zero_division: float = 0.0,
        threshold: float = 0.0,
    ) -> None:
        if average not in AVERAGES:
            known = ", ".join(map(str, AVERAGES))
            msg = f"{type(self).__name__}: unknown average {average!r}; the known ones are {known}"
            raise ConfigError(msg)
        super().__init__(n_classes, threshold=threshold)
        self.average = average
        self.zero_division = zero_division

    @abstractmethod
    def quotient(
        self, right: NDArray[Any], predicted: NDArray[Any], actual: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the numerator and the denominator."""

    def compute(self) -> Any:
        """Return the value, or with ``average=None`` those of all classes as an array on the host."""
        if not self.matrix.sum():
            raise self.none_gathered()
        if self.average == "binary" and len(self.matrix) != 2:
            choose = "choose average='macro', 'micro', 'weighted' or None"
            msg = f"{self.name}: there are {len(self.matrix)} classes; {choose}"
            raise ConfigError(msg)
        right, predicted, actual = self.matrix.diagonal(), self.matrix.sum(axis=0), self.matrix.sum(axis=1)
        if self.average == "micro":
            return float(self._divided(*(np.atleast_1d(x.sum()) for x in (right, predicted, actual)))[0])
        values = self._divided(right, predicted, actual)
        if self.average is None:
            return values
        if self.average == "binary":
            return float(values[1])
        counted = (predicted + actual > 0) & ~np.isnan(values)
        weights = actual[counted] if self.average == "weighted" else np.ones(int(counted.sum()))
        if not counted.any():
            return float("nan")
        return float(np.average(values[counted], weights=weights if weights.any() else None))

    def _divided(self, right: NDArray[Any], predicted: NDArray[Any], actual: NDArray[Any]) -> NDArray[Any]:
        numerator, denominator = self.quotient(right, predicted, actual)
        empty = denominator == 0
        values: NDArray[Any] = np.where(empty, self.zero_division, numerator / np.where(empty, 1, denominator))
        return values


class Precision(_Averaged):
    r"""The share of what was taken for a class that is of it, $t_k / p_k$.

    Predictions and targets are those of :class:`Accuracy`.

    Parameters
    ----------
    average
        ``"binary"``: that of class 1, of two. ``"macro"``: the mean over the classes. ``"weighted"``: that weighted by
        their samples. ``"micro"``: the quotient of the sums over the classes. None: an array, of every class. The means
        leave out classes that have neither samples nor predictions, as scikit-learn's do.
    n_classes
        The number of classes; where it is not given, that of the scores.
    zero_division
        The value where there is nothing to divide by: 0, 1, or NaN, which the means leave out.
    threshold
        What a single score must exceed to say yes: 0 for logits, 0.5 for probabilities.

    Examples
    --------
    >>> import deepcore as dc
    >>> precision = dc.metrics.Precision()
    >>> precision.update(dc.asarray([1.0, 2.0, -1.0]), dc.asarray([1, 0, 1]))
    >>> precision.compute()
    0.5
    """

    name = "precision"

    def quotient(
        self, right: NDArray[Any], predicted: NDArray[Any], actual: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the right ones, and the predictions."""
        return right, predicted


class Recall(_Averaged):
    r"""The share of the samples of a class that were found, $t_k / a_k$. The options are those of :class:`Precision`.

    Examples
    --------
    >>> import deepcore as dc
    >>> recall = dc.metrics.Recall("macro")
    >>> recall.update(dc.asarray([[0.1, 0.9], [0.3, 0.7], [0.8, 0.2]]), dc.asarray([1, 0, 0]))
    >>> recall.compute()
    0.75
    """

    name = "recall"

    def quotient(
        self, right: NDArray[Any], predicted: NDArray[Any], actual: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the right ones, and the samples."""
        return right, actual


class FBeta(_Averaged):
    r"""The weighted harmonic mean of precision and recall, $F_\beta = (1 + \beta^2)\,t_k / (\beta^2 a_k + p_k)$.

    Parameters
    ----------
    beta
        $\beta$, how many times as important recall is, above 0.
    average, n_classes, zero_division, threshold
        As in :class:`Precision`.

    References
    ----------
    C. J. van Rijsbergen, Information Retrieval, 2nd edition, 1979, chapter 7.
    """

    def __init__(
        self,
        beta: float,
        average: str | None = "binary",
        *,
        n_classes: int | None = None,
        zero_division: float = 0.0,
        threshold: float = 0.0,
    ) -> None:
        if not beta > 0.0:
            msg = f"FBeta: beta is above 0, not {beta}"
            raise ConfigError(msg)
        super().__init__(average, n_classes=n_classes, zero_division=zero_division, threshold=threshold)
        self.beta = beta
        self.name = f"f{beta:g}"

    def quotient(
        self, right: NDArray[Any], predicted: NDArray[Any], actual: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the right ones, and the weighted mean of predictions and samples."""
        squared = self.beta**2
        return (1 + squared) * right, squared * actual + predicted


class F1(FBeta):
    """The harmonic mean of precision and recall. The options are those of :class:`Precision`.

    Examples
    --------
    >>> import deepcore as dc
    >>> f1 = dc.metrics.F1()
    >>> f1.update(dc.asarray([1.0, 2.0, -1.0]), dc.asarray([1, 0, 1]))
    >>> f1.compute()
    0.5
    """

    def __init__(
        self,
        average: str | None = "binary",
        *,
        n_classes: int | None = None,
        zero_division: float = 0.0,
        threshold: float = 0.0,
    ) -> None:
        super().__init__(1.0, average, n_classes=n_classes, zero_division=zero_division, threshold=threshold)
