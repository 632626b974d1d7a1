"""Activation functions as layers: those that saturate, and the softmax. The mathematics of all of them is in
:mod:`deepcore.ops.activation`, :mod:`deepcore.ops.rectifier` and :mod:`deepcore.ops.gated`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .. import ops
from .._errors import ConfigError
from ._axis import length_along
from ._module import Module
from .gated import GELU, GLU, HardSwish, Mish, SiLU, SwiGLU, Swish
from .rectifier import CELU, ELU, SELU, LeakyReLU, PReLU, ReLU, RReLU, Softplus

if TYPE_CHECKING:
    from .._tensor import Tensor


class Identity(Module):
    r"""$\phi(x) = x$, $\phi' = 1$."""

    def forward(self, x: Tensor) -> Tensor:
        """Return $x$."""
        return x


class Step(Module):
    r"""$\phi(x) = [x > 0]$, $\phi' = 0$: what is in front of it gets no gradient.

    Parameters
    ----------
    at_zero
        The value at 0: 1 for a perceptron that fires at its threshold, 0, or ½.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Step()(dc.asarray([-1.0, 0.0, 2.0])).tolist()
    [0.0, 1.0, 1.0]
    """

    def __init__(self, at_zero: float = 1.0) -> None:
        self.at_zero = at_zero

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.step(x, at_zero=self.at_zero)

    def describe(self) -> str:
        """Return the value at 0."""
        return f"{self.at_zero} at 0"


class Sigmoid(Module):
    r"""$\phi(x) = 1 / (1 + e^{-x})$, $\phi' = \phi (1 - \phi)$."""

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.sigmoid(x)


class HardSigmoid(Module):
    r"""$\phi(x) = \min(\max(x + 3, 0), 6) / 6$, $\phi' = \frac16 [\,|x| < 3\,]$."""

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.hard_sigmoid(x)


class Tanh(Module):
    r"""$\phi(x) = \tanh x$, $\phi' = 1 - \phi^2$."""

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.tanh(x)


class Softsign(Module):
    r"""$\phi(x) = x / (1 + |x|)$, $\phi' = 1 / (1 + |x|)^2$."""

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.softsign(x)


class Gaussian(Module):
    r"""$\phi(x) = e^{-x^2}$, $\phi' = -2x \phi$."""

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(x)$."""
        return ops.gaussian(x)


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
        length_along(self, x, self.axis)
        return ops.softmax(x, axis=self.axis)


class LogSoftmax(Module):
    r"""$y_i = x_i - \ln \sum_j e^{x_j}$, with the Jacobian $\delta_{ij} - e^{y_j}$.

    Parameters
    ----------
    axis
        The axis of the classes.
    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Return the logarithms of the probabilities."""
        length_along(self, x, self.axis)
        return ops.log_softmax(x, axis=self.axis)


BY_NAME: Final[dict[str, type[Module]]] = {
    "identity": Identity,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "softmax": Softmax,
    "step": Step,
    "hard_sigmoid": HardSigmoid,
    "softsign": Softsign,
    "gaussian": Gaussian,
    "prelu": PReLU,
    "rrelu": RReLU,
    "elu": ELU,
    "selu": SELU,
    "celu": CELU,
    "softplus": Softplus,
    "hard_swish": HardSwish,
    "silu": SiLU,
    "swish": Swish,
    "mish": Mish,
    "gelu": GELU,
    "glu": GLU,
    "swiglu": SwiGLU,
    "log_softmax": LogSoftmax,
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
