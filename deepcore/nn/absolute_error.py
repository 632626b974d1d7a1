"""Losses that outliers pull on less than on the squared error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ops
from .._errors import ConfigError
from ._loss import Loss

if TYPE_CHECKING:
    from .._tensor import Tensor


class MAE(Loss):
    r"""Mean absolute error, $L = \frac1N \sum_i |\hat y_i - y_i|$ over all $N$ elements.

    Parameters
    ----------
    reduction
        As in :class:`Loss`.

    Notes
    -----
    The derivative where $\hat y_i = y_i$ is 0.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.MAE()(dc.asarray([1.0, 2.0]), dc.asarray([0.0, 0.0])).item()
    1.5
    """

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss."""
        self.same_shape(prediction, target)
        return self.reduced(ops.abs(prediction - target.astype(prediction.dtype)), weight)


class Huber(Loss):
    r"""Loss that is squared near 0 and linear beyond: with $e = \hat y - y$, element by element,
    $\ell = \frac12 e^2$ where $|e| \le \delta$, else $\delta (|e| - \frac12 \delta)$.

    Parameters
    ----------
    delta
        $\delta$, where it becomes linear, above 0.
    reduction
        As in :class:`Loss`.

    References
    ----------
    P. J. Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics 35, 1964.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Huber(reduction="none")(dc.asarray([0.5, 3.0]), dc.asarray([0.0, 0.0])).tolist()
    [0.125, 2.5]
    """

    def __init__(self, delta: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        if not delta > 0.0:
            msg = f"Huber: delta is above 0, not {delta}"
            raise ConfigError(msg)
        self.delta = delta

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss."""
        self.same_shape(prediction, target)
        size = ops.abs(prediction - target.astype(prediction.dtype))
        near = ops.minimum(size, self.delta)
        return self.reduced(near * (size - 0.5 * near), weight)

    def describe(self) -> str:
        """Return delta."""
        return f"δ = {self.delta}"
