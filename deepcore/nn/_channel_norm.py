"""What normalisations of channels share: a weight, a bias and running statistics for each channel, and the door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .. import ops
from .._dtype import int32
from .._errors import ConfigError, DTypeError, ShapeError
from .._tape import no_grad
from ._module import Module
from ._parameter import Parameter
from .initializers import initial

if TYPE_CHECKING:
    from .._tensor import Tensor

SPATIAL: Final = {0: (), 1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""What the axes after the channels are called."""


class ChannelNorm(Module):
    r"""The base of layers that normalise channels, on the second axis.

    Parameters
    ----------
    num_features
        The number of channels, $C$.
    eps
        $\varepsilon$, which is added to the variance.
    momentum
        The share $m$ of a batch in the running statistics, $\mu_r \leftarrow (1 - m) \mu_r + m \mu$, or None for the
        mean over all batches.
    affine
        Whether there are a weight, which begins at 1, and a bias, which begins at 0.
    track_running_stats
        Whether there are running statistics, and evaluation uses them.
    """

    spatial: tuple[int, ...] = ()
    """The numbers of axes that there may be after the channels."""

    def __init__(
        self, num_features: int, *, eps: float, momentum: float | None, affine: bool, track_running_stats: bool
    ) -> None:
        name = type(self).__name__
        if num_features < 1:
            msg = f"{name}: the number of channels is at least 1, not {num_features}"
            raise ConfigError(msg)
        if momentum is not None and not 0.0 <= momentum <= 1.0:
            msg = f"{name}: momentum is the share of the new batch, from 0 to 1, or None for the mean, not {momentum}"
            raise ConfigError(msg)
        check_eps(name, eps)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        shape = (num_features,)
        self.weight = Parameter(initial("ones", shape)) if affine else None
        self.bias = Parameter(initial("zeros", shape)) if affine else None
        self.running_mean = initial("zeros", shape) if track_running_stats else None
        self.running_var = initial("ones", shape) if track_running_stats else None
        self.num_batches_tracked = ops.zeros((), dtype=int32) if track_running_stats else None

    def reset_running_stats(self) -> None:
        """Set the running statistics to mean 0 and variance 1, of no batches."""
        with no_grad():
            for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
                if buffer is not None:
                    buffer._rebind(ops.full_like(buffer, value))

    def _track(self, mean: Tensor, variance: Tensor, n: int) -> None:
        """Take the statistics of a training batch of n values each into the running ones, the variance unbiased."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        with no_grad():
            self.num_batches_tracked._rebind(self.num_batches_tracked + 1)
            share: Tensor | float | None = self.momentum
            if share is None:
                share = 1.0 / self.num_batches_tracked.astype(self.running_mean.dtype)
            for running, new in ((self.running_mean, mean), (self.running_var, variance * (n / (n - 1)))):
                running._rebind(((1.0 - share) * running + share * new).astype(running.dtype))

    def _check(self, x: Tensor) -> None:
        if x.ndim - 2 not in self.spatial or x.shape[1] != self.num_features:
            forms = " or ".join(form(self.num_features, n) for n in self.spatial)
            msg = f"{self!r}: expected {forms}, got {x.shape}{_hint(x, self.num_features, self.spatial)}"
            raise ShapeError(msg)
        check_floating(self, x)

    def _refuse_single_values(self, x: Tensor, n: int, of: str) -> None:
        if n < 2:
            msg = (
                f"{self!r}: a batch's own statistics need more than one value of each channel {of}, "
                f"and an input of shape {x.shape} has {n}; for one sample at a time use eval()"
            )
            raise ShapeError(msg)

    def describe(self) -> str:
        """Return the number of channels."""
        return str(self.num_features)


def form(channels: int, spatial: int) -> str:
    """Return what an input's shape is, in words."""
    return f"({', '.join(['batch', str(channels), *SPATIAL[spatial]])})"


def _hint(x: Tensor, channels: int, spatial: tuple[int, ...]) -> str:
    if x.ndim - 2 in spatial and x.ndim > 2 and x.shape[-1] == channels:
        return "; did you pass channels last?"
    if x.ndim - 1 in spatial and x.shape[0] == channels:
        return "; a single sample needs an axis in front, x[None]"
    return ""


def check_eps(name: str, eps: float) -> None:
    """Raise if what is added to a variance is negative, or no number."""
    if not eps >= 0.0:
        msg = f"{name}: eps is added to the variance, and at least 0, not {eps}"
        raise ConfigError(msg)


def check_floating(layer: Module, x: Tensor) -> None:
    """Raise if an input is not of real floating-point numbers."""
    if not x.dtype.is_kind("real floating"):
        msg = f"{layer!r}: expected floating-point numbers, got {x.dtype}; use x.astype(deepcore.float32)"
        raise DTypeError(msg)
