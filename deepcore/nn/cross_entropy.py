"""Cross-entropy losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import ops
from .._dtype import int32
from .._errors import DataError, ShapeError
from .._primitive import Sample
from .._record import composite
from ._loss import Loss

if TYPE_CHECKING:
    from .._tensor import Tensor
    from .._typing import Array, Namespace


@composite(Sample(low=0.1, high=1.0))
def clamped_log(xp: Namespace, x: Array, /) -> Any:
    r"""Logarithm of a probability, finite at 0. $y = \max(\ln x, -100)$,
    $\bar x = \bar y / \max(x, 10^{-12})$.

    A probability of 0 costs 100, and not infinity, and its gradient is finite, as in PyTorch's binary cross-entropy.
    """
    zero = x == 0
    y = xp.maximum(xp.log(xp.where(zero, xp.ones_like(x), x)), -100.0)
    return y - 100.0 * xp.astype(zero, x.dtype)


clamped_log.vjp(x=lambda dy, x, xp: dy / xp.maximum(x, 1e-12))


class BinaryCrossEntropy(Loss):
    r"""Cross-entropy of yes-or-no predictions, element by element:
    $\ell = -y \ln p - (1 - y) \ln (1 - p)$ with $p = \sigma(z)$.

    Parameters
    ----------
    from_logits
        Whether predictions are logits $z$ (which keeps the numbers finite) or probabilities $p$.
    reduction
        As in :class:`Loss`.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.BinaryCrossEntropy()(dc.asarray([-800.0, 800.0]), dc.asarray([0.0, 1.0])).item()
    0.0
    """

    def __init__(self, *, from_logits: bool = True, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.from_logits = from_logits

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        self.same_shape(prediction, target)
        if self.from_logits:
            return self.reduced(ops.sigmoid_cross_entropy(prediction, target))
        target = target.astype(prediction.dtype)
        return self.reduced(-(target * clamped_log(prediction) + (1 - target) * clamped_log(1 - prediction)))


class CategoricalCrossEntropy(Loss):
    r"""Cross-entropy of predictions over $C$ classes, sample by sample: $\ell = -\sum_c y_c \ln p_c$ with
    $p = \operatorname{softmax}(z)$.

    Parameters
    ----------
    from_logits
        Whether predictions are logits $z$ (which keeps the numbers finite) or probabilities $p$.
    reduction
        As in :class:`Loss`, over the samples.

    Notes
    -----
    Predictions have shape (..., C). Targets are labels, whole numbers of shape (...), or distributions of the
    predictions' shape.

    Examples
    --------
    >>> import deepcore as dc
    >>> loss = dc.nn.CategoricalCrossEntropy()
    >>> round(loss(dc.asarray([[0.0, 0.0]]), dc.asarray([1])).item(), 4)
    0.6931
    """

    def __init__(self, *, from_logits: bool = True, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.from_logits = from_logits

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        if target.dtype.is_kind("integral") and target.ndim == prediction.ndim - 1:
            self._check_labels(prediction, target)
            if target.dtype.bits < 32:  # too small to count all classes with
                target = target.astype(int32)
            if self.from_logits:
                return self.reduced(ops.softmax_cross_entropy(prediction, target))
            chosen = ops.take_along_axis(prediction, ops.expand_dims(target, axis=-1), axis=-1)
            return self.reduced(-clamped_log(ops.squeeze(chosen, -1)))
        self.same_shape(prediction, target)
        logs = ops.log_softmax(prediction) if self.from_logits else clamped_log(prediction)
        return self.reduced(-(target.astype(prediction.dtype) * logs).sum(axis=-1))

    def _check_labels(self, prediction: Tensor, labels: Tensor) -> None:
        if prediction.shape[:-1] != labels.shape:
            wanted = prediction.shape[:-1]
            msg = f"{type(self).__name__}: predictions {prediction.shape} need labels {wanted}, got {labels.shape}"
            raise ShapeError(msg)
        # Reading a value costs a transfer elsewhere; there a label out of range shows as an error of the library.
        if not labels.device.backend.is_host or labels.size == 0:
            return
        low, high, classes = int(labels.min()), int(labels.max()), prediction.shape[-1]
        if low < 0 or high >= classes:
            msg = (
                f"{type(self).__name__}: labels from {low} to {high}, but there are {classes} classes, "
                f"so they must be from 0 to {classes - 1}"
            )
            raise DataError(msg)
