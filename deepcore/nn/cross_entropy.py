"""Cross-entropy losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import ops
from .._errors import ConfigError
from .._primitive import Sample
from .._record import composite
from ._labels import LabelLoss
from ._loss import Loss, buffer

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    $\ell = -a y \ln p - (1 - y) \ln (1 - p)$ with $p = \sigma(z)$.

    Parameters
    ----------
    from_logits
        Whether predictions are logits $z$ (which keeps the numbers finite) or probabilities $p$.
    pos_weight
        $a$, what a yes counts for: a number, or one for each output (the last axis). The number of noes by that of
        yeses makes up for a rare yes. By default 1.
    reduction
        As in :class:`Loss`.

    Notes
    -----
    The mean is over the elements, whatever $a$ is, as in PyTorch.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.BinaryCrossEntropy()(dc.asarray([-800.0, 800.0]), dc.asarray([0.0, 1.0])).item()
    0.0
    """

    def __init__(
        self,
        *,
        from_logits: bool = True,
        pos_weight: float | Sequence[float] | Tensor | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.from_logits = from_logits
        self.pos_weight = buffer(pos_weight)

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss."""
        self.same_shape(prediction, target)
        if self.from_logits and self.pos_weight is None:
            return self.reduced(ops.sigmoid_cross_entropy(prediction, target), weight)
        target = target.astype(prediction.dtype)
        yes = target
        if self.pos_weight is not None:
            self.one_per(self.pos_weight, prediction, "pos_weight")
            yes = target * self.pos_weight.astype(prediction.dtype)
        if self.from_logits:  # -ln p is softplus(-z), and -ln(1 - p) is z more
            cost = ops.softplus(-prediction)
            return self.reduced((1 - target) * prediction + (yes + (1 - target)) * cost, weight)
        return self.reduced(-(yes * clamped_log(prediction) + (1 - target) * clamped_log(1 - prediction)), weight)


class CategoricalCrossEntropy(LabelLoss):
    r"""Cross-entropy of predictions over $C$ classes, sample by sample: $\ell = -\sum_c w_c q_c \ln p_c$ with
    $p = \operatorname{softmax}(z)$ and $q = (1 - \varepsilon) y + \varepsilon / C$.

    Parameters
    ----------
    from_logits
        Whether predictions are logits $z$ (which keeps the numbers finite) or probabilities $p$.
    label_smoothing
        $\varepsilon$, the share of a target that is spread over all classes, from 0 to 1.
    class_weights
        $w$, what each class counts for; by default 1. The mean over labels is then $\sum_i \ell_i / \sum_i w_{y_i}$,
        and that over distributions divides by their number, both as in PyTorch.
    ignore_index
        A label that marks samples to leave out: they cost nothing, and the mean is over the others.
    axis
        The axis of the classes: 1 for images of shape (n, C, height, width).
    reduction
        As in :class:`Loss`, over the samples.

    Raises
    ------
    DataError
        If a label has no class. (On a device whose values are not in the host's memory, the array library decides.)
    ShapeError
        If targets are neither labels nor distributions for the predictions.

    Notes
    -----
    Predictions have shape (..., C). Targets $y$ are labels, whole numbers of shape (...), or distributions of the
    predictions' shape.

    References
    ----------
    Label smoothing: C. Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR 2016, section 7.

    Examples
    --------
    >>> import deepcore as dc
    >>> loss = dc.nn.CategoricalCrossEntropy()
    >>> round(loss(dc.asarray([[0.0, 0.0]]), dc.asarray([1])).item(), 4)
    0.6931
    """

    def __init__(
        self,
        *,
        from_logits: bool = True,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | Tensor | None = None,
        ignore_index: int | None = None,
        axis: int = -1,
        reduction: str = "mean",
    ) -> None:
        super().__init__(class_weights=class_weights, ignore_index=ignore_index, axis=axis, reduction=reduction)
        if not 0.0 <= label_smoothing <= 1.0:
            msg = f"{type(self).__name__}: label_smoothing is from 0 to 1, not {label_smoothing}"
            raise ConfigError(msg)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing

    def losses_of_labels(self, prediction: Tensor, labels: Tensor, class_weights: Tensor | None) -> Tensor:
        """Return the loss of every sample."""
        smoothing = self.label_smoothing
        if class_weights is None and self.from_logits:
            if smoothing:
                return ops.smoothed_cross_entropy(prediction, labels, label_smoothing=smoothing)
            return ops.softmax_cross_entropy(prediction, labels)
        logs: Tensor | None = None
        if self.from_logits:
            losses = ops.softmax_cross_entropy(prediction, labels)
        elif smoothing:
            logs = clamped_log(prediction)
            losses = -self.chosen(logs, labels)
        else:
            losses = -clamped_log(self.chosen(prediction, labels))
        if class_weights is not None:
            losses = losses * self.weights_of(labels, class_weights)
        if not smoothing:
            return losses
        logs = ops.log_softmax(prediction) if logs is None else logs
        spread = logs.mean(axis=-1) if class_weights is None else (logs * class_weights).mean(axis=-1)
        return (1 - smoothing) * losses - smoothing * spread

    def losses_of_distributions(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every sample."""
        logs = ops.log_softmax(prediction) if self.from_logits else clamped_log(prediction)
        if self.label_smoothing:
            target = (1 - self.label_smoothing) * target + self.label_smoothing / prediction.shape[-1]
        return self.weighted_sum(logs, target)


class NLL(LabelLoss):
    r"""Negative log-likelihood of labels, $\ell = -w_y\,\ell_y$ for predicted logarithms of probabilities.

    With :class:`LogSoftmax` in front, it is the cross-entropy of the logits. Targets may be distributions too.

    Parameters
    ----------
    class_weights, ignore_index, axis, reduction
        As in :class:`CategoricalCrossEntropy`.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.NLL()(dc.asarray([[-0.5, -1.5]]), dc.asarray([1])).item()
    1.5
    """

    def losses_of_labels(self, prediction: Tensor, labels: Tensor, class_weights: Tensor | None) -> Tensor:
        """Return the loss of every sample."""
        losses = -self.chosen(prediction, labels)
        return losses if class_weights is None else losses * self.weights_of(labels, class_weights)

    def losses_of_distributions(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every sample."""
        return self.weighted_sum(prediction, target)
