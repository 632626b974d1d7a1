"""Where each of several arrays is in one vector, which holds them end to end."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .._typing import Namespace, Raw, Shape


class Layout:
    """The shapes of arrays that are stored in one vector.

    Attributes
    ----------
    shapes
        The shape of each array.
    size
        The length of the vector.
    """

    __slots__ = ("_bounds", "shapes", "size")

    def __init__(self, shapes: Iterable[Shape]) -> None:
        self.shapes = [tuple(shape) for shape in shapes]
        ends = [0, *accumulate(math.prod(shape) for shape in self.shapes)]
        self.size = ends[-1]
        self._bounds = list(pairwise(ends))

    def join(self, arrays: Sequence[Raw], xp: Namespace) -> Raw:
        """Return the vector of the arrays; of one array, it may be the array itself in another shape."""
        if len(arrays) == 1:
            return xp.reshape(arrays[0], (self.size,))
        reshape = xp.reshape
        pairs = zip(arrays, self._bounds, strict=True)
        return xp.concat([x if x.ndim == 1 else reshape(x, (b - a,)) for x, (a, b) in pairs])

    def split(self, vector: Raw, xp: Namespace) -> list[Raw]:
        """Return the arrays of a vector: views of it, wherever the library has views."""
        reshape = xp.reshape
        pairs = zip(self._bounds, self.shapes, strict=True)
        return [vector[a:b] if len(shape) == 1 else reshape(vector[a:b], shape) for (a, b), shape in pairs]
