"""The code of a kernel: a loop over rows, and in each row a sweep for each level of reductions.

A group of calls (:mod:`deepcore.graph.fusion`) becomes a function ``(table, numbers, begin, end)`` that computes some
of its rows. Values of the group are in registers: one for each row, or as many at a time as there are lanes. What a
later sweep needs again is computed again, unless that would cost more than keeping a row of it.

A group without rows is cut into pieces of :data:`PIECE` points, which take the place of rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir

from deepcore._tracing import Number
from deepcore.graph.fusion import PICK, REDUCTIONS, VIEWS
from deepcore.graph.program import Value

from ._arithmetic import REDUCERS
from ._lanes import INT32, INT64, Lanes, kind, memory_type, scalar_type
from ._loops import alloca, loop, nested
from ._operations import EXPENSIVE, computed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from deepcore.graph.fusion import Group
    from deepcore.graph.program import Call

    from ._lanes import Code
    from ._places import Place
    from ._space import Space

PIECE: Final = 1024
"""The points of a piece of a kernel without rows."""

KEPT_BYTES: Final = 1 << 16
"""The length up to which a row is kept from one sweep to the next."""

BYTE_POINTER: Final = ir.IntType(8).as_pointer()
TABLE: Final = ir.IntType(64).as_pointer()
NUMBERS: Final = ir.DoubleType().as_pointer()
KERNEL: Final = ir.FunctionType(INT32, [TABLE, NUMBERS, INT64, INT64, INT64])
FINISH: Final = ir.FunctionType(ir.VoidType(), [TABLE, INT64, INT64])
_LANES: Final = 64  # bytes


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


def _total_type(call: Call) -> Any:
    """Return the type of what an end is added up in: one number of all in double precision."""
    (result,) = call.results
    return ir.DoubleType() if result.size == 1 and kind(result.dtype) == "f" else memory_type(result.dtype)


def _offsets(group: Group) -> list[int]:
    """Return where the memory of each end begins in that of a thread, in bytes, and where it is over."""
    found = [0]
    for call in group.ends:
        (result,) = call.results
        size = result.size * (8 if result.size == 1 else max(result.dtype.bits // 8, 1))
        found.append(found[-1] + -(-size // _LANES) * _LANES)
    return found


def scratch_bytes(group: Group) -> int:
    """Return how much memory each thread needs for its share of the ends."""
    return _offsets(group)[-1]


class Kernel:
    """The writer of one kernel.

    Each thread adds up its share of the ends in memory of its own; another function, ``finish``, puts them together.

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
    places
        Where what it reads and writes is.
    numbers
        The position of each number of the host in the array of numbers, by identity.
    """

    def __init__(
        self,
        module: Any,
        name: str,
        group: Group,
        space: Space,
        places: dict[Value, Place],
        numbers: dict[int, int],
    ) -> None:
        self.group = group
        self.space = space
        self.places = places
        self.numbers = numbers
        self.function = ir.Function(module, KERNEL, name)
        self.function.linkage = "internal"
        self.table, self.host, self.begin, self.end, self.own = self.function.args
        self.builder: Any = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.makers = {value: call for call in group.calls for value in call.results}
        self.levels = dict(zip(map(id, group.calls), group.levels, strict=True))
        self.n_outer = len(space.outer)
        self.inner = space.inner
        self.ends = {id(call) for call in group.ends}
        self.sweeps = self._planned()
        self.kept = self._kept()
        self._write()
        self.finish = self._finish(name) if group.ends else None

    # ---------------------------------------------------------------------------------------------------- decisions

    def _per_row(self, value: Value) -> bool:
        """Whether a value is computed once for each row."""
        return bool(self.group.columns) and self.group.is_per_row(value)

    def _is_reduction(self, call: Call) -> bool:
        return call.operation in REDUCTIONS and id(call) not in self.ends

    def _planned(self) -> list[_Sweep]:
        """Return what each sweep computes."""
        sweeps = [_Sweep() for _ in range(max(self.group.levels) + 1)]
        for call in self.group.calls:
            level, (result,) = self.levels[id(call)], call.results
            if id(call) in self.ends:
                sweeps[level].ends.append(call)
            elif self._is_reduction(call):
                sweeps[level].reductions.append(call)
            elif result in self.group.outputs and not self._per_row(result):
                sweeps[level].stores.append(result)
        return sweeps

    def _needed(self, sweep: _Sweep) -> set[Value]:
        """Return the values with an element for each point that a sweep reads or computes."""
        found: set[Value] = set()

        def visit(value: Value) -> None:
            if value not in found and not self._per_row(value):
                found.add(value)
                if value in self.makers and not self._is_reduction(self.makers[value]):
                    for x in self.makers[value].operands():
                        visit(x)

        for call in (*sweep.reductions, *sweep.ends):
            for x in call.operands():
                visit(x)
        for value in sweep.stores:
            visit(value)
        return found

    def _kept(self) -> dict[Value, Any]:
        """Return the values that are kept from one sweep to the next, each with the memory of a row of it."""
        seen: set[Value] = set()
        kept: dict[Value, Any] = {}
        for sweep in self.sweeps:
            needed = self._needed(sweep)
            for value in needed & seen:
                call = self.makers.get(value)
                width = math.prod(self.inner)
                small = width * value.dtype.bits // 8 <= KEPT_BYTES
                if call is not None and call.operation in EXPENSIVE and small and value not in kept:
                    kept[value] = self.builder.alloca(ir.ArrayType(memory_type(value.dtype), width))
                    kept[value].align = _LANES
            seen |= needed
        return kept

    def _width(self) -> int:
        """Return the number of lanes."""
        bits = max([8, *(x.dtype.bits for x in self.makers)])
        length = min(self.inner[-1], PIECE)
        widest = _LANES * 8 // max(bits, 32)
        return min(widest, 1 << max(length.bit_length() - 1, 0))

    # ------------------------------------------------------------------------------------------------------- writing

    def _write(self) -> None:
        build = self.builder
        self.constants: dict[int, Code] = {i: self._load_number(k) for i, k in self.numbers.items() if self._uses(i)}
        self.bases = {value: self._base(value) for value in (*self.group.inputs, *self.group.outputs)}
        self.wrong = build.alloca(INT32)
        build.store(INT32(0), self.wrong)
        self.totals = {}
        for call, offset in zip(self.group.ends, _offsets(self.group), strict=False):
            self.totals[id(call)] = self._begin_end(call, build.add(self.own, INT64(offset)))
        with loop(build, self.begin, self.end) as unit:
            self._unit(unit)
        build.ret(build.load(self.wrong))

    def _uses(self, identity: int) -> bool:
        return any(id(x) == identity for call in self.group.calls for x in _numbers(call))

    def _load_number(self, position: int) -> Code:
        return self.builder.load(self.builder.gep(self.host, [INT64(position)]))

    def _base(self, value: Value) -> Code:
        """Return the address of the first element."""
        place, build = self.places[value], self.builder
        address = build.load(build.gep(self.table, [INT64(place.slot)]))
        return build.inttoptr(build.add(address, INT64(place.offset)), memory_type(value.dtype).as_pointer())

    def _unit(self, unit: Code) -> None:
        """Write the computation of a row, or of a piece of the last axis."""
        if self.group.columns:
            self._row(self._indices(unit), [(INT64(0), n) for n in self.inner])
            return
        (length,) = self.inner
        pieces = -(-length // PIECE)
        build = self.builder
        if pieces == 1:
            self._row(self._indices(unit), [(INT64(0), length)])
            return
        piece = build.urem(unit, INT64(pieces))
        outer = self._indices(build.udiv(unit, INT64(pieces)))
        start = build.mul(piece, INT64(PIECE))
        rest = length % PIECE
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
        found: list[Code] = []
        for length in reversed(self.space.outer):
            if len(found) == self.n_outer - 1:
                found.append(unit)
            else:
                found.append(self.builder.urem(unit, INT64(length)))
                unit = self.builder.udiv(unit, INT64(length))
        return found[::-1]

    def _row(self, outer: list[Code], ranges: list[tuple[Code, int]]) -> None:
        """Write the sweeps over a row: along each of its axes, where it begins and how long it is."""
        build = self.builder
        self.rows = {}
        for value, base in self.bases.items():
            offset: Code = INT64(0)
            strides = self.space.strides[value]
            for index, stride in zip([*outer, *(start for start, _ in ranges)], strides, strict=False):
                if stride:
                    offset = build.add(offset, build.mul(index, INT64(stride)))
            self.rows[value] = build.gep(base, [offset])
        self.end_rows = {
            id(call): self._end_offset(call, [*outer, *(start for start, _ in ranges)]) for call in self.group.ends
        }
        self.scalars: dict[Value, Code] = {}
        self.done: set[Value] = set()  # what is kept and has been computed
        lengths = [n for _, n in ranges]
        for value in self.group.inputs:
            if self._per_row(value):
                self._scalar(value)
        for level, sweep in enumerate(self.sweeps):
            self._compute_scalars(level)
            if sweep.reductions or sweep.ends or sweep.stores:
                self._sweep(sweep, lengths)
        self._compute_scalars(len(self.sweeps))
        self._store_scalars()

    def _compute_scalars(self, level: int) -> None:
        """Write the values of a row that are known before a sweep."""
        for call in self.group.calls:
            (result,) = call.results
            if self._is_reduction(call) or id(call) in self.ends or self.levels[id(call)] > level:
                continue
            if result in self.scalars:
                continue
            if self._per_row(result):
                self.scalars[result] = self._picked(call) if call.operation == PICK else self._scalar(result)

    def _store_scalars(self) -> None:
        for value in self.group.outputs:
            if value in self.scalars:
                self._to_memory(Lanes(self.builder, 1), self.scalars[value], value, self.rows[value])

    def _scalar(self, value: Value) -> Code:
        """Return a value of the row."""
        if value not in self.scalars:
            call = self.makers.get(value)
            lanes = Lanes(self.builder, 1)
            if call is None:
                self.scalars[value] = self._from_memory(lanes, self.rows[value], value)
            else:
                self.scalars[value] = self._result(lanes, call, self._scalar)
        return self.scalars[value]

    def _picked(self, call: Call) -> Code:
        """Write the element of a row that an index chooses."""
        build = self.builder
        operand, index = call.operands()
        length = math.prod(self.inner)
        position = self._scalar(index)
        if index.dtype.bits < INT64.width:
            position = (build.sext if kind(index.dtype) == "i" else build.zext)(position, INT64)
        from_end = build.icmp_signed("<", position, INT64(0))
        position = build.select(from_end, build.add(position, INT64(length)), position)
        is_inside = build.icmp_unsigned("<", position, INT64(length))
        build.store(build.select(is_inside, build.load(self.wrong), INT32(1)), self.wrong)
        position = build.select(is_inside, position, INT64(0))
        return _Points(self, 1, self._split(position), position, use_kept=False).value(operand)

    def _split(self, position: Code) -> list[Code]:
        """Return the index along each axis of a row."""
        found: list[Code] = []
        for length in reversed(self.inner):
            found.append(self.builder.urem(position, INT64(length)))
            position = self.builder.udiv(position, INT64(length))
        return found[::-1]

    # -------------------------------------------------------------------------------------------------------- sweeps

    def _sweep(self, sweep: _Sweep, lengths: Sequence[int]) -> None:
        """Write one passage over a row."""
        build = self.builder
        totals = {id(call): self._accumulator(call) for call in (*sweep.reductions, *sweep.ends) if self._adds_up(call)}
        indices: list[Code] = []
        flat: Code = INT64(0)
        with nested(build, lengths[:-1]) as outer:
            indices = list(outer)
            for index, length in zip(indices, lengths[:-1], strict=True):
                flat = build.add(build.mul(flat, INT64(length)), index)
            flat = build.mul(flat, INT64(lengths[-1])) if indices else flat
            width, start = self._width(), 0
            while start < lengths[-1]:
                count = (lengths[-1] - start) // width
                if count:
                    self._points(sweep, width, (start, count), indices, flat, totals)
                    start += count * width
                width //= 2
        for call in sweep.reductions:
            (result,) = call.results
            self.scalars[result] = self._reduced(call, totals[id(call)], math.prod(lengths))
        for call in sweep.ends:
            operand = next(call.operands())
            if id(call) in totals:
                self._add_to_end(call, self._reduced(call, totals[id(call)], 1))
            elif self._per_row(operand):
                self._add_to_end(call, self._scalar(operand))
        self.done |= {value for value in self._needed(sweep) if value in self.kept}

    def _adds_up(self, call: Call) -> bool:
        """Whether what a call makes of a row is one number: all but sums for each column."""
        if self._is_reduction(call):
            return True
        return not self._per_row(next(call.operands())) and not any(self._end_strides(call)[self.n_outer :])

    def _accumulator(self, call: Call) -> dict[int, Code]:
        """Return the accumulators of a reduction, by the number of lanes."""
        found = {}
        width = self._width()
        dtype, start = self._begins(call)
        while width:
            lanes = Lanes(self.builder, width)
            found[width] = alloca(self.builder, lanes.wide(scalar_type(dtype)))
            self.builder.store(lanes.constant(scalar_type(dtype), start), found[width])
            width //= 2
        return found

    def _begins(self, call: Call) -> tuple[Any, float]:
        (result,) = call.results
        return result.dtype, REDUCERS[_reducer(call)][1](result.dtype)

    def _points(
        self, sweep: _Sweep, width: int, span: tuple[int, int], indices: list[Code], flat: Code, totals: dict[int, Any]
    ) -> None:
        """Write what happens at some points of a row, in a loop where that is needed."""
        build = self.builder
        start, count = span
        with loop(build, INT64(0), INT64(count), once=count == 1) as i:
            position = build.add(build.mul(i, INT64(width)), INT64(start))
            points = _Points(self, width, [*indices, position], build.add(flat, position), use_kept=True)
            for value in self._needed(sweep):
                if value in self.kept and value not in self.done:
                    points.keep(value)
            for call in sweep.reductions:
                points.accumulate(call, totals[id(call)][width])
            for call in sweep.ends:
                if id(call) in totals:
                    points.accumulate(call, totals[id(call)][width])
                elif not self._per_row(next(call.operands())):
                    points.add_to_end(call)
            for value in sweep.stores:  # all are computed before one is written: it may take the place of an operand
                points.value(value)
            for value in sweep.stores:
                points.store(value)

    def _reduced(self, call: Call, accumulators: dict[int, Code], count: int) -> Code:
        """Return the result of a reduction along a row."""
        dtype = call.results[0].dtype
        operation, _ = REDUCERS[_reducer(call)]
        build = self.builder
        total: Code = None
        for width, accumulator in accumulators.items():
            x = folded(Lanes(build, width), dtype, operation, build.load(accumulator))
            total = x if total is None else operation(Lanes(build, 1), dtype, total, x)
        if call.operation == "mean" and count > 1 and id(call) not in self.ends:
            total = build.fdiv(total, ir.Constant(scalar_type(dtype), float(count)))
        return total

    # ---------------------------------------------------------------------------------------------------------- ends

    def _end_strides(self, call: Call) -> tuple[int, ...]:
        (result,) = call.results
        return self.space.patterns[result] or (0,)

    def _end_offset(self, call: Call, indices: list[Code]) -> Code:
        """Return the position in its result that an end adds a row to."""
        offset: Code = INT64(0)
        for index, stride in zip(indices, self._end_strides(call), strict=False):
            if stride:
                offset = self.builder.add(offset, self.builder.mul(index, INT64(stride)))
        return offset

    def _begin_end(self, call: Call, address: Code) -> Code:
        """Write the first number into the memory of an end, and return that."""
        (result,) = call.results
        _, start = self._begins(call)
        form = _total_type(call)
        memory = self.builder.inttoptr(address, form.as_pointer())
        for lanes, position in _along(self.builder, result.size, self._end_width(call)):
            self._store(lanes, lanes.constant(form, start), self.builder.gep(memory, [position]))
        return memory

    def _end_width(self, call: Call) -> int:
        (result,) = call.results
        return _LANES * 8 // max(result.dtype.bits, 32)

    def _add_to_end(self, call: Call, x: Code) -> None:
        """Add the number of a row."""
        build, dtype = self.builder, call.results[0].dtype
        operation, _ = REDUCERS[_reducer(call)]
        pointer = build.gep(self.totals[id(call)], [self.end_rows[id(call)]])
        if x.type != pointer.type.pointee:
            x = build.fpext(x, pointer.type.pointee)
        build.store(operation(Lanes(build, 1), dtype, build.load(pointer), x), pointer)

    def _finish(self, name: str) -> Any:
        """Write the function that puts together what the threads have: of the table, the memory, and how many."""
        function = ir.Function(self.builder.module, FINISH, f"{name}_finish")
        function.linkage = "internal"
        self.table, base, threads = function.args
        build = self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        size = scratch_bytes(self.group)
        for call, offset in zip(self.group.ends, _offsets(self.group), strict=False):
            (result,) = call.results
            operation, _ = REDUCERS[_reducer(call)]
            form, target = _total_type(call), self._base(result)
            count = next(call.operands()).size // result.size
            for lanes, position in _along(build, result.size, self._end_width(call)):
                total = alloca(build, lanes.wide(form))
                build.store(lanes.constant(form, self._begins(call)[1]), total)
                with loop(build, INT64(0), threads) as i:
                    address = build.add(build.add(base, INT64(offset)), build.mul(i, INT64(size)))
                    memory = build.inttoptr(address, form.as_pointer())
                    x = self._load(lanes, build.gep(memory, [position]))
                    build.store(operation(lanes, result.dtype, build.load(total), x), total)
                x = build.load(total)
                if call.operation == "mean":
                    x = build.fdiv(x, lanes.constant(form, float(count)))
                if form != memory_type(result.dtype):
                    x = build.fptrunc(x, lanes.wide(memory_type(result.dtype)))
                self._store(lanes, x, build.gep(target, [position]))
        build.ret_void()
        return function

    def _load(self, lanes: Lanes, pointer: Code) -> Code:
        form = pointer.type.pointee
        x = self.builder.load(self.builder.bitcast(pointer, lanes.wide(form).as_pointer()))
        x.align = _bytes(form)
        return x

    def _store(self, lanes: Lanes, x: Code, pointer: Code) -> None:
        form = pointer.type.pointee
        self.builder.store(x, self.builder.bitcast(pointer, lanes.wide(form).as_pointer())).align = _bytes(form)

    # -------------------------------------------------------------------------------------------------------- values

    def _result(self, lanes: Lanes, call: Call, operand: Callable[[Value], Code]) -> Code:
        """Write a call."""
        (_result,) = call.results
        if call.operation in VIEWS:
            return operand(next(call.operands()))

        def number(x: Any) -> Code:
            return lanes.spread(self.constants[id(x)])

        return computed(lanes, call, operand, number)

    def _from_memory(self, lanes: Lanes, pointer: Code, value: Value) -> Code:
        """Load elements that are next to each other."""
        x = self._load(lanes, pointer)
        return self.builder.icmp_unsigned("!=", x, ir.Constant(x.type, None)) if kind(value.dtype) == "b" else x

    def _to_memory(self, lanes: Lanes, x: Code, value: Value, pointer: Code) -> None:
        self._store(
            lanes,
            self.builder.zext(x, lanes.wide(memory_type(value.dtype))) if kind(value.dtype) == "b" else x,
            pointer,
        )


class _Points:
    """The values at some points of a row, each computed when it is asked for.

    Parameters
    ----------
    kernel
        The kernel.
    width
        The number of points.
    indices
        The index of the first along each axis of the row.
    flat
        Its position in the row.
    use_kept
        Whether values that are kept may be read.
    """

    def __init__(self, kernel: Kernel, width: int, indices: list[Code], flat: Code, *, use_kept: bool) -> None:
        self.kernel = kernel
        self.lanes = Lanes(kernel.builder, width)
        self.indices = indices
        self.flat = flat
        self.use_kept = use_kept
        self._known: dict[Value, Code] = {}

    def value(self, value: Value) -> Code:
        """Return a value at the points."""
        found = self._known.get(value)
        if found is None:
            found = self._known[value] = self._computed(value)
        return found

    def _computed(self, value: Value) -> Code:
        kernel = self.kernel
        if kernel._per_row(value):
            return self.lanes.spread(kernel._scalar(value))
        if value in kernel.kept and self.use_kept and value in kernel.done:
            return kernel._from_memory(self.lanes, self._kept(value), value)
        call = kernel.makers.get(value)
        if call is not None:
            return kernel._result(self.lanes, call, self.value)
        return self._read(value)

    def _kept(self, value: Value) -> Code:
        return self.kernel.builder.gep(self.kernel.kept[value], [INT64(0), self.flat])

    def _pointer(self, value: Value) -> Code:
        kernel, build = self.kernel, self.kernel.builder
        offset: Code = INT64(0)
        for index, stride in zip(self.indices, self._strides(value), strict=True):
            if stride:
                offset = build.add(offset, build.mul(index, INT64(stride)))
        return build.gep(kernel.rows[value], [offset])

    def _strides(self, value: Value) -> tuple[int, ...]:
        return self.kernel.space.strides[value][self.kernel.n_outer :] or (0,)

    def _read(self, value: Value) -> Code:
        """Load a value, whose elements may be apart from each other, or one for all lanes."""
        kernel, build, pointer = self.kernel, self.kernel.builder, self._pointer(value)
        stride = self._strides(value)[-1]
        one = Lanes(build, 1)
        if stride == 1 or self.lanes.width == 1:
            return kernel._from_memory(self.lanes, pointer, value)
        if stride == 0:
            return self.lanes.spread(kernel._from_memory(one, pointer, value))
        result = ir.Constant(self.lanes.wide(scalar_type(value.dtype)), ir.Undefined)
        for lane in range(self.lanes.width):
            x = kernel._from_memory(one, build.gep(pointer, [INT64(lane * stride)]), value)
            result = build.insert_element(result, x, INT32(lane))
        return result

    def keep(self, value: Value) -> None:
        """Keep a value for the next sweep."""
        self.kernel._to_memory(self.lanes, self.value(value), value, self._kept(value))

    def store(self, value: Value) -> None:
        """Write a value to its place."""
        self.kernel._to_memory(self.lanes, self.value(value), value, self._pointer(value))

    def accumulate(self, call: Call, accumulator: Code) -> None:
        """Add to the accumulator of a reduction."""
        build = self.kernel.builder
        operation, _ = REDUCERS[_reducer(call)]
        operand, (result,) = next(call.operands()), call.results
        x = self.lanes.converted(self.value(operand), operand.dtype, result.dtype)
        build.store(operation(self.lanes, result.dtype, build.load(accumulator), x), accumulator)

    def add_to_end(self, call: Call) -> None:
        """Add to the results of a reduction across rows, which has one for each point of a row."""
        kernel, build = self.kernel, self.kernel.builder
        operation, _ = REDUCERS[_reducer(call)]
        operand, (result,) = next(call.operands()), call.results
        offset = kernel.end_rows[id(call)]
        strides = kernel._end_strides(call)[kernel.n_outer :]
        for index, stride in zip(self.indices, strides, strict=True):
            if stride:
                offset = build.add(offset, build.mul(index, INT64(stride)))
        pointer = build.gep(kernel.totals[id(call)], [offset])
        x = self.lanes.converted(self.value(operand), operand.dtype, result.dtype)
        lanes = self.lanes
        if not strides[-1]:
            lanes, x = Lanes(build, 1), folded(lanes, result.dtype, operation, x)
        kernel._store(lanes, operation(lanes, result.dtype, kernel._load(lanes, pointer), x), pointer)


def _reducer(call: Call) -> str:
    return "sum" if call.operation == "mean" else call.operation


def _numbers(call: Call) -> Iterator[Any]:
    return (x for x in (*call.arguments, *call.parameters.values()) if isinstance(x, Number))


def folded(lanes: Lanes, dtype: Any, operation: Callable[..., Code], x: Code) -> Code:
    """Return what an operation makes of all lanes: of its halves, and so on."""
    build, width = lanes.builder, lanes.width
    while width > 1:
        width //= 2
        parts = []
        for first in (0, width):
            lanes_of_half = ir.Constant(ir.VectorType(INT32, width), [INT32(first + k) for k in range(width)])
            single = build.extract_element(x, INT32(first)) if width == 1 else None
            parts.append(build.shuffle_vector(x, x, lanes_of_half) if single is None else single)
        x = operation(Lanes(build, width), dtype, *parts)
    return x


def _bytes(form: Any) -> int:
    return 8 if isinstance(form, ir.DoubleType) else 4 if isinstance(form, ir.FloatType) else max(form.width // 8, 1)


def _along(build: Any, length: int, width: int) -> Iterator[tuple[Lanes, Code]]:
    """Yield lanes for each part of a vector, with where they begin; what is written then is repeated for all of it."""
    start = 0
    while start < length:
        count = (length - start) // width
        if count:
            with loop(build, INT64(0), INT64(count), once=count == 1) as i:
                yield Lanes(build, width), build.add(build.mul(i, INT64(width)), INT64(start))
            start += count * width
        width //= 2
