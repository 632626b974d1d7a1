"""Functions that move elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import CompileError
from ._graph import Graph, axes_of, maps, result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..graph import Call, Value
    from ._batch import Length


@maps("reshape", "squeeze", "expand_dims")
def _reshape(g: Graph, call: Call, x: Value, shape: Any = None, **options: Any) -> str:
    return g.reshape(g.value(x), g.dims(result(call)))


@maps("permute_dims")
def _permute(g: Graph, call: Call, x: Value, axes: Sequence[int]) -> str:
    return g.add("Transpose", g.value(x), perm=[a % len(x.shape) for a in axes])


@maps("matrix_transpose")
def _matrix_transpose(g: Graph, call: Call, x: Value) -> str:
    n = len(x.shape)
    return g.add("Transpose", g.value(x), perm=[*range(n - 2), n - 1, n - 2])


@maps("moveaxis")
def _moveaxis(g: Graph, call: Call, x: Value, source: Any, destination: Any) -> str:
    order = np.moveaxis(np.empty(range(1, len(x.shape) + 1)), source, destination).shape
    return g.add("Transpose", g.value(x), perm=[a - 1 for a in order])


@maps("broadcast_to")
def _broadcast_to(g: Graph, call: Call, x: Value, shape: Any) -> str:
    return g.add("Expand", g.value(x), g.shape(g.dims(result(call))))


def sliced(g: Graph, name: str, axis: int, start: int | Length, stop: int | Length, step: int = 1) -> str:
    """Return a slice along an axis; the ends are as ONNX has them, negative ones counted from the end."""
    return g.add("Slice", name, g.length(start), g.length(stop), g.ints(axis), g.ints(step))


@maps("flip")
def _flip(g: Graph, call: Call, x: Value, *, axis: Any = None) -> str:
    name = g.value(x)
    for a in axes_of(axis, len(x.shape)):
        name = sliced(g, name, a, -1, np.iinfo(np.int64).min + 1, -1)
    return name


@maps("roll")
def _roll(g: Graph, call: Call, x: Value, shift: Any, *, axis: Any = None) -> str:
    if axis is None:
        flat = _rolled(g, g.add("Reshape", g.value(x), g.ints(-1)), x.size, shift, 0)
        return g.reshape(flat, g.dims(x))
    pairs = zip(*(np.atleast_1d(part).tolist() for part in np.broadcast_arrays(shift, axis)), strict=True)
    name = g.value(x)
    for s, a in pairs:
        name = _rolled(g, name, x.shape[a], s, a % len(x.shape))
    return name


def _rolled(g: Graph, name: str, length: int, shift: int, axis: int) -> str:
    shift %= max(length, 1)
    if shift == 0:
        return name
    end = np.iinfo(np.int64).max
    return g.add("Concat", sliced(g, name, axis, -shift, end), sliced(g, name, axis, 0, -shift), axis=axis)


@maps("tile")
def _tile(g: Graph, call: Call, x: Value, repetitions: Sequence[int]) -> str:
    n = max(len(repetitions), len(x.shape))
    name = g.value(x)
    if n > len(x.shape):
        name = g.reshape(name, [*[1] * (n - len(x.shape)), *g.dims(x)])
    return g.add("Tile", name, g.shape([*[1] * (n - len(repetitions)), *repetitions]))


@maps("repeat")
def _repeat(g: Graph, call: Call, x: Value, repeats: Any, *, axis: int | None = None) -> str:
    if not isinstance(repeats, int):
        msg = "ONNX repeats every element equally often; use take with the places of the elements"
        raise CompileError(msg)
    if axis is None:
        column = g.add("Reshape", g.value(x), g.ints(-1, 1))
        return g.reshape(g.add("Tile", column, g.ints(1, repeats)), g.dims(result(call)))
    axis %= len(x.shape)
    dims = list(g.dims(x))
    name = g.reshape(g.value(x), [*dims[: axis + 1], 1, *dims[axis + 1 :]])
    times = [1] * (len(dims) + 1)
    times[axis + 1] = repeats
    return g.reshape(g.add("Tile", name, g.ints(*times)), g.dims(result(call)))


@maps("concat")
def _concat(g: Graph, call: Call, arrays: Sequence[Value], *, axis: int | None = 0) -> str:
    names = [g.value(x, result(call).dtype) for x in arrays]
    if axis is None:
        names, axis = [g.add("Reshape", name, g.ints(-1)) for name in names], 0
    return g.add("Concat", *names, axis=axis)


@maps("stack")
def _stack(g: Graph, call: Call, arrays: Sequence[Value], *, axis: int = 0) -> str:
    place = g.ints(axis % (len(arrays[0].shape) + 1))
    names = [g.add("Unsqueeze", g.value(x, result(call).dtype), place) for x in arrays]
    return g.add("Concat", *names, axis=axis)


@maps("tril", "triu")
def _triangle(g: Graph, call: Call, x: Value, *, k: int = 0) -> str:
    return g.add("Trilu", g.value(x), g.constant(np.int64(k)), upper=int(call.operation == "triu"))
