"""Instance normalisation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .. import ops
from ._channel_norm import ChannelNorm

if TYPE_CHECKING:
    from .._tensor import Tensor


class InstanceNorm(ChannelNorm):
    """The base of instance normalisation: the axes after the channels are the subclass's."""

    def __init__(
        self,
        num_features: int,
        *,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ) -> None:
        super().__init__(
            num_features, eps=eps, momentum=momentum, affine=affine, track_running_stats=track_running_stats
        )

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $w \hat x + b$."""
        self._check(x)
        places = tuple(range(2, x.ndim))
        if not self.training and self.running_mean is not None and self.running_var is not None:
            statistics = (self.running_mean, self.running_var)
            return ops.batch_norm_inference(x, *statistics, self.weight, self.bias, axis=(0, *places), eps=self.eps)
        n = math.prod(x.shape[2:])
        self._refuse_single_values(x, n, "in each sample")
        weight, bias = (None if p is None else ops.broadcast_to(p, x.shape[:2]) for p in (self.weight, self.bias))
        found: Any = ops.batch_norm(x, weight, bias, axis=places, eps=self.eps)
        self._track(found.mean.mean(axis=0), found.variance.mean(axis=0), n)
        return found.y


class InstanceNorm1d(InstanceNorm):
    r"""Instance normalisation, $y = w \hat x + b$ with $\hat x = (x - \mu) / \sqrt{\sigma^2 + \varepsilon}$, where
    $\mu$ and $\sigma^2$ are the mean and the variance of one channel of one sample.

    Parameters
    ----------
    num_features
        The number of channels, $C$.
    eps
        $\varepsilon$.
    momentum
        The share of a batch in the running statistics, as in :class:`BatchNorm1d`.
    affine
        Whether there are $w$ and $b$.
    track_running_stats
        Whether evaluation uses running statistics, which are means over the samples, and not those of each sample.

    Attributes
    ----------
    weight, bias
        $w$ and $b$, of shape (C,), which begin at 1 and 0; or None.
    running_mean, running_var, num_batches_tracked
        The running statistics, of shape (C,), and how many batches they have seen; or None.

    Raises
    ------
    ShapeError
        When called on anything but (batch, C, length), or on a length of 1, which has no variance.

    References
    ----------
    D. Ulyanov, A. Vedaldi and V. Lempitsky, Instance normalization: the missing ingredient for fast stylization,
    arXiv:1607.08022, 2016, equation 4.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.round(dc.nn.InstanceNorm1d(1)(dc.asarray([[[1.0, 3.0]], [[10.0, 90.0]]]))).tolist()
    [[[-1.0, 1.0]], [[-1.0, 1.0]]]
    """

    spatial = (1,)


class InstanceNorm2d(InstanceNorm):
    r"""Instance normalisation of images, of shape (batch, C, height, width). Everything else is as in
    :class:`InstanceNorm1d`.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.InstanceNorm2d(3)(dc.random.normal((2, 3, 8, 8))).shape
    (2, 3, 8, 8)
    """

    spatial = (2,)


class InstanceNorm3d(InstanceNorm):
    r"""Instance normalisation of volumes, of shape (batch, C, depth, height, width). Everything else is as in
    :class:`InstanceNorm1d`.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.InstanceNorm3d(2)(dc.random.normal((2, 2, 4, 4, 4))).shape
    (2, 2, 4, 4, 4)
    """

    spatial = (3,)
