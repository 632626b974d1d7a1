"""The code of a kernel: a loop over rows, and in each row a sweep for each level of reductions.

A group of calls (:mod:`deepcore.graph.fusion`) becomes a function that computes some of its rows. It is given all that
differs between groups that compute the same, so that these have one function: the first row, the last, the memory of
the thread for its ends, the numbers of the host, and where in memory what it reads and writes is. Values of the group
are in registers: one for each row, or as many at a time as there are lanes. What a later sweep needs again is computed
again, unless that would cost more than keeping a row of it.

A group without rows is cut into pieces of :data:`PIECE` points, which take the place of rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir

from deepcore.graph.group import PICK, REDUCTIONS
from deepcore.graph.program import Value

from ._arithmetic import REDUCERS, folded, reducer
from ._ends import Ends
from ._lanes import DOUBLE, INT32, INT64, Lanes, kind, memory_type, scalar_type
from ._loops import alloca, function, loop, nested
from ._memory import LINE, load_value, offset, pointer_type, spans, store_value, widest
from ._operations import EXPENSIVE
from ._points import Points, result_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deepcore.graph.group import Group
    from deepcore.graph.program import Call

    from ._lanes import Code
    from ._space import Space

PIECE: Final = 1024
"""The points of a piece of a kernel without rows."""

KEPT_BYTES: Final = 1 << 16
"""The length up to which a row is kept from one sweep to the next."""


@dataclass
class _Sweep:
    """What is computed in one passage over a row."""

    stores: list[Value] = field(default_factory=list[Value])
    reductions: list[Call] = field(default_factory=list[Any])
    ends: list[Call] = field(default_factory=list[Any])


def units(group: Group, space: Space) -> int:
    """Return how many rows or pieces a kernel has."""
    pieces = 1 if group.columns else -(-space.inner[0] // PIECE)
    return math.prod(space.outer) * pieces


class Kernel:
    """The writer of one kernel.

    Parameters
    ----------
    module
        Where the function goes.
    name
        Its name.
    group
        What it computes.
    space
        The axes along which it goes.
    large
        The results that are larger than caches, and begin where a line of the cache does.

    Attributes
    ----------
    function
        The function.
    finish
        The function that puts together what several threads have added up, where there is anything.
    """

    def __init__(self, module: Any, name: str, group: Group, space: Space, large: Sequence[Value]) -> None:
        self.group = group
        self.space = space
        arguments = [*[INT64] * 3, *[DOUBLE] * len(group.numbers), *map(pointer_type, group.memory)]
        self.function, self.builder = function(module, name, arguments, INT32)
        self.makers = {value: call for call in group.calls for value in call.results}
        self.levels = dict(zip(map(id, group.calls), group.levels, strict=True))
        self.ends = Ends(group, space)
        self.sweeps = self._planned()
        self.kept = self._kept()
        streamed = [value for value in large if self._is_streamed(value)]
        self.streamed = set(streamed if len(streamed) == 1 else [])
        self.rows: dict[Value, Code] = {}
        self.done: set[Value] = set()
        self._scalars: dict[Value, Code] = {}
        self._write()
        self.finish = self.ends.finish(module, f"{name}_finish") if group.ends else None

    # ---------------------------------------------------------------------------------------------------- decisions

    def is_per_row(self, value: Value) -> bool:
        """Whether a value is computed once for each row."""
        return bool(self.group.columns) and self.group.is_per_row(value)

    def _is_reduction(self, call: Call) -> bool:
        return call.operation in REDUCTIONS and call not in self.ends

    def _planned(self) -> list[_Sweep]:
        """Return what each sweep computes."""
        sweeps = [_Sweep() for _ in range(max(self.group.levels) + 1)]
        for call in self.group.calls:
            sweep, (result,) = sweeps[self.levels[id(call)]], call.results
            if call in self.ends:
                sweep.ends.append(call)
            elif self._is_reduction(call):
                sweep.reductions.append(call)
            elif result in self.group.outputs and not self.is_per_row(result):
                sweep.stores.append(result)
        return sweeps

    def _needed(self, sweep: _Sweep) -> dict[Value, None]:
        """Return the values with an element for each point that a sweep reads or computes."""
        found: dict[Value, None] = {}

        def visit(value: Value) -> None:
            if value in found or self.is_per_row(value):
                return
            found[value] = None
            if value in self.makers and not self._is_reduction(self.makers[value]):
                for x in self.makers[value].operands():
                    visit(x)

        for call in (*sweep.reductions, *sweep.ends):
            visit(next(call.operands()))
        for value in sweep.stores:
            visit(value)
        return found

    def _kept(self) -> dict[Value, Code]:
        """Return the values that are kept from one sweep to the next, each with the memory of a row of it."""
        seen: dict[Value, None] = {}
        kept: dict[Value, Code] = {}
        width = math.prod(self.space.inner)
        for sweep in self.sweeps:
            needed = self._needed(sweep)
            for value in needed:
                call = self.makers.get(value)
                is_worth_it = call is not None and call.operation in EXPENSIVE
                if value in seen and is_worth_it and value not in kept and width * value.dtype.bits // 8 <= KEPT_BYTES:
                    kept[value] = self.builder.alloca(ir.ArrayType(memory_type(value.dtype), width))
                    kept[value].align = LINE
            seen |= needed
        return kept

    def _is_streamed(self, value: Value) -> bool:
        """Whether a large result is written past the caches: line by line, in a kernel that memory holds up.

        Where the processor computes for long between two lines, that would take longer, and where it writes two results
        at once, more than twice as long.
        """
        is_slow = any(call.operation in EXPENSIVE and not self.is_per_row(call.results[0]) for call in self.group.calls)
        if is_slow or kind(value.dtype) == "b":
            return False
        *before, last = self.space.strides[value]
        return last == 1 and not any(stride * value.dtype.bits % (LINE * 8) for stride in before)

    def _width(self) -> int:
        """Return the number of lanes."""
        length = min(self.space.inner[-1], PIECE)
        return min(widest(max(x.dtype.bits for x in self.makers)), 1 << max(length.bit_length() - 1, 0))

    # ------------------------------------------------------------------------------------------------------- writing

    def _write(self) -> None:
        build, group = self.builder, self.group
        begin, end, own, *others = self.function.args
        count = len(group.numbers)
        self.constants: dict[int, Code] = dict(zip(map(id, group.numbers), others[:count], strict=True))
        self._bases: dict[Value, Code] = dict(zip(group.memory, others[count:], strict=True))
        self._wrong = build.alloca(INT32)
        build.store(INT32(0), self._wrong)
        self.ends.begin(build, own)
        with loop(build, begin, end) as unit:
            self._unit(unit)
        if self.streamed:
            build.fence("seq_cst")  # other threads see what was written after the barrier
        build.ret(build.load(self._wrong))

    def _unit(self, unit: Code) -> None:
        """Write the computation of a row, or of a piece of the last axis."""
        if self.group.columns:
            self._row(self._indices(unit), [(INT64(0), n) for n in self.space.inner])
            return
        (length,), build = self.space.inner, self.builder
        pieces, rest = -(-length // PIECE), length % PIECE
        if pieces == 1:
            self._row(self._indices(unit), [(INT64(0), length)])
            return
        piece = build.urem(unit, INT64(pieces))
        outer = self._indices(build.udiv(unit, INT64(pieces)))
        start = build.mul(piece, INT64(PIECE))
        if not rest:
            self._row(outer, [(start, PIECE)])
            return
        with build.if_else(build.icmp_signed("<", piece, INT64(pieces - 1))) as (whole, last):
            with whole:
                self._row(outer, [(start, PIECE)])
            with last:
                self._row(outer, [(start, rest)])

    def _indices(self, unit: Code) -> list[Code]:
        """Return the index of a row along each axis before it."""
        return self._split(unit, self.space.outer) if len(self.space.outer) > 1 else [unit] * len(self.space.outer)

    def _split(self, position: Code, shape: Sequence[int]) -> list[Code]:
        """Return the index along each axis of a position in row-major order."""
        found: list[Code] = []
        for length in reversed(shape):
            found.append(self.builder.urem(position, INT64(length)))
            position = self.builder.udiv(position, INT64(length))
        return found[::-1]

    def _row(self, outer: list[Code], ranges: list[tuple[Code, int]]) -> None:
        """Write the sweeps over a row: along each of its axes, where it begins and how long it is."""
        build = self.builder
        indices = [*outer, *(start for start, _ in ranges)]
        self.rows = {
            value: build.gep(first, [offset(build, indices, self.space.strides[value])])
            for value, first in self._bases.items()
        }
        self.ends.locate(build, indices)
        self._scalars, self.done = {}, set()
        for value in self.group.inputs:
            if self.is_per_row(value):
                self.scalar(value)
        for level, sweep in enumerate(self.sweeps):
            self._compute_scalars(level)
            if sweep.reductions or sweep.ends or sweep.stores:
                self._sweep(sweep, [n for _, n in ranges])
        self._compute_scalars(len(self.sweeps))
        for value in self.group.outputs:
            if value in self._scalars:
                store_value(Lanes(build, 1), self._scalars[value], self.rows[value], value)

    # -------------------------------------------------------------------------------------- values of a whole row

    def _compute_scalars(self, level: int) -> None:
        """Write the values of a row that are known before a sweep."""
        for call in self.group.calls:
            is_known = self.levels[id(call)] <= level and not self._is_reduction(call) and call not in self.ends
            if is_known and self.is_per_row(call.results[0]):
                self.scalar(call.results[0])

    def scalar(self, value: Value) -> Code:
        """Return a value of the row."""
        if value not in self._scalars:
            call, lanes = self.makers.get(value), Lanes(self.builder, 1)
            if call is None:
                self._scalars[value] = load_value(lanes, self.rows[value], value)
            elif call.operation == PICK:
                self._scalars[value] = self._picked(call)
            else:
                self._scalars[value] = result_of(self, lanes, call, self.scalar)
        return self._scalars[value]

    def _picked(self, call: Call) -> Code:
        """Write the element of a row that an index chooses."""
        build = self.builder
        operand, index = call.operands()
        length = math.prod(self.space.inner)
        position = self.scalar(index)
        if index.dtype.bits < INT64.width:
            position = (build.sext if kind(index.dtype) == "i" else build.zext)(position, INT64)
        from_end = build.icmp_signed("<", position, INT64(0))
        position = build.select(from_end, build.add(position, INT64(length)), position)
        is_inside = build.icmp_unsigned("<", position, INT64(length))
        build.store(build.select(is_inside, build.load(self._wrong), INT32(1)), self._wrong)
        position = build.select(is_inside, position, INT64(0))
        indices = self._split(position, self.space.inner)
        return Points(self, Lanes(build, 1), indices, position, use_kept=False).value(operand)

    # -------------------------------------------------------------------------------------------------------- sweeps

    def _sweep(self, sweep: _Sweep, lengths: Sequence[int]) -> None:
        """Write one passage over a row."""
        build = self.builder
        totals = {id(call): self._accumulators(call) for call in sweep.reductions}
        totals |= {id(call): self._accumulators(call) for call in sweep.ends if self._adds_up(call)}
        with nested(build, lengths[:-1]) as indices:
            flat: Code = INT64(0)
            for index, length in zip(indices, lengths, strict=False):
                flat = build.add(build.mul(flat, INT64(length)), index)
            flat = build.mul(flat, INT64(lengths[-1]))
            for width, start, count in spans(lengths[-1], self._width()):
                with loop(build, INT64(0), INT64(count), once=count == 1) as i:
                    position = build.add(build.mul(i, INT64(width)), INT64(start))
                    points = Points(self, Lanes(build, width), [*indices, position], build.add(flat, position))
                    self._at(points, sweep, totals)
        for call in sweep.reductions:
            total = self._reduced(call, totals[id(call)])
            if call.operation == "mean":
                total = build.fdiv(total, ir.Constant(total.type, float(math.prod(lengths))))
            self._scalars[call.results[0]] = total
        for call in sweep.ends:
            operand = next(call.operands())
            if id(call) in totals:
                self.ends.add_row(build, call, self._reduced(call, totals[id(call)]))
            elif self.is_per_row(operand):
                self.ends.add_row(build, call, self.scalar(operand))
        self.done |= {value for value in self._needed(sweep) if value in self.kept}

    def _at(self, points: Points, sweep: _Sweep, totals: dict[int, dict[int, Code]]) -> None:
        """Write what a sweep does at some points."""
        for value in self._needed(sweep):
            if value in self.kept and value not in self.done:
                points.keep(value)
        for call in (*sweep.reductions, *sweep.ends):
            if id(call) in totals:
                points.accumulate(call, totals[id(call)][points.lanes.width])
            elif not self.is_per_row(next(call.operands())):
                self.ends.add_points(points.lanes, call, points.indices, points.converted(call))
        for value in sweep.stores:  # all are computed before one is written: it may take the place of an operand
            points.value(value)
        for value in sweep.stores:
            points.store(value)

    def _adds_up(self, call: Call) -> bool:
        """Whether an end adds one number for a whole row, of numbers that each point has."""
        return not self.is_per_row(next(call.operands())) and not any(self.ends.strides(call))

    def _accumulators(self, call: Call) -> dict[int, Code]:
        """Return the accumulators of a reduction, by the number of lanes."""
        found: dict[int, Code] = {}
        dtype, width = call.results[0].dtype, self._width()
        while width:
            lanes = Lanes(self.builder, width)
            found[width] = alloca(self.builder, lanes.wide(scalar_type(dtype)))
            self.builder.store(lanes.constant(scalar_type(dtype), REDUCERS[reducer(call)][1](dtype)), found[width])
            width //= 2
        return found

    def _reduced(self, call: Call, accumulators: dict[int, Code]) -> Code:
        """Return the result of a reduction along a row."""
        dtype, (operation, _) = call.results[0].dtype, REDUCERS[reducer(call)]
        total: Code = None
        for width, accumulator in accumulators.items():
            x = folded(Lanes(self.builder, width), dtype, operation, self.builder.load(accumulator))
            total = x if total is None else operation(Lanes(self.builder, 1), dtype, total, x)
        return total
