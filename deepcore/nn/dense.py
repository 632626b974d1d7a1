"""The fully connected layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors import ConfigError, ShapeError
from ..ops.fused import linear
from ..ops.linear_algebra import matmul
from ._module import Module
from ._parameter import Parameter
from .activation import activation_named
from .initializers import initial

if TYPE_CHECKING:
    from .._tensor import Tensor
    from ..random import Generator
    from .initializers import Initializer


class Dense(Module):
    r"""Fully connected layer, $Y = \phi(XW + b)$.

    Parameters
    ----------
    in_features
        The number of inputs, $n$.
    out_features
        The number of outputs, $m$.
    activation
        The function $\phi$: a module, its name (``"relu"``), or None for the identity.
    use_bias
        Whether there is a $b$. It begins at 0.
    initializer
        How $W$ begins: a function of the shape and a generator, or its name.
    generator
        The source of the initial weights; the default one, if not given.

    Attributes
    ----------
    weight
        $W$, of shape (n, m).
    bias
        $b$, of shape (m,), or None.

    Raises
    ------
    ShapeError
        When called on an array whose last axis is not ``in_features`` long.

    Notes
    -----
    $X$ has shape (..., n) and $Y$ shape (..., m): rows are samples, and $W$ is the transpose of PyTorch's.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Dense(3, 2)(dc.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        activation: str | Module | None = None,
        use_bias: bool = True,
        initializer: str | Initializer = "glorot_uniform",
        generator: Generator | None = None,
    ) -> None:
        if in_features < 1 or out_features < 1:
            msg = f"Dense: the numbers of features are at least 1, not {in_features} and {out_features}"
            raise ConfigError(msg)
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(initial(initializer, (in_features, out_features), generator))
        self.bias = Parameter(initial("zeros", (out_features,))) if use_bias else None
        self.activation = activation_named(activation) if isinstance(activation, str) else activation

    def forward(self, x: Tensor) -> Tensor:
        r"""Return $\phi(XW + b)$."""
        shape = x.shape
        if not shape or shape[-1] != self.in_features:
            hint = self._hint(x)
            msg = f"{self!r}: expected an input of shape (..., {self.in_features}), got {shape}{hint}"
            raise ShapeError(msg)
        y = matmul(x, self.weight) if self.bias is None else linear(x, self.weight, self.bias)
        return y if self.activation is None else self.activation(y)

    def _hint(self, x: Tensor) -> str:
        if x.ndim > 2 and x.size == x.shape[0] * self.in_features:
            return "; put a Flatten before it"
        return ""

    def describe(self) -> str:
        """Return the numbers of inputs and outputs."""
        return f"{self.in_features} → {self.out_features}"
