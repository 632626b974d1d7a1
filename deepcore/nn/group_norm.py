"""Group normalisation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .. import ops
from .._errors import ConfigError, ShapeError
from ._channel_norm import check_eps, check_floating
from ._module import Module
from ._parameter import Parameter
from .initializers import initial

if TYPE_CHECKING:
    from .._tensor import Tensor


class GroupNorm(Module):
    r"""Group normalisation, $y = w \hat x + b$ with $\hat x = (x - \mu) / \sqrt{\sigma^2 + \varepsilon}$, where
    $\mu$ and $\sigma^2$ are the mean and the variance of a group of channels of one sample, at all places.

    Parameters
    ----------
    num_groups
        The number of groups, $G$, of neighbouring channels.
    num_channels
        The number of channels, $C$, a multiple of $G$.
    eps
        $\varepsilon$.
    affine
        Whether there are $w$ and $b$.

    Attributes
    ----------
    weight, bias
        $w$ and $b$, of shape (C,), one for each channel, which begin at 1 and 0; or None.

    Raises
    ------
    ShapeError
        When called on anything but (batch, C, ...).

    Notes
    -----
    One group is a layer norm over channels and places, and as many groups as channels are an instance norm. No batch is
    needed, and training and evaluation are alike.

    References
    ----------
    Y. Wu and K. He, Group normalization, ECCV 2018, equations 1, 2 and 7.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.round(dc.nn.GroupNorm(2, 4)(dc.asarray([[1.0, 3.0, 10.0, 90.0]]))).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """

    def __init__(self, num_groups: int, num_channels: int, *, eps: float = 1e-5, affine: bool = True) -> None:
        if num_groups < 1 or num_channels < 1 or num_channels % num_groups:
            msg = f"GroupNorm: {num_channels} channels cannot be divided into {num_groups} groups of the same size"
            raise ConfigError(msg)
        check_eps("GroupNorm", eps)
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.weight = Parameter(initial("ones", (num_channels,))) if affine else None
        self.bias = Parameter(initial("zeros", (num_channels,))) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $w \hat x + b$."""
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            hint = "; did you pass channels last?" if x.ndim > 2 and x.shape[-1] == self.num_channels else ""
            msg = f"{self!r}: expected (batch, {self.num_channels}, ...), got {x.shape}{hint}"
            raise ShapeError(msg)
        check_floating(self, x)
        size = self.num_channels // self.num_groups * math.prod(x.shape[2:])
        groups = ops.reshape(x, (x.shape[0], self.num_groups, size))
        y = ops.reshape(ops.layer_norm(groups, eps=self.eps), x.shape)
        if self.weight is None or self.bias is None:
            return y
        each = (self.num_channels, *(1,) * (x.ndim - 2))
        return (y * ops.reshape(self.weight, each) + ops.reshape(self.bias, each)).astype(x.dtype)

    def describe(self) -> str:
        """Return the numbers of groups and channels."""
        return f"{self.num_groups} groups of {self.num_channels}"
