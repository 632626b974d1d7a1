"""Squared-error losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ops
from ._loss import REDUCTIONS, Loss

if TYPE_CHECKING:
    from .._tensor import Tensor


class MSE(Loss):
    r"""Mean squared error, $L = \frac1N \sum_i (\hat y_i - y_i)^2$ over all $N$ elements.

    Parameters
    ----------
    reduction
        As in :class:`Loss`, or ``"half_norm"`` for the textbook's $\frac12 \lVert \hat y - y \rVert^2$ of each sample,
        averaged over the samples (the first axis).

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.MSE()(dc.asarray([1.0, 2.0]), dc.asarray([0.0, 0.0])).item()
    2.5
    """

    reductions = (*REDUCTIONS, "half_norm")

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss."""
        self.same_shape(prediction, target)
        losses = ops.square(prediction - target.astype(prediction.dtype))
        if self.reduction == "half_norm":
            halves = (losses if losses.ndim < 2 else losses.sum(axis=tuple(range(1, losses.ndim)))) / 2
            return MSE().reduced(halves, weight)
        return self.reduced(losses, weight)
