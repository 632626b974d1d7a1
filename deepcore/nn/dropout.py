"""Layers that drop units, or whole channels, at random while training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from .._errors import ConfigError, ShapeError
from ..random import Generator, default_generator
from ._channel_norm import SPATIAL
from ._module import Module

if TYPE_CHECKING:
    from .._tensor import Tensor
    from .._typing import Shape


class Dropout(Module):
    r"""Inverted dropout: $y = x \odot m / (1 - p)$ with $m_i \sim \operatorname{Bernoulli}(1 - p)$ while training,
    and $y = x$ in evaluation.

    Parameters
    ----------
    p
        The probability that a unit is dropped, from 0 up to, but without, 1.
    generator
        The source of the masks; the default one, if not given.

    References
    ----------
    N. Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 15, 2014. There the
    weights are scaled after training; here, as is usual now, the activations are while training.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Dropout(0.5).eval()(dc.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, p: float = 0.5, *, generator: Generator | None = None) -> None:
        check_probability(type(self).__name__, p)
        self.p = p
        self._generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Return the input, with units dropped while training."""
        if not self.training or self.p == 0.0:
            return x
        generator = self._generator or default_generator()
        mask = generator.bernoulli(self._mask_shape(x), p=1 - self.p, dtype=x.dtype, device=x.device)
        return x * (mask / (1 - self.p))

    def _mask_shape(self, x: Tensor) -> Shape:
        """Return the shape of what is drawn: a number for each unit."""
        return x.shape

    def describe(self) -> str:
        """Return the probability."""
        return f"p = {self.p}"


class ChannelDropout(Dropout):
    """The base of dropout of whole channels: the axes after the channels are the subclass's."""

    spatial: int = 0

    def _mask_shape(self, x: Tensor) -> Shape:
        if x.ndim != 2 + self.spatial:
            places = SPATIAL[self.spatial]
            hint = "; a single sample needs an axis in front, x[None]" if x.ndim == 1 + self.spatial else ""
            msg = f"{self!r}: expected (batch, channels, {', '.join(places)}), got {x.shape}{hint}"
            raise ShapeError(msg)
        return (*x.shape[:2], *(1,) * self.spatial)


class Dropout1d(ChannelDropout):
    r"""Dropout of whole channels of sequences, of shape (batch, channels, length): one $m$ for each channel of each
    sample. Everything else is as in :class:`Dropout`.

    Neighbouring places have nearly the same value, so that dropping single ones would take little information away.

    References
    ----------
    J. Tompson et al., Efficient object localization using convolutional networks, CVPR 2015, section 3.2.

    Examples
    --------
    >>> import deepcore as dc
    >>> y = dc.nn.Dropout1d(0.5)(dc.ones((4, 3, 8)))
    >>> bool(dc.all(y == y[:, :, :1]))
    True
    """

    spatial = 1


class Dropout2d(ChannelDropout):
    r"""Dropout of whole channels of images, of shape (batch, channels, height, width). Everything else is as in
    :class:`Dropout1d`.

    Examples
    --------
    >>> import deepcore as dc
    >>> y = dc.nn.Dropout2d(0.5)(dc.ones((4, 3, 8, 8)))
    >>> bool(dc.all(y == y[:, :, :1, :1]))
    True
    """

    spatial = 2


class Dropout3d(ChannelDropout):
    r"""Dropout of whole channels of volumes, of shape (batch, channels, depth, height, width). Everything else is as in
    :class:`Dropout1d`.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Dropout3d(0.5)(dc.ones((4, 3, 2, 2, 2))).shape
    (4, 3, 2, 2, 2)
    """

    spatial = 3


SATURATION: Final = -1.0507009873554805 * 1.6732632423543772
r"""Where SELU saturates on the left, $\alpha' = -\lambda \alpha$."""


