"""The values of a kernel at some points of a row, in as many lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llvmlite import ir

from deepcore.graph.group import VIEWS

from ._arithmetic import REDUCERS, reducer
from ._lanes import INT32, INT64, Lanes, scalar_type
from ._memory import LINE, load_value, offset, store_value, stream_value
from ._operations import computed

if TYPE_CHECKING:
    from collections.abc import Callable

    from deepcore.graph.program import Call, Value

    from ._lanes import Code
    from ._space import Space


class Row(Protocol):
    """What is known of a row.

    Attributes
    ----------
    space
        The axes of the kernel.
    makers
        The call that computes each value of the kernel.
    constants
        The numbers of the host, by identity.
    rows
        The address of the row in each value that is in memory.
    kept
        The memory for values that are kept from one sweep to the next.
    done
        Those that are there already.
    streamed
        The values that are written past the caches.
    """

    space: Space
    makers: dict[Value, Call]
    constants: dict[int, Code]
    rows: dict[Value, Code]
    kept: dict[Value, Code]
    done: set[Value]
    streamed: set[Value]

    def is_per_row(self, value: Value) -> bool:
        """Whether a value is the same everywhere in the row."""
        ...

    def scalar(self, value: Value) -> Code:
        """Return such a value."""
        ...


def result_of(row: Row, lanes: Lanes, call: Call, operand: Callable[[Value], Code]) -> Code:
    """Write a call, given what its operands are."""
    if call.operation in VIEWS:
        return operand(next(call.operands()))
    return computed(lanes, call, operand, lambda number: lanes.spread(row.constants[id(number)]))


class Points:
    """Values at some points, each computed when it is asked for.

    Parameters
    ----------
    row
        The row.
    lanes
        As many lanes as there are points.
    indices
        The index of the first point along each axis of the row.
    flat
        Its position in the row.
    use_kept
        Whether values that are kept may be read.
    """

    def __init__(self, row: Row, lanes: Lanes, indices: list[Code], flat: Code, *, use_kept: bool = True) -> None:
        self.row = row
        self.lanes = lanes
        self.indices = indices
        self.flat = flat
        self.use_kept = use_kept
        self._known: dict[Value, Code] = {}

    def value(self, value: Value) -> Code:
        """Return a value at the points."""
        if value not in self._known:
            self._known[value] = self._computed(value)
        return self._known[value]

    def _computed(self, value: Value) -> Code:
        row = self.row
        if row.is_per_row(value):
            return self.lanes.spread(row.scalar(value))
        if self.use_kept and value in row.done:
            return load_value(self.lanes, self._kept(value), value)
        if value in row.makers:
            return result_of(row, self.lanes, row.makers[value], self.value)
        return self._read(value)

    def _kept(self, value: Value) -> Code:
        return self.lanes.builder.gep(self.row.kept[value], [INT64(0), self.flat])

    def _strides(self, value: Value) -> tuple[int, ...]:
        return self.row.space.strides[value][len(self.row.space.outer) :] or (0,)

    def _pointer(self, value: Value) -> Code:
        build = self.lanes.builder
        return build.gep(self.row.rows[value], [offset(build, self.indices, self._strides(value))])

    def _read(self, value: Value) -> Code:
        """Read a value, whose elements may be apart from each other, or one for all lanes."""
        build, pointer, stride = self.lanes.builder, self._pointer(value), self._strides(value)[-1]
        if stride == 1 or self.lanes.width == 1:
            return load_value(self.lanes, pointer, value)
        one = Lanes(build, 1)
        if stride == 0:
            return self.lanes.spread(load_value(one, pointer, value))
        result = ir.Constant(self.lanes.wide(scalar_type(value.dtype)), ir.Undefined)
        for lane in range(self.lanes.width):
            x = load_value(one, build.gep(pointer, [INT64(lane * stride)]), value)
            result = build.insert_element(result, x, INT32(lane))
        return result

    def converted(self, call: Call) -> Code:
        """Return the operand of a reduction in the data type of its result."""
        operand, (result,) = next(call.operands()), call.results
        return self.lanes.converted(self.value(operand), operand.dtype, result.dtype)

    def keep(self, value: Value) -> None:
        """Keep a value for the next sweep."""
        store_value(self.lanes, self.value(value), self._kept(value), value)

    def store(self, value: Value) -> None:
        """Write a value to its place."""
        if value in self.row.streamed and self.lanes.width * value.dtype.bits == LINE * 8:
            stream_value(self.lanes, self.value(value), self._pointer(value))
        else:
            store_value(self.lanes, self.value(value), self._pointer(value), value)

    def accumulate(self, call: Call, accumulator: Code) -> None:
        """Add to the accumulator of a reduction."""
        build, operation = self.lanes.builder, REDUCERS[reducer(call)][0]
        dtype = call.results[0].dtype
        build.store(operation(self.lanes, dtype, build.load(accumulator), self.converted(call)), accumulator)
