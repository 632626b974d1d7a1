"""Parts of arrays by position."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from .._dtype import int64
from .._errors import CompileError
from ..graph import Call, Value
from ..graph.program import leaves_of
from ._batch import Length
from ._graph import Graph, maps, result

END: Final = np.iinfo(np.int64).max
START: Final = np.iinfo(np.int64).min + 1


@maps("take")
def _take(g: Graph, call: Call, x: Value, indices: Value, *, axis: int | None = None) -> str:
    return g.add("Gather", g.value(x), g.value(indices, int64), axis=0 if axis is None else axis)


@maps("take_along_axis")
def _take_along_axis(g: Graph, call: Call, x: Value, indices: Value, *, axis: int = -1) -> str:
    axis %= len(x.shape)
    wanted = g.dims(result(call))
    places, name = g.value(indices, int64), g.value(x)
    if g.dims(indices) != wanted:
        places = g.add("Expand", places, g.shape(wanted))
    source = tuple(n if i == axis else m for i, (n, m) in enumerate(zip(g.dims(x), wanted, strict=True)))
    if g.dims(x) != source:
        name = g.add("Expand", name, g.shape(source))
    return g.add("GatherElements", name, places, axis=axis)


@maps("getitem")
def _getitem(g: Graph, call: Call, x: Value, *, key: Any) -> str:
    """Write slices first, then positions, then new axes."""
    parts = _full_key(key, len(x.shape))
    name, axis = g.value(x), 0
    arrays: list[tuple[int, Value]] = []
    kept: list[Any] = []  # what the axes of the result are, before new ones: "axis", "gone" or "array"
    for part in parts:
        if part is None:
            continue
        if isinstance(part, slice):
            name = _slice(g, name, axis, part)
            kept.append("axis")
        elif isinstance(part, Value):
            arrays.append((axis, part))
            kept.append("array")
        else:
            name = g.add("Gather", name, _position(g, part), axis=axis)  # an array of one element keeps the axis
            kept.append("gone")
        axis += 1
    if arrays:
        return _gathered(g, call, name, arrays, parts)
    return name if "gone" not in kept and None not in parts else g.reshape(name, g.dims(result(call)))


def _position(g: Graph, part: Any) -> str:
    return g.length(part) if isinstance(part, Length) else g.ints(int(part))


def _full_key(key: Any, ndim: int) -> list[Any]:
    """Return an index with a slice for every axis that it does not mention."""
    parts = list(key) if isinstance(key, tuple) else [key]
    missing = ndim - sum(part is not None and part is not ... for part in parts)
    whole = [slice(None)] * missing
    if any(part is ... for part in parts):
        i = next(i for i, part in enumerate(parts) if part is ...)
        return [*parts[:i], *whole, *parts[i + 1 :]]
    return [*parts, *whole]


def _slice(g: Graph, name: str, axis: int, part: slice) -> str:
    step = 1 if part.step is None else part.step
    if part == slice(None) or (part.stop is None and part.start in (None, 0) and step == 1):
        return name
    start = (0 if step > 0 else END) if part.start is None else part.start
    stop = (END if step > 0 else START) if part.stop is None else part.stop
    return g.add("Slice", name, g.length(start), g.length(stop), g.ints(axis), g.ints(step))


def _gathered(g: Graph, call: Call, name: str, arrays: list[tuple[int, Value]], parts: list[Any]) -> str:
    """Write positions that are arrays: one for one axis, or several for the first axes together."""
    simple = all(isinstance(part, (slice, Value)) for part in parts)
    axes = [axis for axis, _ in arrays]
    if simple and len(arrays) == 1:
        return g.add("Gather", name, g.value(arrays[0][1], int64), axis=axes[0])
    if simple and axes == list(range(len(axes))):
        lengths = [g.dims(value) for _, value in arrays]
        longest = max(lengths, key=len)
        if all(found == longest for found in lengths):
            columns = [g.add("Unsqueeze", g.value(value, int64), g.ints(len(longest))) for _, value in arrays]
            return g.add("GatherND", name, g.add("Concat", *columns, axis=len(longest)))
    msg = "an index of several arrays is written in ONNX where they have one shape and come first; use take"
    raise CompileError(msg)


@maps("setitem")
def _setitem(g: Graph, call: Call, x: Value, value: Any, *, key: Any) -> str:
    """Write the new elements to their places in rows: one row for each sample, or one in all."""
    parts, dims, dtype = _full_key(key, len(x.shape)), g.dims(x), x.dtype
    lead = 1 if isinstance(dims[0] if dims else 0, Length) and parts[0] == slice(None) else 0
    unknown = [part for part in leaves_of(parts) if isinstance(part, (Value, Length))]
    if unknown or any(isinstance(n, Length) for n in dims[lead:]):
        msg = "elements are replaced in ONNX at places that are known, and the same for all samples; use where"
        raise CompileError(msg)
    shape = x.shape[lead:]
    places = np.arange(math.prod(shape)).reshape(shape)[tuple(parts[lead:])]
    rows = [dims[0] if lead else 1, places.size]
    new = g.add("Expand", g.value(value, dtype), g.shape([*dims[:lead], *places.shape]))
    indices = g.add("Expand", g.constant(places.reshape(1, -1)), g.shape(rows))
    flat = g.reshape(g.value(x), [rows[0], math.prod(shape)])
    return g.reshape(g.add("ScatterElements", flat, indices, g.reshape(new, rows), axis=1), dims)