class AlphaDropout(Module):
    r"""Dropout that keeps mean 0 and variance 1, to go with SELU: $y = a (x \odot m + \alpha' (1 - m)) + b$ with
    $m_i \sim \operatorname{Bernoulli}(q)$, $q = 1 - p$, while training, and $y = x$ in evaluation.

    What is dropped is set to $\alpha' = -\lambda\alpha$, the value that SELU has far on the left, and
    $a = (q + \alpha'^2 q (1 - q))^{-1/2}$, $b = -a (1 - q) \alpha'$.

    Parameters
    ----------
    p
        The probability that a unit is dropped, from 0 up to, but without, 1.
    generator
        The source of the masks; the default one, if not given.

    References
    ----------
    G. Klambauer et al., Self-normalizing neural networks, NeurIPS 2017, section "New dropout technique".

    Examples
    --------
    >>> import deepcore as dc
    >>> y = dc.nn.AlphaDropout(0.2, generator=dc.random.Generator(0))(dc.random.Generator(1).normal((100_000,)))
    >>> abs(round(float(dc.mean(y)), 1)), round(float(dc.std(y)), 1)
    (0.0, 1.0)
    """

    def __init__(self, p: float = 0.5, *, generator: Generator | None = None) -> None:
        check_probability(type(self).__name__, p)
        self.p = p
        self._generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Return the input, with units set to SELU's lowest value while training."""
        if not self.training or self.p == 0.0:
            return x
        generator = self._generator or default_generator()
        q = 1 - self.p
        mask = generator.bernoulli(x.shape, p=q, dtype=x.dtype, device=x.device)
        a = (q + SATURATION**2 * q * self.p) ** -0.5
        b = -a * self.p * SATURATION
        return x * (mask * a) + ((1 - mask) * (a * SATURATION) + b)

    def describe(self) -> str:
        """Return the probability."""
        return f"p = {self.p}"


class GaussianDropout(Module):
    r"""Multiplicative noise: $y = x \odot n$ with $n_i \sim \mathcal N(1, p / (1 - p))$ while training, and $y = x$ in
    evaluation. The noise has the variance that the factors of :class:`Dropout` have.

    Parameters
    ----------
    p
        The probability in whose place the noise is, from 0 up to, but without, 1.
    generator
        The source of the noise; the default one, if not given.

    References
    ----------
    N. Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 15, 2014, section 10.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.GaussianDropout(0.5).eval()(dc.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, p: float = 0.5, *, generator: Generator | None = None) -> None:
        check_probability(type(self).__name__, p)
        self.p = p
        self._generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Return the input, times noise while training."""
        if not self.training or self.p == 0.0:
            return x
        generator = self._generator or default_generator()
        std = math.sqrt(self.p / (1 - self.p))
        return x * generator.normal(x.shape, mean=1.0, std=std, dtype=x.dtype, device=x.device)

    def describe(self) -> str:
        """Return the probability."""
        return f"p = {self.p}"


class GaussianNoise(Module):
    r"""Additive noise: $y = x + n$ with $n_i \sim \mathcal N(0, \sigma^2)$ while training, and $y = x$ in evaluation.

    Parameters
    ----------
    std
        $\sigma$.
    generator
        The source of the noise; the default one, if not given.

    References
    ----------
    C. M. Bishop, Training with noise is equivalent to Tikhonov regularization, Neural Computation 7, 1995.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.GaussianNoise(0.1).eval()(dc.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, std: float = 0.1, *, generator: Generator | None = None) -> None:
        if not 0.0 <= std < math.inf:
            msg = f"GaussianNoise: std is a finite standard deviation, at least 0, not {std}"
            raise ConfigError(msg)
        self.std = std
        self._generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Return the input, with noise added while training."""
        if not self.training or self.std == 0.0:
            return x
        generator = self._generator or default_generator()
        return x + generator.normal(x.shape, std=self.std, dtype=x.dtype, device=x.device)

    def describe(self) -> str:
        """Return the standard deviation."""
        return f"σ = {self.std}"


def check_probability(name: str, p: float) -> None:
    """Raise if all would be dropped, or p is no probability."""
    if not 0.0 <= p < 1.0:
        msg = f"{name}: p is a probability from 0 up to, but without, 1, not {p}"
        raise ConfigError(msg)
