"""Sums, means, extremes and their positions; sorting."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .._dtype import bool_, int32, int64
from ._batch import Length
from ._elementwise import common
from ._graph import Graph, axes_of, maps, result

if TYPE_CHECKING:
    from .._dtype import DType
    from ..graph import Call, Value


def reduced(g: Graph, op_type: str, name: str, axes: tuple[int, ...], *, keepdims: bool) -> str:
    """Reduce a value: until opset 18, all but sums have their axes as an attribute."""
    if not axes:
        return g.add("Identity", name)
    if op_type == "ReduceSum" or g.opset >= 18:
        return g.add(op_type, name, g.ints(*axes), keepdims=int(keepdims))
    return g.add(op_type, name, axes=list(axes), keepdims=int(keepdims))


def _reduce(
    g: Graph, call: Call, op_type: str, x: Value, axis: Any, *, keepdims: bool, dtype: DType | None = None
) -> str:
    axes = axes_of(axis, len(x.shape))
    return reduced(g, op_type, g.value(x, dtype), axes, keepdims=keepdims)


@maps("sum", "prod")
def _sum(g: Graph, call: Call, x: Value, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> str:
    op_type = "ReduceSum" if call.operation == "sum" else "ReduceProd"
    return _reduce(g, call, op_type, x, axis, keepdims=keepdims, dtype=result(call).dtype)


@maps("mean", "max", "min")
def _extreme(g: Graph, call: Call, x: Value, *, axis: Any = None, keepdims: bool = False) -> str:
    return _reduce(g, call, f"Reduce{call.operation.title()}", x, axis, keepdims=keepdims)


@maps("all", "any")
def _all(g: Graph, call: Call, x: Value, *, axis: Any = None, keepdims: bool = False) -> str:
    op_type = "ReduceMin" if call.operation == "all" else "ReduceMax"
    truth = g.cast(g.value(x, bool_), int32)
    return g.cast(reduced(g, op_type, truth, axes_of(axis, len(x.shape)), keepdims=keepdims), bool_)


@maps("count_nonzero")
def _count(g: Graph, call: Call, x: Value, *, axis: Any = None, keepdims: bool = False) -> str:
    ones = g.cast(g.value(x, bool_), result(call).dtype)
    return reduced(g, "ReduceSum", ones, axes_of(axis, len(x.shape)), keepdims=keepdims)


@maps("var", "std")
def _var(g: Graph, call: Call, x: Value, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> str:
    axes = axes_of(axis, len(x.shape))
    name = g.value(x)
    centred = g.add("Sub", name, reduced(g, "ReduceMean", name, axes, keepdims=True))
    total = reduced(g, "ReduceSum", g.add("Mul", centred, centred), axes, keepdims=keepdims)
    count, factor = 1, ""
    for a in axes:
        length = g.dims(x)[a]
        if isinstance(length, Length):
            factor = g.cast(g.length(length, ()), x.dtype)
        else:
            count *= length
    n = g.number(float(count), x.dtype)
    n = g.add("Mul", n, factor) if factor else n
    y = g.add("Div", total, g.add("Sub", n, g.number(float(correction), x.dtype)))
    return g.add("Sqrt", y) if call.operation == "std" else y


@maps("argmax", "argmin")
def _arg(g: Graph, call: Call, x: Value, *, axis: int | None = None, keepdims: bool = False) -> str:
    name = g.value(x)
    if axis is None:
        name, axis = g.add("Reshape", name, g.ints(-1)), 0
        if keepdims:
            found = g.add("ArgMax" if call.operation == "argmax" else "ArgMin", name, axis=0, keepdims=0)
            return g.cast(g.reshape(found, g.dims(result(call))), result(call).dtype)
    found = g.add("ArgMax" if call.operation == "argmax" else "ArgMin", name, axis=axis, keepdims=int(keepdims))
    return found if result(call).dtype is int64 else g.cast(found, result(call).dtype)


@maps("cumulative_sum")
def _cumulative_sum(
    g: Graph, call: Call, x: Value, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> str:
    wanted = result(call).dtype
    axis = 0 if axis is None else axis % len(x.shape)
    y = g.add("CumSum", g.value(x, wanted), g.number(axis, int64))
    if not include_initial:
        return y
    first = g.add("Expand", g.number(0, wanted), g.shape([1 if i == axis else n for i, n in enumerate(g.dims(x))]))
    return g.add("Concat", first, y, axis=axis)


@maps("sort", "argsort")
def _sort(g: Graph, call: Call, x: Value, *, axis: int = -1, descending: bool = False, stable: bool = True) -> str:
    values, places = g.add_several(
        "TopK", g.value(x), g.length(g.dims(x)[axis]), n=2, axis=axis, largest=int(descending), sorted=1
    )
    return values if call.operation == "sort" else places


@maps("linalg.vector_norm")
def _vector_norm(g: Graph, call: Call, x: Value, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> str:
    name, axes, dtype = g.value(x), axes_of(axis, len(x.shape)), x.dtype
    if ord == 2:
        return reduced(g, "ReduceL2", name, axes, keepdims=keepdims)
    size = g.add("Abs", name)
    if math.isinf(ord):
        return reduced(g, "ReduceMax" if ord > 0 else "ReduceMin", size, axes, keepdims=keepdims)
    if ord == 0:
        size = g.cast(g.add("Greater", size, g.number(0, dtype)), dtype)
        return reduced(g, "ReduceSum", size, axes, keepdims=keepdims)
    total = reduced(g, "ReduceSum", g.add("Pow", size, g.number(float(ord), dtype)), axes, keepdims=keepdims)
    return g.add("Pow", total, g.number(1 / ord, dtype))


@maps("searchsorted")
def _searchsorted(g: Graph, call: Call, x1: Value, x2: Any, *, side: str = "left", sorter: Value | None = None) -> str:
    """Count the elements before each number."""
    dtype = common(x1, x2)
    edges = g.value(x1, dtype)
    if sorter is not None:
        edges = g.add("Gather", edges, g.value(sorter, int64), axis=0)
    numbers = g.add("Unsqueeze", g.value(x2, dtype), g.ints(-1))
    before = g.add("Less" if side == "left" else "LessOrEqual", edges, numbers)
    return reduced(g, "ReduceSum", g.cast(before, result(call).dtype), (-1,), keepdims=False)
