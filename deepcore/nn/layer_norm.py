"""Normalisation of each sample by its own mean and variance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors import ShapeError
from ..ops.creation import default_dtype, ones, zeros
from ..ops.elementwise import sqrt
from ..ops.reduction import mean
from ._module import Module, Parameter

if TYPE_CHECKING:
    from .._tensor import Tensor
    from .._typing import Shape


class LayerNorm(Module):
    r"""Layer normalisation, $y = \gamma \odot (x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta$, where $\mu$ and
    $\sigma^2$ are the mean and the variance over the last axes.

    Parameters
    ----------
    normalized_shape
        The lengths of these axes.
    epsilon
        $\epsilon$.

    Attributes
    ----------
    weight
        $\gamma$, which begins at 1.
    bias
        $\beta$, which begins at 0.

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, Layer normalization, arXiv:1607.06450, 2016, equations 3 and 4.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.LayerNorm(2)(dc.asarray([[1.0, 3.0]])).numpy().round(3).tolist()
    [[-1.0, 1.0]]
    """

    def __init__(self, normalized_shape: int | Shape, epsilon: float = 1e-5) -> None:
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.epsilon = epsilon
        self.weight = Parameter(ones(self.normalized_shape, dtype=default_dtype()))
        self.bias = Parameter(zeros(self.normalized_shape, dtype=default_dtype()))

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised input."""
        n = len(self.normalized_shape)
        if x.shape[-n:] != self.normalized_shape:
            msg = f"{self!r}: expected an input of shape (..., {self.describe()}), got {x.shape}"
            raise ShapeError(msg)
        axes = tuple(range(-n, 0))
        centred = x - mean(x, axis=axes, keepdims=True)
        variance = mean(centred * centred, axis=axes, keepdims=True)
        return self.weight * (centred / sqrt(variance + self.epsilon)) + self.bias

    def describe(self) -> str:
        """Return the lengths."""
        return ", ".join(map(str, self.normalized_shape))
