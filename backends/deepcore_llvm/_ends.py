"""The ends of a kernel: reductions across its rows.

Each thread adds up what its rows have, in memory of its own; a function ``finish`` puts these sums together, in the
order of the threads. A number of all is added up in double precision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._arithmetic import REDUCERS, folded, reducer
from ._lanes import DOUBLE, INT64, Lanes, kind, memory_type
from ._loops import alloca, function, loop
from ._memory import along, load, offset, pointer_type, store, whole_lines, widest

if TYPE_CHECKING:
    from deepcore.graph.group import Group
    from deepcore.graph.program import Call

    from ._lanes import Code
    from ._space import Space


def scratch_bytes(group: Group) -> int:
    """Return how much memory each thread needs."""
    return _offsets(group)[-1]


def _offsets(group: Group) -> list[int]:
    """Return where the memory of each end begins in that of a thread, in bytes, and where it is over."""
    found = [0]
    for call in group.ends:
        (result,) = call.results
        size = result.size * (8 if result.size == 1 else max(result.dtype.bits // 8, 1))
        found.append(found[-1] + whole_lines(size))
    return found


def _form(call: Call) -> Any:
    """Return the type of what an end is added up in."""
    (result,) = call.results
    return DOUBLE if result.size == 1 and kind(result.dtype) == "f" else memory_type(result.dtype)


class Ends:
    """The writer of the ends of a kernel.

    Parameters
    ----------
    group, space
        The kernel, and the axes along which it goes.
    """

    def __init__(self, group: Group, space: Space) -> None:
        self.group = group
        self.space = space
        self._memory: dict[int, Code] = {}
        self._rows: dict[int, Code] = {}

    def __contains__(self, call: Call) -> bool:
        return any(call is end for end in self.group.ends)

    def strides(self, call: Call) -> tuple[int, ...]:
        """Return the strides of a result along the axes of a row."""
        (result,) = call.results
        return self.space.patterns[result][len(self.space.outer) :] or (0,)

    def begin(self, build: Any, own: Code) -> None:
        """Write the first numbers into the memory of a thread."""
        for call, start in zip(self.group.ends, _offsets(self.group), strict=False):
            (result,) = call.results
            form = _form(call)
            memory = self._memory[id(call)] = build.inttoptr(build.add(own, INT64(start)), form.as_pointer())
            _, initial = REDUCERS[reducer(call)]
            for lanes, position in along(build, result.size, widest(result.dtype.bits)):
                store(lanes, lanes.constant(form, initial(result.dtype)), build.gep(memory, [position]))

    def locate(self, build: Any, indices: list[Code]) -> None:
        """Find out where what a row has is added."""
        for call in self.group.ends:
            (result,) = call.results
            self._rows[id(call)] = offset(build, indices, self.space.patterns[result])

    def add_row(self, build: Any, call: Call, x: Code) -> None:
        """Add the one number of a row."""
        operation, _ = REDUCERS[reducer(call)]
        pointer = build.gep(self._memory[id(call)], [self._rows[id(call)]])
        if x.type != pointer.type.pointee:
            x = build.fpext(x, pointer.type.pointee)
        build.store(operation(Lanes(build, 1), call.results[0].dtype, build.load(pointer), x), pointer)

    def add_points(self, lanes: Lanes, call: Call, indices: list[Code], x: Code) -> None:
        """Add the numbers of some points of a row, which have places of their own in the result."""
        (result,), build, strides = call.results, lanes.builder, self.strides(call)
        operation, _ = REDUCERS[reducer(call)]
        position = offset(build, indices, strides, self._rows[id(call)])
        pointer = build.gep(self._memory[id(call)], [position])
        if not strides[-1]:
            lanes, x = Lanes(build, 1), folded(lanes, result.dtype, operation, x)
        store(lanes, operation(lanes, result.dtype, load(lanes, pointer), x), pointer)

    def finish(self, module: Any, name: str) -> Any:
        """Write the function that puts the sums of the threads together.

        It is given the memory of the first thread, how many threads there are, and where the results go.
        """
        results = [result for call in self.group.ends for result in call.results]
        made, build = function(module, name, [INT64, INT64, *map(pointer_type, results)])
        memory, threads, *targets = made.args
        for call, start, target in zip(self.group.ends, _offsets(self.group), targets, strict=False):
            (result,) = call.results
            for lanes, position in along(build, result.size, widest(result.dtype.bits)):
                x = self._total(lanes, call, build.add(memory, INT64(start)), position, threads)
                store(lanes, x, build.gep(target, [position]))
        build.ret_void()
        return made

    def _total(self, lanes: Lanes, call: Call, memory: Code, position: Code, threads: Code) -> Code:
        """Write the result at a position."""
        (result,), build, form = call.results, lanes.builder, _form(call)
        operation, initial = REDUCERS[reducer(call)]
        total = alloca(build, lanes.wide(form))
        build.store(lanes.constant(form, initial(result.dtype)), total)
        with loop(build, INT64(0), threads) as i:
            address = build.add(memory, build.mul(i, INT64(scratch_bytes(self.group))))
            x = load(lanes, build.gep(build.inttoptr(address, form.as_pointer()), [position]))
            build.store(operation(lanes, result.dtype, build.load(total), x), total)
        x = build.load(total)
        if call.operation == "mean":
            x = build.fdiv(x, lanes.constant(form, float(next(call.operands()).size // result.size)))
        return x if form == memory_type(result.dtype) else build.fptrunc(x, lanes.wide(memory_type(result.dtype)))
