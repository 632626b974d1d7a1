"""What losses over classes share: labels are checked, weighted and left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ops
from .._dtype import int32
from .._errors import DataError, DTypeError, ShapeError
from ._axis import length_along
from ._loss import Loss, buffer
from ._values import can_be_read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._tensor import Tensor


class LabelLoss(Loss):
    """The base of losses that compare predictions over classes with labels, or with distributions over the classes.

    A subclass says what one sample costs.

    Parameters
    ----------
    class_weights
        What each class counts for; by default 1.
    ignore_index
        A label that marks samples to leave out.
    axis
        The axis of the classes.
    reduction
        As in :class:`Loss`, over the samples.
    """

    divides_by_class_weights: bool = True
    """Whether the mean over labels divides by the sum of their weights, and not by their number."""

    def __init__(
        self,
        *,
        class_weights: Sequence[float] | Tensor | None = None,
        ignore_index: int | None = None,
        axis: int = -1,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.class_weights = buffer(class_weights)
        self.ignore_index = ignore_index
        self.axis = axis

    def losses_of_labels(self, prediction: Tensor, labels: Tensor, class_weights: Tensor | None) -> Tensor:
        """Return the loss of every sample, times the weight of its class. The classes are on the last axis."""
        raise NotImplementedError

    def losses_of_distributions(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every sample. The classes are on the last axis. Not every loss is defined for them."""
        name, wanted = type(self).__name__, prediction.shape[:-1]
        msg = f"{name}: targets are labels, whole numbers of shape {wanted}; got {target.dtype} {target.shape}"
        raise ShapeError(msg)

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss."""
        self.floating(prediction)
        classes = length_along(self, prediction, self.axis)
        if self.class_weights is not None and self.class_weights.shape != (classes,):
            found = self.class_weights.shape
            msg = f"{type(self).__name__}: {classes} classes need class_weights of shape ({classes},), got {found}"
            raise ShapeError(msg)
        is_last = self.axis in (-1, prediction.ndim - 1)
        scores = prediction if is_last else ops.moveaxis(prediction, self.axis, -1)
        if target.dtype.is_kind("integral") and target.ndim == prediction.ndim - 1:
            return self._of_labels(scores, target, weight)
        if target.dtype.is_kind("complex floating"):
            msg = f"{type(self).__name__}: targets are labels or shares of classes, real numbers, not {target.dtype}"
            raise DTypeError(msg)
        self.same_shape(prediction, target)
        target = (target if is_last else ops.moveaxis(target, self.axis, -1)).astype(prediction.dtype)
        return self.reduced(self.losses_of_distributions(scores, target), weight)

    def _of_labels(self, scores: Tensor, labels: Tensor, weight: Tensor | None) -> Tensor:
        self._check(scores, labels)
        if labels.dtype.bits < 32:  # too small to count all classes with
            labels = labels.astype(int32)
        mass: Tensor | None = None
        if self.ignore_index is not None:
            kept = labels != self.ignore_index
            labels = ops.where(kept, labels, 0)
            mass = kept.astype(scores.dtype)
        class_weights = None if self.class_weights is None else self.class_weights.astype(scores.dtype)
        losses = self.losses_of_labels(scores, labels, class_weights)
        if mass is not None:
            losses = losses * mass
        if class_weights is not None and self.divides_by_class_weights:
            own = self.weights_of(labels, class_weights)
            mass = own if mass is None else mass * own
        return self.reduced(losses, weight, mass=mass)

    def chosen(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return the score of every sample's label."""
        return ops.take_along_axis(scores, ops.expand_dims(labels, axis=-1), axis=-1)[..., 0]

    def weights_of(self, labels: Tensor, class_weights: Tensor) -> Tensor:
        """Return the weight of every sample's label."""
        return ops.take(class_weights, labels.reshape(-1), axis=0).reshape(*labels.shape)

    def weighted_sum(self, logs: Tensor, target: Tensor) -> Tensor:
        r"""Return $-\sum_c w_c q_c \ln p_c$."""
        if self.class_weights is not None:
            target = target * self.class_weights.astype(logs.dtype)
        return -ops.vecdot(target, logs)

    def _check(self, scores: Tensor, labels: Tensor) -> None:
        if scores.shape[:-1] != labels.shape:
            wanted, name = scores.shape[:-1], type(self).__name__
            hint = ""
            if self.axis == -1 and scores.ndim > 2 and labels.shape == (scores.shape[0], *scores.shape[2:]):
                hint = "; for classes along axis 1 use axis=1"
            shapes = f"predictions {scores.shape} need labels {wanted}, got {labels.shape}"
            msg = f"{name}: {shapes}{hint}"
            raise ShapeError(msg)
        if not can_be_read(labels):
            return
        values, classes = labels.numpy(), scores.shape[-1]
        if values.view(f"u{values.itemsize}").max() < classes:  # as numbers without a sign, negative ones are large
            return
        low, high = int(values.min()), int(values.max())
        if self.ignore_index is not None:
            values = values[values != self.ignore_index]
            if values.size == 0 or (values.min() >= 0 and values.max() < classes):
                return
            low, high = int(values.min()), int(values.max())
        hint = ""
        if low < 0 and self.ignore_index is None and (values[values < 0] == low).all():
            hint = f"; if {low} marks samples to leave out, give ignore_index={low}"
        elif low == 1 and high == classes:
            hint = "; these count from 1"
        msg = (
            f"{type(self).__name__}: labels from {low} to {high}, but there are {classes} classes, "
            f"so they must be from 0 to {classes - 1}{hint}"
        )
        raise DataError(msg)
