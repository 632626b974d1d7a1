"""The layer that learns its activation function as the largest of several lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._errors import ConfigError
from ._module import Module
from .dense import Dense

if TYPE_CHECKING:
    from .._tensor import Tensor
    from ..random import Generator
    from .initializers import Initializer


class Maxout(Module):
    r"""Largest of several affine maps, $Y_{ij} = \max_k (X W_k + b_k)_{ij}$.

    A unit computes a convex function of its inputs, made of $k$ pieces; the gradient goes to the piece that won, and in
    equal parts to those that tie.

    Parameters
    ----------
    in_features
        The number of inputs.
    out_features
        The number of outputs.
    pieces
        The number of maps.
    use_bias
        Whether there are $b_k$. They begin at 0.
    initializer
        How the weights begin: a function of the shape and a generator, or its name.
    generator
        The source of the initial weights; the default one, if not given.

    Attributes
    ----------
    dense
        The layer of all the maps; columns $jK$ to $jK + K - 1$ belong to output $j$.

    References
    ----------
    I. J. Goodfellow et al., Maxout networks, ICML 2013, section 3.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Maxout(3, 2, pieces=4)(dc.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        pieces: int = 2,
        *,
        use_bias: bool = True,
        initializer: str | Initializer = "glorot_uniform",
        generator: Generator | None = None,
    ) -> None:
        if min(in_features, out_features, pieces) < 1:
            found = f"{in_features}, {out_features} and {pieces}"
            msg = f"Maxout: the numbers of inputs, outputs and pieces are at least 1, not {found}"
            raise ConfigError(msg)
        self.out_features = out_features
        self.pieces = pieces
        self.dense = Dense(
            in_features, out_features * pieces, use_bias=use_bias, initializer=initializer, generator=generator
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the largest of the maps."""
        y = self.dense(x)
        largest: Tensor = y.reshape(*y.shape[:-1], self.out_features, self.pieces).max(axis=-1)
        return largest

    def describe(self) -> str:
        """Return the numbers of inputs, outputs and pieces."""
        return f"{self.dense.in_features} → {self.out_features}, {self.pieces} pieces"
