"""Focal losses: what is easy already counts for less."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ops
from .._errors import ConfigError
from ._labels import LabelLoss
from ._loss import Loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._tensor import Tensor


def _checked_gamma(gamma: float, name: str) -> float:
    if gamma < 0.0:
        msg = f"{name}: gamma is at least 0, not {gamma}"
        raise ConfigError(msg)
    return gamma


class BinaryFocal(Loss):
    r"""Focal loss of yes-or-no predictions, element by element: $\ell = -\alpha_t (1 - p_t)^\gamma \ln p_t$, where
    $p_t = \sigma(z)$ for a target of 1 and $1 - \sigma(z)$ for 0.

    Predictions are logits $z$. Computed from $u = \pm z$ as $\alpha_t\,e^{-\gamma \ln(1 + e^{u})} \ln(1 + e^{-u})$,
    which is smooth and finite everywhere.

    Parameters
    ----------
    gamma
        $\gamma$, how much less an easy element counts; 0 is the cross-entropy.
    alpha
        $\alpha_t$ is $\alpha$ for a target of 1 and $1 - \alpha$ for 0; 1 for both, if it is None.
    reduction
        As in :class:`Loss`.

    References
    ----------
    T.-Y. Lin et al., Focal loss for dense object detection, ICCV 2017, equation 5.

    Examples
    --------
    >>> import deepcore as dc
    >>> round(dc.nn.BinaryFocal(alpha=None)(dc.asarray([0.0]), dc.asarray([1.0])).item(), 4)
    0.1733
    """

    def __init__(self, gamma: float = 2.0, alpha: float | None = 0.25, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        if alpha is not None and not 0.0 <= alpha <= 1.0:
            msg = f"BinaryFocal: alpha is from 0 to 1, or None, not {alpha}"
            raise ConfigError(msg)
        self.gamma = _checked_gamma(gamma, "BinaryFocal")
        self.alpha = alpha

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss."""
        self.same_shape(prediction, target)
        target = target.astype(prediction.dtype)
        u = prediction * (2 * target - 1)
        losses = ops.exp(-self.gamma * ops.softplus(u)) * ops.softplus(-u)
        if self.alpha is not None:
            losses = losses * (self.alpha * target + (1 - self.alpha) * (1 - target))
        return self.reduced(losses, weight)

    def describe(self) -> str:
        """Return gamma and alpha."""
        return f"γ = {self.gamma}, α = {self.alpha}"


class CategoricalFocal(LabelLoss):
    r"""Focal loss over classes, sample by sample: $\ell = -w_y (1 - p_y)^\gamma \ln p_y$ with
    $p = \operatorname{softmax}(z)$ and the label $y$.

    Parameters
    ----------
    gamma
        $\gamma$, how much less an easy sample counts; 0 is the cross-entropy, and otherwise it is at least 1.
    class_weights, ignore_index, axis, reduction
        As in :class:`CategoricalCrossEntropy`, but that the mean divides by the number of samples.

    References
    ----------
    T.-Y. Lin et al., Focal loss for dense object detection, ICCV 2017, equation 5 and section 3.

    Examples
    --------
    >>> import deepcore as dc
    >>> round(dc.nn.CategoricalFocal()(dc.asarray([[0.0, 0.0]]), dc.asarray([1])).item(), 4)
    0.1733
    """

    divides_by_class_weights = False

    def __init__(
        self,
        gamma: float = 2.0,
        *,
        class_weights: Sequence[float] | Tensor | None = None,
        ignore_index: int | None = None,
        axis: int = -1,
        reduction: str = "mean",
    ) -> None:
        super().__init__(class_weights=class_weights, ignore_index=ignore_index, axis=axis, reduction=reduction)
        self.gamma = _checked_gamma(gamma, "CategoricalFocal")
        if 0.0 < gamma < 1.0:
            msg = f"CategoricalFocal: gamma is 0 or at least 1, not {gamma}: the slope would be infinite at a loss of 0"
            raise ConfigError(msg)

    def losses_of_labels(self, prediction: Tensor, labels: Tensor, class_weights: Tensor | None) -> Tensor:
        """Return the loss of every sample."""
        cost = ops.softmax_cross_entropy(prediction, labels)
        losses = cost * ops.pow(-ops.expm1(-cost), self.gamma)
        return losses if class_weights is None else losses * self.weights_of(labels, class_weights)

    def describe(self) -> str:
        """Return gamma."""
        return f"γ = {self.gamma}"
