"""Layers that change the shape and nothing else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .._errors import ConfigError, ShapeError
from ._module import Module

if TYPE_CHECKING:
    from .._tensor import Tensor


class Flatten(Module):
    """Each sample as one row: (n, a, b, ...) becomes (n, a·b·...).

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Flatten()(dc.ones((5, 8, 8))).shape
    (5, 64)
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the rows."""
        if x.ndim < 1:
            msg = f"Flatten: expected samples along the first axis, got an input of shape {x.shape}"
            raise ShapeError(msg)
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))


class Reshape(Module):
    """Each sample in another shape: (n, ...) becomes (n, a, b, ...).

    Parameters
    ----------
    shape
        The shape of a sample. One length may be -1: it follows from the others.

    Raises
    ------
    ShapeError
        When called, if the samples have another number of elements.

    Examples
    --------
    >>> import deepcore as dc
    >>> dc.nn.Reshape(1, 28, 28)(dc.ones((5, 784))).shape
    (5, 1, 28, 28)
    """

    def __init__(self, *shape: int) -> None:
        if shape.count(-1) > 1 or any(length < -1 for length in shape):
            msg = f"Reshape: lengths are 0 or more, or one of them is -1, and these are {shape}"
            raise ConfigError(msg)
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """Return the samples in their shape."""
        if x.ndim < 1:
            msg = f"{self!r}: expected samples along the first axis, got an input of shape {x.shape}"
            raise ShapeError(msg)
        n, size = x.shape[0], math.prod(x.shape[1:])
        known = math.prod(length for length in self.shape if length != -1)
        fits = size % known == 0 if -1 in self.shape and known else size == known
        if not fits:
            msg = f"{self!r}: samples of {size} elements do not fit, got an input of shape {x.shape}"
            raise ShapeError(msg)
        shape = [size // known if length == -1 and known else length for length in self.shape]
        return x.reshape(n, *shape)

    def describe(self) -> str:
        """Return the shape of a sample."""
        return f"n × {' × '.join(map(str, self.shape))}"
