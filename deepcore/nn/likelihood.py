"""Losses of predicted distributions: divergences and likelihoods."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from .. import ops
from .._errors import ConfigError, DataError, ShapeError
from ._loss import REDUCTIONS, Loss
from ._values import can_be_read

if TYPE_CHECKING:
    from .._tensor import Tensor

HALF_LOG_TWO_PI: Final = 0.5 * math.log(2 * math.pi)


class KLDivergence(Loss):
    r"""Divergence of a predicted distribution $q$ from the target $p$, term by term: $\ell = p\,(\ln p - \ln q)$, and
    0 where $p = 0$.

    Parameters
    ----------
    from_logits
        Whether predictions are logits, to which the log-softmax of the last axis is applied, or the logarithms
        $\ln q$ themselves.
    log_target
        Whether targets are $\ln p$ instead of $p$.
    reduction
        As in :class:`Loss`, over the terms, or ``"batchmean"`` for the divergence itself, averaged over the samples
        (the first axis).

    References
    ----------
    S. Kullback and R. A. Leibler, On information and sufficiency, Annals of Mathematical Statistics 22, 1951.

    Examples
    --------
    >>> import deepcore as dc
    >>> q, p = dc.asarray([[0.5, 0.5]]), dc.asarray([[1.0, 0.0]])
    >>> round(dc.nn.KLDivergence(reduction="batchmean")(dc.log(q), p).item(), 4)
    0.6931
    """

    reductions = (*REDUCTIONS, "batchmean")

    def __init__(self, *, from_logits: bool = False, log_target: bool = False, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.from_logits = from_logits
        self.log_target = log_target

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss."""
        self.same_shape(prediction, target)
        logs = ops.log_softmax(prediction) if self.from_logits else prediction
        target = target.astype(prediction.dtype)
        if self.log_target:
            losses = ops.exp(target) * (target - logs)
        else:
            losses = target * (ops.log(ops.where(target > 0, target, 1.0)) - logs)
        if self.reduction == "batchmean":
            sums = losses.sum(axis=tuple(range(1, losses.ndim))) if losses.ndim > 1 else losses
            return KLDivergence().reduced(sums, weight)
        return self.reduced(losses, weight)


class GaussianNLL(Loss):
    r"""Negative log-likelihood of targets under normal distributions of predicted means $\mu$ and variances $v$,
    element by element: $\ell = \frac12 \bigl(\ln v + (\mu - y)^2 / v\bigr)$, with $v = \max(v, \varepsilon)$.

    Call it with means, targets and variances (and weights). Variances are one for each mean, or one for each sample, of
    shape (..., 1).

    Parameters
    ----------
    full
        Whether to add the constant $\frac12 \ln 2\pi$.
    eps
        $\varepsilon$, which keeps the loss finite, above 0.
    reduction
        As in :class:`Loss`.

    Raises
    ------
    DataError
        If a variance is negative: predict its logarithm, and give its exponential. (On a device whose values are not in
        the host's memory, such a variance counts as $\varepsilon$.)

    References
    ----------
    D. A. Nix and A. S. Weigend, Estimating the mean and variance of the target probability distribution, ICNN 1994,
    equation 4.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.GaussianNLL()(dc.asarray([1.0]), dc.asarray([3.0]), dc.asarray([1.0])).item()
    2.0
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        if not eps > 0.0:
            msg = f"GaussianNLL: eps is above 0, not {eps}"
            raise ConfigError(msg)
        self.full = full
        self.eps = eps

    def forward(self, mean: Tensor, target: Tensor, variance: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the loss."""
        self.same_shape(mean, target)
        if variance.shape not in (mean.shape, (*mean.shape[:-1], 1)):
            choices = f"{mean.shape} or {(*mean.shape[:-1], 1)}"
            msg = f"GaussianNLL: means {mean.shape} need variances of shape {choices}, got {variance.shape}"
            raise ShapeError(msg)
        if can_be_read(variance) and float(lowest := variance.detach().min()) < 0.0:
            msg = f"GaussianNLL: a variance is {float(lowest):.4g}; predict its logarithm and give dc.exp of that"
            raise DataError(msg)
        # The gradient goes to a variance below eps too, as in PyTorch, or it could never grow.
        v = variance + ops.maximum(self.eps - variance.detach(), 0.0)
        losses = 0.5 * (ops.log(v) + ops.square(mean - target.astype(mean.dtype)) / v)
        return self.reduced(losses + HALF_LOG_TWO_PI if self.full else losses, weight)
