r"""How well scores separate classes, whatever the threshold.

The area under the ROC curve is the probability that a sample of the class has a higher score than one of another, where
equal scores count half:

$$A = \frac{1}{PN} \sum_g p_g \Bigl(\sum_{h < g} n_h + \tfrac12 n_g\Bigr)$$

for groups $g$ of equal scores, in order, with $p_g$ samples of the class and $n_g$ others. Source: J. A. Hanley and
B. J. McNeil, The meaning and use of the area under a receiver operating characteristic curve, Radiology 143, 1982.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._errors import ConfigError, DataError
from ._metric import Metric, on_host

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._tensor import Tensor

AVERAGES: Final = ("macro", "weighted", None)


def _area(positives: NDArray[Any], negatives: NDArray[Any]) -> float:
    """Return the area, given the counts of groups of equal scores in order; NaN where a class has no samples."""
    p, n = positives.sum(), negatives.sum()
    if not p or not n:
        return float("nan")
    below = np.cumsum(negatives) - negatives / 2
    return float((positives * below).sum() / (float(p) * float(n)))


class ROCAUC(Metric):
    r"""The area under the receiver operating characteristic.

    Predictions are scores of one class, of shape (n,) or (n, 1), or of C classes, of shape (n, C); each class is then
    compared with the rest. Targets are labels of shape (n,), or of the predictions' shape. The area is NaN where only
    one kind of sample was gathered.

    Parameters
    ----------
    bins
        None keeps every score, and the area is exact. A number keeps only counts of scores in so many bins of equal
        width from 0 to 1, for probabilities of data sets that are large; scores in one bin count as equal.
    average
        Over several classes: ``"macro"`` is their mean, ``"weighted"`` that weighted by their samples, and None gives
        an array, of every class.

    Examples
    --------
    >>> import deepcore as dc
    >>> area = dc.metrics.ROCAUC()
    >>> area.update(dc.asarray([0.1, 0.4, 0.35, 0.8]), dc.asarray([0, 0, 1, 1]))
    >>> area.compute()
    0.75
    """

    name = "roc_auc"

    def __init__(self, *, bins: int | None = None, average: str | None = "macro") -> None:
        if bins is not None and bins < 2:
            msg = f"ROCAUC: there are at least 2 bins, not {bins}"
            raise ConfigError(msg)
        if average not in AVERAGES:
            msg = f"ROCAUC: unknown average {average!r}; the known ones are {', '.join(map(str, AVERAGES))}"
            raise ConfigError(msg)
        self.bins = bins
        self.average = average
        self.sums = ("scores", "hits") if bins is None else ("counts",)
        self.reset()

    def reset(self) -> None:
        """Forget what was gathered."""
        if self.bins is None:
            self.scores: list[NDArray[Any]] = []
            self.hits: list[NDArray[Any]] = []
        else:
            self.counts: NDArray[Any] = np.zeros((2, 1, self.bins), np.int64)

    def update(self, prediction: Tensor, target: Tensor | NDArray[Any]) -> None:
        """Gather one batch."""
        scores, label = on_host(prediction), on_host(target)
        if scores.ndim == 2 and scores.shape[1] > 1:
            if label.shape == scores.shape[:1]:
                label = label[:, None] == np.arange(scores.shape[1])
            if label.shape != scores.shape:
                raise self.unfit(scores, label)
        elif scores.size != label.size or label.shape[:1] != scores.shape[:1] or scores.ndim > 2:
            raise self.unfit(scores, label)
        else:
            scores, label = scores.reshape(-1, 1), label.reshape(-1, 1)
        if np.isnan(scores).any():
            msg = f"{self.name}: scores are not comparable, because some are NaN"
            raise DataError(msg)
        hits = label > 0
        if self.bins is None:
            self.scores.append(scores)
            self.hits.append(hits)
        else:
            self._count(scores, hits, self.bins)

    def _count(self, scores: NDArray[Any], hits: NDArray[Any], bins: int) -> None:
        if scores.size and (scores.min() < 0 or scores.max() > 1):
            found = f"from {scores.min():.4g} to {scores.max():.4g}"
            msg = f"{self.name}: bins are for probabilities from 0 to 1, and these are {found}; use bins=None"
            raise DataError(msg)
        places = np.minimum((scores * bins).astype(np.int64), bins - 1)
        columns = [
            [np.bincount(places[hits[:, c] == kind, c], minlength=bins) for c in range(scores.shape[1])]
            for kind in (True, False)
        ]
        self.counts = self.counts + np.asarray(columns)

    def _groups(self) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """Return the counts of groups of equal scores, in order, of each class."""
        if self.bins is not None:
            return list(zip(*self.counts, strict=True)) if self.counts.any() else []
        if not sum(map(len, self.scores)):
            return []
        scores, hits = np.concatenate(self.scores), np.concatenate(self.hits)
        groups: list[tuple[NDArray[Any], NDArray[Any]]] = []
        for column, hit in zip(scores.T, hits.T, strict=True):
            order = np.argsort(column)
            starts = np.flatnonzero(np.diff(column[order], prepend=np.nan) != 0)
            positives = np.add.reduceat(hit[order].astype(np.int64), starts)
            groups.append((positives, np.diff(starts, append=len(order)) - positives))
        return groups

    def compute(self) -> Any:
        """Return the area, or with ``average=None`` those of all classes as an array on the host."""
        groups = self._groups()
        if not groups:
            raise self.none_gathered()
        areas = np.asarray([_area(*group) for group in groups])
        if self.average is None:
            return areas
        weights = (
            [positives.sum() for positives, _ in groups] if self.average == "weighted" and len(areas) > 1 else None
        )
        return float(np.average(areas, weights=weights))
