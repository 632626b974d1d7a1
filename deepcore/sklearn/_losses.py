"""The losses, as weighted means over the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import ops
from .._errors import ConfigError
from ..nn import MAE, MSE, BinaryCrossEntropy, BinaryFocal, CategoricalCrossEntropy, CategoricalFocal, Huber, Loss

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .._tensor import Tensor

    Made = Callable[[], Callable[..., Tensor]]


class PoissonDeviance(Loss):
    r"""Half of the Poisson deviance of a logarithm of a mean: $\ell = e^z - y z + y \ln y - y$, which is at least 0.

    Parameters
    ----------
    reduction
        As in :class:`deepcore.nn.Loss`.
    """

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss."""
        self.same_shape(prediction, target)
        some = target > 0.0
        logs = ops.log(ops.where(some, target, ops.ones_like(target)))
        return self.reduced(ops.exp(prediction) - target * prediction + target * (logs - 1.0), weight)


OF_LABELS: dict[str, Made] = {"log_loss": CategoricalCrossEntropy, "focal": CategoricalFocal}
OF_YES_OR_NO: dict[str, Made] = {
    "log_loss": lambda: BinaryCrossEntropy(reduction="per-sample"),
    "focal": lambda: BinaryFocal(reduction="per-sample"),
}
OF_NUMBERS: dict[str, Made] = {
    "squared_error": lambda: MSE(reduction="half_norm"),
    "absolute_error": lambda: MAE(reduction="per-sample"),
    "huber": lambda: Huber(reduction="per-sample"),
    "poisson": lambda: PoissonDeviance(reduction="per-sample"),
}


class Objective:
    r"""What is made small: the mean over the samples, $\sum_i w_i \ell_i / \sum_i w_i$, and the penalty where the
    solver has none of its own.

    Parameters
    ----------
    loss
        A name of ``known``, or a function of predictions, targets and, where there are some, weights. What it returns
        is one number, or losses $w_i \ell_i$, whose mean is taken here.
    known
        The losses that have names.
    """

    def __init__(self, loss: str | Callable[..., Tensor] | None, known: Mapping[str, Made]) -> None:
        name = next(iter(known)) if loss is None else loss
        if isinstance(name, str) and name not in known:
            msg = f"unknown loss {name!r}; the known ones are {', '.join(known)}, and functions of deepcore.nn"
            raise ConfigError(msg)
        self.loss: Any = known[name]() if isinstance(name, str) else name

    def __call__(self, prediction: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Return the mean loss."""
        if weight is None:
            losses = self.loss(prediction, target)
            return losses.sum() / losses.shape[0] if losses.ndim else losses
        losses = self.loss(prediction, target, weight)
        return losses.sum() / weight.sum() if losses.ndim else losses
