"""Layers that drop units at random while training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors import ConfigError
from ..random import Generator, default_generator
from ._module import Module

if TYPE_CHECKING:
    from .._tensor import Tensor


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
        if not 0.0 <= p < 1.0:
            msg = f"Dropout: p is a probability from 0 up to, but without, 1, not {p}"
            raise ConfigError(msg)
        self.p = p
        self._generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Return the input, with units dropped while training."""
        if not self.training or self.p == 0.0:
            return x
        generator = self._generator or default_generator()
        mask = generator.bernoulli(x.shape, p=1 - self.p, dtype=x.dtype, device=x.device)
        return x * (mask / (1 - self.p))

    def describe(self) -> str:
        """Return the probability."""
        return f"p = {self.p}"
