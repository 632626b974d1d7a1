"""Activation functions as layers. The mathematics is in :mod:`deepcore.ops.activation`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .. import ops
from .._errors import ConfigError
from ._module import Module

if TYPE_CHECKING:
    from .._tensor import Tensor


class Identity(Module):
    r"""$\phi(x) = x$."""

    def forward(self, x: Tensor) -> Tensor:
        """Return $x$."""
        return x


class Sigmoid(Module):
    r"""$\phi(x) = 1 / (1 + e^{-x})$, $\phi' = \phi (1 - \phi)$."""

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.sigmoid(x)


class Tanh(Module):
    r"""$\phi(x) = \tanh x$, $\phi' = 1 - \phi^2$."""

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.tanh(x)


class ReLU(Module):
    r"""$\phi(x) = \max(x, 0)$, $\phi' = [x > 0]$, so that $\phi'(0) = 0$."""

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.relu(x)


class LeakyReLU(Module):
    r"""$\phi(x) = x$ for $x > 0$, else $ax$.

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


class Softmax(Module):
    r"""$y_i = e^{x_i} / \sum_j e^{x_j}$, with its full Jacobian $y_i (\delta_{ij} - y_j)$.

    For training, leave it out and use a cross-entropy of logits: that is the same function, and it cannot overflow.

    Parameters
    ----------
    axis
        The axis of the classes.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Return the probabilities."""
        return ops.softmax(x, axis=self.axis)


BY_NAME: Final[dict[str, type[Module]]] = {
    "identity": Identity,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "softmax": Softmax,
}


def activation_named(name: str) -> Module:
    """Return an activation given its name.

    Raises
    ------
    ConfigError
        If there is none of that name. The message lists those that exist.
    """
    if name not in BY_NAME:
        msg = f"unknown activation {name!r}; the known ones are {', '.join(BY_NAME)}"
        raise ConfigError(msg)
    return BY_NAME[name]()
