"""Losses that ask for a margin, and are 0 once there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ops
from .._errors import ConfigError
from ._labels import LabelLoss
from ._loss import Loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._tensor import Tensor


class Hinge(Loss):
    r"""Hinge loss of a support vector machine, element by element: $\ell = \max(0, m - y \hat y)^p$ for targets
    $y = \pm 1$.

    Parameters
    ----------
    margin
        $m$.
    squared
        Whether $p$ is 2 instead of 1.
    reduction
        As in :class:`Loss`.

    References
    ----------
    C. Cortes and V. Vapnik, Support-vector networks, Machine Learning 20, 1995.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Hinge(reduction="none")(dc.asarray([0.5, -2.0]), dc.asarray([1.0, -1.0])).tolist()
    [0.5, 0.0]
    """

    def __init__(self, margin: float = 1.0, *, squared: bool = False, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = margin
        self.squared = squared

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss."""
        self.same_shape(prediction, target)
        losses = ops.relu(self.margin - target.astype(prediction.dtype) * prediction)
        return self.reduced(ops.square(losses) if self.squared else losses, weight)

    def describe(self) -> str:
        """Return the margin."""
        return f"margin {self.margin}"


class CategoricalHinge(LabelLoss):
    r"""Hinge loss over $C$ classes, sample by sample: $\ell = \frac{w_y}{C} \sum_{j \ne y} \max(0, m - z_y + z_j)^p$
    for the label $y$.

    Parameters
    ----------
    margin
        $m$.
    squared
        Whether $p$ is 2 instead of 1.
    class_weights, ignore_index, axis, reduction
        As in :class:`CategoricalCrossEntropy`, but that the mean divides by the number of samples, as in PyTorch's
        ``MultiMarginLoss``.

    References
    ----------
    J. Weston and C. Watkins, Support vector machines for multi-class pattern recognition, ESANN 1999.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.CategoricalHinge()(dc.asarray([[1.0, 0.5]]), dc.asarray([0])).item()
    0.25
    """

    divides_by_class_weights = False

    def __init__(
        self,
        margin: float = 1.0,
        *,
        squared: bool = False,
        class_weights: Sequence[float] | Tensor | None = None,
        ignore_index: int | None = None,
        axis: int = -1,
        reduction: str = "mean",
    ) -> None:
        super().__init__(class_weights=class_weights, ignore_index=ignore_index, axis=axis, reduction=reduction)
        if not margin > 0.0:
            msg = f"CategoricalHinge: the margin is above 0, not {margin}"
            raise ConfigError(msg)
        self.margin = margin
        self.squared = squared

    def losses_of_labels(self, prediction: Tensor, labels: Tensor, class_weights: Tensor | None) -> Tensor:
        """Return the loss of every sample."""
        short = ops.relu((prediction - self.chosen(prediction, labels)[..., None]) + self.margin)
        own = self.margin**2 if self.squared else self.margin  # what the sum over all classes has of the label's
        losses = ((ops.square(short) if self.squared else short).sum(axis=-1) - own) / prediction.shape[-1]
        return losses if class_weights is None else losses * self.weights_of(labels, class_weights)
