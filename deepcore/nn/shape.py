"""Layers that change the shape and nothing else."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .._errors import ShapeError
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
