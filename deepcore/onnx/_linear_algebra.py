"""Products of matrices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ._batch import Length
from ._graph import Graph, maps, result
from ._reduction import reduced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..graph import Call, Value


@maps("matmul")
def _matmul(g: Graph, call: Call, a: Value, b: Value) -> str:
    dtype = result(call).dtype
    return g.add("MatMul", g.value(a, dtype), g.value(b, dtype))


@maps("linalg.det")
def _det(g: Graph, call: Call, x: Value) -> str:
    return g.add("Det", g.value(x))


@maps("linear")
def _linear(g: Graph, call: Call, x: Value, weight: Value, bias: Value) -> str:
    names = [g.value(value, result(call).dtype) for value in (x, weight, bias)]
    if len(x.shape) == len(weight.shape) == 2 and len(bias.shape) <= 2:
        return g.add("Gemm", *names)
    return g.add("Add", g.add("MatMul", names[0], names[1]), names[2])


@maps("vecdot")
def _vecdot(g: Graph, call: Call, a: Value, b: Value, *, axis: int = -1) -> str:
    dtype = result(call).dtype
    product = g.add("Mul", g.value(a, dtype), g.value(b, dtype))
    return reduced(g, "ReduceSum", product, (axis,), keepdims=False)


@maps("tensordot")
def _tensordot(g: Graph, call: Call, a: Value, b: Value, *, axes: int | Sequence[Sequence[int]] = 2) -> str:
    n, m = len(a.shape), len(b.shape)
    left, right = (list(range(n - axes, n)), list(range(axes))) if isinstance(axes, int) else map(list, axes)
    left, right = [i % n for i in left], [i % m for i in right]
    free_a, free_b = [i for i in range(n) if i not in left], [i for i in range(m) if i not in right]
    dtype = result(call).dtype
    summed = _product([g.dims(a)[i] for i in left])
    x = g.add("Transpose", g.value(a, dtype), perm=[*free_a, *left])
    y = g.add("Transpose", g.value(b, dtype), perm=[*right, *free_b])
    x = g.reshape(x, [_product([g.dims(a)[i] for i in free_a]), summed])
    y = g.reshape(y, [summed, _product([g.dims(b)[i] for i in free_b])])
    return g.reshape(g.add("MatMul", x, y), g.dims(result(call)))


def _product(lengths: list[Any]) -> int | Length:
    """Return the product of lengths, of which one may follow the number of samples."""
    known = math.prod(n for n in lengths if not isinstance(n, Length))
    for n in lengths:
        if isinstance(n, Length):
            return Length(n.factor * known, n.offset * known)
    return known
