"""Batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import ops
from .._errors import DataError
from .._modes import in_mode
from .._tape import no_grad
from .._tensor import Tensor
from ._channel_norm import ChannelNorm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ._module import Module


class BatchNorm(ChannelNorm):
    """The base of batch normalisation: the axes after the channels are the subclass's."""

    def __init__(
        self,
        num_features: int,
        *,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps=eps, momentum=momentum, affine=affine, track_running_stats=track_running_stats
        )

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $w \hat x + b$, and while training take the batch into the running statistics."""
        self._check(x)
        axis = (0, *range(2, x.ndim))
        if not self.training and self.running_mean is not None and self.running_var is not None:
            statistics = (self.running_mean, self.running_var)
            return ops.batch_norm_inference(x, *statistics, self.weight, self.bias, axis=axis, eps=self.eps)
        n = x.size // self.num_features
        self._refuse_single_values(x, n, "in the batch")
        found: Any = ops.batch_norm(x, self.weight, self.bias, axis=axis, eps=self.eps)
        self._track(found.mean, found.variance, n)
        return found.y


class BatchNorm1d(BatchNorm):
    r"""Batch normalisation, $y = w \hat x + b$ with $\hat x = (x - \mu) / \sqrt{\sigma^2 + \varepsilon}$.

    While training $\mu$ and $\sigma^2$ are the mean and the variance of each channel over the batch, and in evaluation
    running ones.

    Parameters
    ----------
    num_features
        The number of channels, $C$.
    eps
        $\varepsilon$.
    momentum
        The share $m$ of a batch in the running statistics, $\mu_r \leftarrow (1 - m) \mu_r + m \mu$, or None for
        the mean over all batches since :meth:`reset_running_stats`.
    affine
        Whether there are $w$ and $b$.
    track_running_stats
        Whether there are running statistics. Without them evaluation uses those of its batch too.

    Attributes
    ----------
    weight, bias
        $w$ and $b$, of shape (C,), which begin at 1 and 0; or None.
    running_mean, running_var, num_batches_tracked
        The running statistics, of shape (C,), and how many batches they have seen; or None. They are saved and moved
        with the model, and not learned.

    Raises
    ------
    ShapeError
        When called on anything but (batch, C) or (batch, C, length), or, while training, on one value of each channel,
        which has no variance.

    Notes
    -----
    As in PyTorch, a batch is normalised with the biased variance, the mean square, and the running variance takes the
    unbiased one, which divides by $n - 1$. In the paper evaluation uses the unbiased variance too.

    References
    ----------
    S. Ioffe and C. Szegedy, Batch normalization: accelerating deep network training by reducing internal covariate
    shift, ICML 2015, algorithms 1 and 2.

    Examples
    --------
    >>> import deepcore as dc
    >>> layer = dc.nn.BatchNorm1d(2, momentum=0.5)
    >>> dc.round(layer(dc.asarray([[1.0, 0.0], [3.0, 8.0]]))).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    >>> layer.running_mean.tolist()
    [1.0, 2.0]
    """

    spatial = (0, 1)


class BatchNorm2d(BatchNorm):
    r"""Batch normalisation of images, of shape (batch, C, height, width): each channel is normalised over the batch and
    all places. Everything else is as in :class:`BatchNorm1d`.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.BatchNorm2d(3)(dc.random.normal((2, 3, 8, 8))).shape
    (2, 3, 8, 8)
    """

    spatial = (2,)


class BatchNorm3d(BatchNorm):
    r"""Batch normalisation of volumes, of shape (batch, C, depth, height, width): each channel is normalised over the
    batch and all places. Everything else is as in :class:`BatchNorm1d`.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.BatchNorm3d(2)(dc.random.normal((2, 2, 4, 4, 4))).shape
    (2, 2, 4, 4, 4)
    """

    spatial = (3,)


def update_batch_norm(model: Module, batches: Iterable[Tensor | Sequence[Tensor]]) -> None:
    """Set the running statistics of all batch normalisation in a model to their means over some batches.

    Averaged weights need it (:class:`deepcore.optim.StochasticWeightAverage`): no training step has ever seen them, so
    that the running statistics are those of other weights.

    Parameters
    ----------
    model
        The model. It is run in training mode without gradients, and is in the mode it was in afterwards.
    batches
        Inputs of the model, on its device; of a tuple or list the first element, so that a loader of inputs and targets
        will do.

    Raises
    ------
    DataError
        If there are no batches. Nothing has been changed then.

    References
    ----------
    P. Izmailov et al., Averaging weights leads to wider optima and better generalization, UAI 2018, section 3.2.

    Examples
    --------
    >>> import deepcore as dc
    >>> model = dc.nn.Sequential(dc.nn.BatchNorm1d(1))
    >>> dc.nn.update_batch_norm(model, [dc.asarray([[1.0], [3.0]]), dc.asarray([[5.0], [9.0]])])
    >>> model[0].running_mean.tolist(), model[0].running_var.tolist()
    ([4.5], [5.0])
    """
    modules = [module for _, module in model.named_modules()]
    layers = [m for m in modules if isinstance(m, BatchNorm) and m.running_mean is not None]
    if not layers:
        return
    momenta = [(layer, layer.momentum) for layer in layers]
    count = 0
    try:
        with no_grad(), in_mode(modules, training=True):
            for count, batch in enumerate(batches, start=1):
                if count == 1:
                    for layer in layers:
                        layer.reset_running_stats()
                        layer.momentum = None
                model(batch if isinstance(batch, Tensor) else batch[0])
    finally:
        for layer, momentum in momenta:
            layer.momentum = momentum
    if count == 0:
        msg = "update_batch_norm: there are no batches to take the statistics of; is the loader used up?"
        raise DataError(msg)
