"""Rectifiers as layers. The mathematics is in :mod:`deepcore.ops.rectifier`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ops
from .._errors import ConfigError, ShapeError
from ..random import Generator, default_generator
from ._axis import length_along
from ._module import Module
from ._parameter import Parameter

if TYPE_CHECKING:
    from .._tensor import Tensor


class ReLU(Module):
    r"""$\phi(x) = \max(x, 0)$, $\phi' = [x > 0]$, so that $\phi'(0) = 0$.

    Parameters
    ----------
    subgradient
        What to take for $\phi'(0)$ instead, from 0 to 1: ½ is the mean of both sides.

    Examples
    --------
    >>> import deepcore as dc
    >>> x = dc.asarray([0.0], requires_grad=True)
    >>> dc.nn.ReLU(subgradient=0.5)(x).sum().backward()
    >>> x.grad.item()
    0.5
    """

    def __init__(self, subgradient: float = 0.0) -> None:
        if not 0.0 <= subgradient <= 1.0:
            msg = f"ReLU: a subgradient at 0 is from 0 to 1, not {subgradient}"
            raise ConfigError(msg)
        self.subgradient = subgradient

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.relu_subgradient(x, subgradient=self.subgradient) if self.subgradient else ops.relu(x)

    def describe(self) -> str:
        """Return the derivative at 0, unless it is 0."""
        return f"{self.subgradient} at 0" if self.subgradient else ""


class LeakyReLU(Module):
    r"""$\phi(x) = x$ for $x > 0$, else $ax$; $\phi' = 1$ or $a$.

    Parameters
    ----------
    negative_slope
        The slope $a$ below 0.
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.leaky_relu(x, negative_slope=self.negative_slope)

    def describe(self) -> str:
        """Return the slope."""
        return f"slope {self.negative_slope}"


class PReLU(Module):
    r"""$\phi(x) = x$ for $x > 0$, else $a_c x$ with learned slopes; $\phi' = 1$ or $a_c$.

    Parameters
    ----------
    n_slopes
        One slope for all, or one for each feature or channel $c$.
    axis
        The axis of the features or channels.
    initial
        What the slopes begin at.

    Attributes
    ----------
    slope
        $a$, of shape (n_slopes,).

    Raises
    ------
    ShapeError
        When called on an array that does not have a feature for every slope.

    References
    ----------
    K. He et al., Delving deep into rectifiers, ICCV 2015, section 2.1. Weight decay, as there, is better not applied
    to the slopes.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.PReLU(3)(dc.full((2, 3), -1.0)).tolist()
    [[-0.25, -0.25, -0.25], [-0.25, -0.25, -0.25]]
    """

    def __init__(self, n_slopes: int = 1, *, axis: int = 1, initial: float = 0.25) -> None:
        if n_slopes < 1:
            msg = f"PReLU: the number of slopes is at least 1, not {n_slopes}"
            raise ConfigError(msg)
        self.axis = axis
        self.slope = Parameter(ops.full((n_slopes,), initial, dtype=ops.default_dtype()))

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        n = self.slope.shape[0]
        if n == 1:
            return ops.prelu(x, self.slope)
        if length_along(self, x, self.axis) != n:
            msg = f"{self!r}: expected {n} features along axis {self.axis}, got an input of shape {x.shape}"
            raise ShapeError(msg)
        return ops.prelu(x, self.slope.reshape(-1, *[1] * (x.ndim - 1 - self.axis % x.ndim)))

    def describe(self) -> str:
        """Return the number of slopes."""
        return f"{self.slope.shape[0]}"


class RReLU(Module):
    r"""$\phi(x) = x$ for $x > 0$, else $ax$, where every element draws its slope $a$ from the uniform distribution over
    $[l, u)$ while training, and has $a = (l + u) / 2$ in evaluation; $\phi' = 1$ or $a$.

    Parameters
    ----------
    lower, upper
        $l$ and $u$.
    generator
        The source of the slopes; the default one, if not given.

    References
    ----------
    B. Xu et al., Empirical evaluation of rectified activations in convolutional network, arXiv:1505.00853, 2015,
    section 2.4, with its $1/l$ and $1/u$ written as slopes, as in PyTorch.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.RReLU(0.25, 0.75).eval()(dc.asarray([-1.0, 1.0])).tolist()
    [-0.5, 1.0]
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, *, generator: Generator | None = None) -> None:
        if lower > upper:
            msg = f"RReLU: the lower slope, {lower}, is above the upper one, {upper}"
            raise ConfigError(msg)
        self.lower = lower
        self.upper = upper
        self._generator = generator

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        if not self.training:
            return ops.leaky_relu(x, negative_slope=(self.lower + self.upper) / 2)
        generator = self._generator or default_generator()
        slopes = generator.uniform(x.shape, low=self.lower, high=self.upper, dtype=x.dtype, device=x.device)
        return ops.prelu(x, slopes)

    def describe(self) -> str:
        """Return the interval."""
        return f"slopes {self.lower:.4g} to {self.upper:.4g}"


class ELU(Module):
    r"""$\phi(x) = x$ for $x > 0$, else $\alpha (e^x - 1)$; $\phi' = 1$ or $\alpha e^x$.

    Parameters
    ----------
    alpha
        Where it saturates on the left is $-\alpha$.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.elu(x, alpha=self.alpha)

    def describe(self) -> str:
        """Return alpha."""
        return f"α = {self.alpha}"


class SELU(Module):
    r"""$\phi(x) = \lambda x$ for $x > 0$, else $\lambda \alpha (e^x - 1)$; $\phi' = \lambda$ or $\lambda \alpha e^x$,
    with $\alpha \approx 1.6733$ and $\lambda \approx 1.0507$. It goes with the initializer ``"lecun_normal"``.
    """

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.selu(x)


class CELU(Module):
    r"""$\phi(x) = \max(x, 0) + \alpha (e^{\min(x, 0) / \alpha} - 1)$, $\phi' = e^{\min(x, 0) / \alpha}$.

    Parameters
    ----------
    alpha
        Where it saturates on the left is $-\alpha$, above 0.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        if alpha <= 0.0:
            msg = f"CELU: alpha is above 0, not {alpha}"
            raise ConfigError(msg)
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.celu(x, alpha=self.alpha)

    def describe(self) -> str:
        """Return alpha."""
        return f"α = {self.alpha}"


class Softplus(Module):
    r"""$\phi(x) = \frac1\beta \ln(1 + e^{\beta x})$, $\phi' = 1 / (1 + e^{-\beta x})$.

    Parameters
    ----------
    beta
        How sharp the bend is, above 0.
    """

    def __init__(self, beta: float = 1.0) -> None:
        if beta <= 0.0:
            msg = f"Softplus: beta is above 0, not {beta}"
            raise ConfigError(msg)
        self.beta = beta

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.softplus(x, beta=self.beta)

    def describe(self) -> str:
        """Return beta."""
        return f"β = {self.beta}"
