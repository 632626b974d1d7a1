"""Squared-error losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._loss import REDUCTIONS, Loss

if TYPE_CHECKING:
    from .._tensor import Tensor


class MSE(Loss):
    r"""Mean squared error, $L = \frac1N \sum_i (\hat y_i - y_i)^2$ over all $N$ elements.

    Parameters
    ----------
    reduction
        ``"mean"`` and ``"sum"`` over the elements, ``"none"`` for each element, or ``"half_norm"`` for the textbook's
        $\frac12 \lVert \hat y - y \rVert^2$ of each sample, averaged over the samples (the first axis).

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.MSE()(dc.asarray([1.0, 2.0]), dc.asarray([0.0, 0.0])).item()
    2.5
    """

    reductions = (*REDUCTIONS, "half_norm")

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        self.same_shape(prediction, target)
        error = prediction - target.astype(prediction.dtype)
        if self.reduction == "half_norm":
            return (error * error).sum() / (2 * error.shape[0])
        return self.reduced(error * error)
