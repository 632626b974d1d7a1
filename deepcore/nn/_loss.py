"""What all losses share: one number from the losses of elements or samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._errors import ConfigError, ShapeError
from ._module import Module

if TYPE_CHECKING:
    from .._tensor import Tensor

REDUCTIONS: Final = ("mean", "sum", "none")


class Loss(Module):
    """The base of all losses: a function of predictions and targets.

    Parameters
    ----------
    reduction
        ``"mean"`` or ``"sum"`` over the elements (or samples), or ``"none"`` for each.
    """

    reductions: tuple[str, ...] = REDUCTIONS

    def __init__(self, *, reduction: str = "mean") -> None:
        if reduction not in self.reductions:
            known = ", ".join(self.reductions)
            msg = f"{type(self).__name__}: unknown reduction {reduction!r}; the known ones are {known}"
            raise ConfigError(msg)
        self.reduction = reduction

    def reduced(self, losses: Tensor) -> Tensor:
        """Return the mean or the sum of the losses, or the losses."""
        if self.reduction == "mean":
            return losses.mean()
        return losses.sum() if self.reduction == "sum" else losses

    def same_shape(self, prediction: Tensor, target: Tensor) -> None:
        """Raise if predictions and targets differ in shape: broadcasting between them is nearly always a mistake."""
        if prediction.shape != target.shape:
            hint = ""
            if prediction.shape == (*target.shape, 1):
                hint = "; the prediction has one more axis, reshape the target to match"
            name = type(self).__name__
            msg = f"{name}: the prediction has shape {prediction.shape} and the target {target.shape}{hint}"
            raise ShapeError(msg)
