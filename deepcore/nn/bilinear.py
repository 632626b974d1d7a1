"""The bilinear layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ops
from .._errors import ConfigError, ShapeError
from ._module import Module
from ._parameter import Parameter
from .initializers import initial

if TYPE_CHECKING:
    from .._tensor import Tensor
    from ..random import Generator
    from .initializers import Initializer


class Bilinear(Module):
    r"""Bilinear layer, $y_k = x_1^\top W_k x_2 + b_k$.

    Parameters
    ----------
    in_features1, in_features2
        The numbers of inputs, $n_1$ and $n_2$.
    out_features
        The number of outputs, $m$.
    use_bias
        Whether there is a $b$. It begins at 0.
    initializer
        How $W$ begins: a function of the shape and a generator, or its name.
    generator
        The source of the initial weights; the default one, if not given.

    Attributes
    ----------
    weight
        $W$, of shape (m, n₁, n₂), as in PyTorch.
    bias
        $b$, of shape (m,), or None.

    Raises
    ------
    ShapeError
        When called on arrays whose last axes are not ``in_features1`` and ``in_features2`` long, or whose other axes
        differ.

    Notes
    -----
    $x_1$ has shape (..., n₁), $x_2$ shape (..., n₂) and $y$ shape (..., m). It is computed as one matrix product,
    $y = \operatorname{vec}(x_1 x_2^\top)\,\operatorname{vec}(W)^\top + b$, of all $n_1 n_2$ products of two inputs.

    References
    ----------
    J. B. Tenenbaum and W. T. Freeman, Separating style and content with bilinear models, Neural Computation 12, 2000,
    equation 1.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Bilinear(3, 4, 2)(dc.ones((5, 3)), dc.ones((5, 4))).shape
    (5, 2)
    """

    def __init__(
        self,
        in_features1: int,
        in_features2: int,
        out_features: int,
        *,
        use_bias: bool = True,
        initializer: str | Initializer = "glorot_uniform",
        generator: Generator | None = None,
    ) -> None:
        numbers = (in_features1, in_features2, out_features)
        if min(numbers) < 1:
            found = ", ".join(map(str, numbers))
            msg = f"Bilinear: the numbers of features are at least 1, not {found}"
            raise ConfigError(msg)
        self.in_features1, self.in_features2, self.out_features = numbers
        self.weight = Parameter(initial(initializer, (out_features, in_features1, in_features2), generator))
        self.bias = Parameter(initial("zeros", (out_features,))) if use_bias else None

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        r"""Return $x_1^\top W_k x_2 + b_k$."""
        n1, n2 = self.in_features1, self.in_features2
        fits = x1.ndim >= 1 and x2.ndim >= 1 and (x1.shape[-1], x2.shape[-1]) == (n1, n2)
        if not fits or x1.shape[:-1] != x2.shape[:-1]:
            swapped = x1.ndim == x2.ndim >= 1 and (x1.shape[-1], x2.shape[-1]) == (n2, n1)
            hint = "; are the two in the other order?" if swapped and n1 != n2 else ""
            wanted = f"inputs of shapes (..., {n1}) and (..., {n2}) that are alike but for the last axis"
            msg = f"{self!r}: expected {wanted}, got {x1.shape} and {x2.shape}{hint}"
            raise ShapeError(msg)
        products = ops.reshape(x1[..., :, None] * x2[..., None, :], (*x1.shape[:-1], n1 * n2))
        weight = ops.matrix_transpose(ops.reshape(self.weight, (self.out_features, n1 * n2)))
        return ops.matmul(products, weight) if self.bias is None else ops.linear(products, weight, self.bias)

    def describe(self) -> str:
        """Return the numbers of inputs and outputs."""
        return f"{self.in_features1}, {self.in_features2} → {self.out_features}"
