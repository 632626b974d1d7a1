"""What all losses share: one number from the losses of elements or samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .. import ops
from .._errors import ConfigError, DTypeError, ShapeError
from ._module import Module

if TYPE_CHECKING:
    from .._tensor import Tensor

REDUCTIONS: Final = ("mean", "sum", "none", "per-sample")


class Loss(Module):
    r"""The base of all losses: a function of predictions and targets.

    Parameters
    ----------
    reduction
        ``"mean"`` or ``"sum"`` over the elements (or samples), ``"none"`` for each, or ``"per-sample"`` for the sum
        over the elements of each sample, that is, over all axes but the first.

    Notes
    -----
    Every loss takes weights $w$ as its last argument, optionally: one for each sample, or one for each loss. The mean
    is then the weighted one, $\sum_i w_i \ell_i / \sum_i w_i$, and 0 where all weights are.
    """

    reductions: tuple[str, ...] = REDUCTIONS

    def __init__(self, *, reduction: str = "mean") -> None:
        if reduction not in self.reductions:
            known = ", ".join(self.reductions)
            msg = f"{type(self).__name__}: unknown reduction {reduction!r}; the known ones are {known}"
            raise ConfigError(msg)
        self.reduction = reduction

    def reduced(self, losses: Tensor, weight: Tensor | None = None, *, mass: Tensor | None = None) -> Tensor:
        r"""Return the mean or the sums of the losses, or the losses.

        Parameters
        ----------
        losses
            $\ell$, of elements or samples.
        weight
            $w$, of samples or of every loss.
        mass
            What a loss counts for in the mean, where that is not 1. The losses have been multiplied by it already.
        """
        if weight is not None:
            weight = self._spread(weight, losses)
            losses = losses * weight
            mass = weight if mass is None else mass * weight
        if self.reduction == "mean":
            return losses.mean() if mass is None else losses.sum() / _nonzero(mass.sum())
        if self.reduction == "per-sample":
            return losses.sum(axis=tuple(range(1, losses.ndim))) if losses.ndim > 1 else losses
        return losses.sum() if self.reduction == "sum" else losses

    def _spread(self, weight: Tensor, losses: Tensor) -> Tensor:
        if weight.shape not in (losses.shape, losses.shape[:1]):
            mine, choices = type(self).__name__, " or ".join({str(losses.shape[:1]): 0, str(losses.shape): 0})
            msg = f"{mine}: weights are one for each sample or loss, of shape {choices}; got {weight.shape}"
            raise ShapeError(msg)
        weight = weight.astype(losses.dtype)
        lead = weight.reshape(*weight.shape, *[1] * (losses.ndim - weight.ndim))
        return ops.broadcast_to(lead, losses.shape)

    def same_shape(self, prediction: Tensor, target: Tensor, name: str = "target") -> None:
        """Raise if predictions and targets differ in shape: broadcasting between them is nearly always a mistake."""
        self.floating(prediction)
        if prediction.shape != target.shape:
            hint = _hint(prediction, target, name)
            mine = type(self).__name__
            msg = f"{mine}: the prediction has shape {prediction.shape} and the {name} {target.shape}{hint}"
            raise ShapeError(msg)

    def floating(self, prediction: Tensor) -> None:
        """Raise if predictions are whole numbers or truth values, which have no gradient."""
        if not prediction.dtype.is_inexact:
            msg = f"{type(self).__name__}: predictions are floating point, and these are {prediction.dtype}"
            raise DTypeError(msg)

    def one_per(self, values: Tensor, prediction: Tensor, name: str) -> None:
        """Raise if an option is neither one number nor one for each output, the last axis of the predictions."""
        if values.shape not in ((), (1,), prediction.shape[-1:]):
            mine, wanted = type(self).__name__, prediction.shape[-1:]
            msg = f"{mine}: {name} is one number, or one for each output, of shape {wanted}; got {values.shape}"
            raise ShapeError(msg)


def _hint(prediction: Tensor, target: Tensor, name: str) -> str:
    """Say what probably went wrong with the shapes."""
    if prediction.shape == (*target.shape, 1):
        return f"; the prediction has one more axis, reshape the {name} to match"
    if target.shape == (*prediction.shape, 1):
        return f"; the {name} has one more axis, reshape it to match"
    if prediction.shape[:-1] == target.shape and not target.dtype.is_inexact:
        return "; labels of classes go with CategoricalCrossEntropy"
    return "; one of them is transposed" if prediction.shape == target.shape[::-1] else ""


def _nonzero(total: Tensor) -> Tensor:
    """Return a sum of weights to divide by: 1 in place of 0, so that the mean of nothing is 0."""
    return total + (total.detach() == 0).astype(total.dtype)


def buffer(values: Any) -> Tensor | None:
    """Return an option of one number per class or output as a tensor, or None where it is not given."""
    if values is None:
        return None
    tensor = ops.asarray(values)
    return (tensor if tensor.dtype.is_inexact else tensor.astype(ops.default_dtype())).detach()
