"""Programs as machine code: what there are instructions for is done by one function, in one call.

Groups of elementwise operations and reductions become kernels, and products calls of BLAS; all of them work on arrays
that are there already, whose addresses are in a table. What there are no instructions for runs in between, by NumPy.
"""

from __future__ import annotations

import ctypes
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import ref

import numpy as np

from deepcore.graph.fusion import fused
from deepcore.graph.group import Group
from deepcore.graph.passes import expanded
from deepcore.graph.program import Call, Value
from deepcore.graph.trace import NOTHING
from deepcore_numpy._layout import Layout, aligned
from deepcore_numpy._plan import Executor, elsewhere, write

from ._code import Module
from ._memory import STREAMED
from ._operations import is_native
from ._places import Places
from ._pool import ALONE, MOST, pool
from ._product import product
from ._routine import values_of
from ._routines import ROUTINES, has_routine, ordered
from ._segments import segmented, segments
from ._space import space
from ._step import KernelStep, ProductStep, RoutineStep

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deepcore.graph.program import Program
    from deepcore.graph.replay import Source

    from ._compiler import Library
    from ._step import Step

KERNEL: Final = "kernel"
OUTSIDE: Final = "an index, such as a label, is not within the axis that it chooses from"

STAY: Final = frozenset(
    (
        *("attention_gradients", "attention_with_kept", "average_unpool", "max_pool_indices", "max_unpool", "scatter"),
        *("batch_norm", "batch_norm_inference", "batch_norm_vjp"),
        *("convolution", "convolution_transpose", "convolution_weight"),
        *("gru_backward", "gru_sequence", "lstm_backward", "lstm_sequence", "rnn_backward", "rnn_sequence"),
    )
)
"""Operations whose routines, or kernels of NumPy's, are faster than the calls that they are made of. All others are
spelled out."""


def spelled_out(program: Program) -> Program:
    """Return a program in terms of what there are instructions for, as far as NumPy has nothing faster."""
    return expanded(program, keep=lambda call: call.operation in STAY or is_native(call))


def grouped(program: Program) -> Program:
    """Return a program in which the calls that one kernel computes are one call, ``kernel``, of what it reads."""
    items = fused(program, fusible=is_native)
    return replace(program, calls=[_call(item) if isinstance(item, Group) else item for item in items])


def _call(group: Group) -> Call:
    first = group.calls[0]
    arguments = (*group.inputs, *group.numbers)
    return Call(KERNEL, arguments, {"group": group}, tuple(group.outputs), first.where, first.layer)


class NativeLayout(Layout):
    """Where values are, for kernels and BLAS, which write all that they compute where it is wanted."""

    def _is_written(self, call: Call) -> bool:
        return call.operation == KERNEL or has_routine(call) or super()._is_written(call)

    def _pooled(self, call: Call, value: Value, pool: Any) -> Any:
        array = super()._pooled(call, value, pool)
        return ordered(call, value, array, self.arrays)

    def _writes_over(self, call: Call, result: Value, operand: Value) -> bool:
        if call.operation != KERNEL:
            return super()._writes_over(call, result, operand)
        group: Group = call.parameters["group"]
        return operand in group.inputs and group.may_overwrite(result, operand)


class NativeExecutor(Executor):
    """A program as machine code, on arrays of its own: see :class:`deepcore_numpy._plan.Executor`.

    Attributes
    ----------
    threads
        How many threads compute it: as many as BLAS has.
    plain
        The program in terms of what there are instructions for, before calls became kernels.
    """

    def __init__(self, program: Program) -> None:
        threads = pool()
        # Between operations of NumPy's, threads of BLAS are awake: other threads would fight with them.
        is_alone = threads is None or (program.eager and not threads.lends)
        self.threads = 1 if is_alone else min(program.device.backend.num_threads or 1, MOST)
        self._library: Library | None = None
        self._scratch: list[Any] = []
        self.plain = spelled_out(program)
        super().__init__(grouped(self.plain))

    def _layout(self) -> Layout:
        return NativeLayout(self.program)

    def _parts(self, source: Source, *, apart: bool) -> list[tuple[list[Call], Callable[[], None]]]:
        """Return the parts: all native calls in a row, which are one line, or each by itself, and every other call."""
        places = Places(self.layout)
        numbers: dict[int, int] = {}
        scratch: dict[int, int] = {}
        self._scratch = []
        parts: list[list[Step] | Call] = []
        calls: list[list[Call]] = []  # of each part
        vectors = segmented(self.program, self.layout, KERNEL)
        for call in self.program.calls:
            if call.results[0] in vectors or _is_nothing(call, places):
                continue
            steps = _native(call, places, vectors)
            inside = call.parameters["group"].calls if call.operation == KERNEL else [call]
            if steps is None:
                parts.append(call)
                calls.append(inside)
                continue
            for step in steps:
                for x in step.numbers:
                    numbers.setdefault(id(x), len(numbers))
                if step.scratch_bytes:
                    self._scratch.append(aligned(step.scratch_bytes * self.threads))
                    scratch[id(step)] = places.add(self._scratch[-1].ctypes.data)
            if parts and isinstance(parts[-1], list) and not apart:
                parts[-1] += steps
                calls[-1] += inside
            else:
                parts.append(steps)
                calls.append([*inside])
        lines = _Lines(source, self.layout, places, parts)
        lines.begin(numbers)
        native = [part for part in parts if isinstance(part, list)]
        runs = iter(self._runs(Module(native, places.of, numbers, scratch, exact=self.program.eager)))
        writers = [
            partial(lines.run, *next(runs)) if isinstance(part, list) else partial(lines.call, part) for part in parts
        ]
        return list(zip(calls, writers, strict=True))

    def _runs(self, module: Module) -> list[tuple[Callable[..., int], Sequence[int]]]:
        """Return a function of Python for each part, and what it is given besides the table and the numbers."""
        parts = module.parts
        if not parts:
            return []
        if self._library is None or len(self._library.addresses) != len(parts):  # the code is the same for other arrays
            self._library = module.compiled()
        addresses = list(self._library.addresses.values())
        threads = pool()
        pointers = [ctypes.c_void_p] * 2
        if threads is None:
            form = ctypes.CFUNCTYPE(ctypes.c_int, *pointers, *[ctypes.c_int64] * 3)
            return [(form(address), (0, 1, ALONE)) for address in addresses]
        threads.start(self.threads)
        form = ctypes.CFUNCTYPE(ctypes.c_int, *pointers, ctypes.c_int64, ctypes.c_void_p)
        launch = form(threads.launch)
        return [
            (launch, (self.threads if any(step.is_shared for step in part) else 1, address))
            for part, address in zip(parts, addresses, strict=True)
        ]


def _is_nothing(call: Call, places: Places) -> bool:
    """Whether all that a call gives is in its place already."""
    if places.layout.is_view(call):
        return places.is_in_place(call.results[0])
    is_fixed = call.operation == "concat" and call.results[0] in places.layout.arrays
    return is_fixed and not elsewhere(call, places.layout)


def _native(call: Call, places: Places, vectors: dict[Value, Call]) -> list[Step] | None:
    """Return a call as steps of native code, or None where there are none. Some vectors are in their parts alone."""
    if call.operation == KERNEL:
        group: Group = call.parameters["group"]
        groups = segments(group, vectors, places) if any(x in vectors for x in group.inputs) else [group]
        found = [_kernel(group, places) for group in groups]
        return None if None in found else [step for step in found if step is not None]
    step = _routine(call, places) if has_routine(call) else _product(call, places)
    return None if step is None else [step]


def _routine(call: Call, places: Places) -> Step | None:
    routine = ROUTINES[call.operation](call, {x: places.strides(x) for x in values_of(call)})
    if not routine.fits():
        return None
    for value in routine.values:
        places.find(value)
    return RoutineStep(routine)


def _kernel(group: Group, places: Places) -> Step | None:
    where = {value: places.find(value) for value in group.memory}
    found = space(group, {value: place.strides for value, place in where.items()})
    large = [value for value in group.outputs if where[value].is_aligned and value.nbytes >= STREAMED]
    return None if found is None else KernelStep(group, found, large)


def _product(call: Call, places: Places) -> Step | None:
    values = (*call.arguments, *call.results)
    is_product = call.operation == "matmul" and not call.parameters and all(isinstance(x, Value) for x in values)
    layout, result = places.layout, call.results[0]
    if not is_product or not (result in layout.arrays or result in layout.results):
        return None
    how = product(values, [places.strides(value) for value in values])
    if how is None:
        return None
    for value in values:
        places.find(value)
    return ProductStep(values, how)


class _Lines:
    """The lines that run the parts of a program, and tell each where new arrays are."""

    def __init__(self, source: Source, layout: Layout, places: Places, parts: list[list[Step] | Call]) -> None:
        self.source = source
        self.layout = layout
        self.places = places
        self._read = self._read_by_numpy(parts)
        self._table = np.array(places.addresses or [0], np.int64)

    def begin(self, numbers: dict[int, int]) -> None:
        """Write what comes first: numbers, and where the inputs are."""
        program, results = self.layout.program, self.layout.results
        self._numbers = np.empty(max(len(numbers), 1))
        name = self.source.constant(self._numbers, "numbers")
        for number in program.numbers():
            if id(number) in numbers:
                self.source.lines.append(f"{name}[{numbers[id(number)]}] = {self.source.text(number)}")
        for value in (*program.inputs, *(value for draw in program.draws for value, _ in draw.arrays), *results):
            self._new(value, often_the_same=True)

    def run(self, function: Callable[..., int], others: Sequence[int]) -> None:
        """Write the call of native code."""
        # Only its address is read: the function of Python keeps it.
        self.source.constant(self._table, "table")
        text = ", ".join(map(str, (self._table.ctypes.data, self._numbers.ctypes.data, *others)))
        self.source.lines.append(f"if {self.source.constant(function, 'f')}({text}): raise IndexError({OUTSIDE!r})")

    def call(self, call: Call) -> None:
        """Write a call of NumPy, or all the calls of a kernel that goes through memory in no regular way."""
        if call.operation == KERNEL:
            self._calls([*call.parameters["group"].calls], call.parameters["group"].outputs)
        elif has_routine(call):
            self._calls([call], [x for x in call.results if x is not NOTHING])
        else:
            write(self.source, call, self.layout)
        for value in call.results:
            if value not in self.layout.results:
                self._new(value)

    def _calls(self, calls: Sequence[Call], outputs: Sequence[Value]) -> None:
        names, results = self.source.names, self.layout.results
        targets = {value: self.source.text(value) for value in outputs}
        for call in calls:
            names.update((value, f"v{len(names)}") for value in call.results if value not in names)
            names.update((value, f"{targets[value]}_new") for value in call.results if value in results)
            self.source.call(call)
            for value in [value for value in call.results if value in targets]:
                self.source.lines.append(f"copyto({targets[value]}, {names[value]})")
                if value in results:
                    names[value] = targets[value]

    def _new(self, value: Value, *, often_the_same: bool = False) -> None:
        """Write where a new array is, if native code reads it, and the views of it that NumPy reads."""
        if value in self.layout.arrays:
            return
        name = self.source.names[value]
        if value in self.places.moving:
            entry = self.source.constant(_Entry(self._table, self.places.moving[value]), "entry")
            unless = f"if {entry}.last() is not {name}: " if often_the_same else ""
            self.source.lines.append(f"{unless}{name} = {entry}({name})")
        for result, call in self.places.views.items():
            new = result not in self.layout.arrays and self.places.is_in_place(result)
            if new and call.arguments[0] is value and result in self._read:
                write(self.source, call, self.layout)
                self._new(result)

    def _read_by_numpy(self, parts: list[list[Step] | Call]) -> set[Value]:
        """Return the values that calls of NumPy read, the results of the program, and what these are views of."""
        waiting = [x for part in parts if isinstance(part, Call) for x in part.operands()]
        waiting += self.layout.program.outputs
        found = set(waiting)
        while waiting:
            call = self.places.views.get(waiting.pop())
            if call is not None and call.arguments[0] not in found:
                found.add(call.arguments[0])
                waiting.append(call.arguments[0])
        return found


def _address(array: Any) -> int:
    """Return where an array in row-major order is in memory. NumPy's own ways take four times as long."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (BufferError, TypeError, ValueError):  # it is empty or not to be written to, or its type is not Python's
        address: int = array.ctypes.data
        return address


def _nothing() -> None:
    """Remember nothing."""


class _Entry:
    """Where the table of addresses has that of an array.

    Attributes
    ----------
    last
        Gives the array that was there last, unless it is gone or was not the one that was given. Who holds an array can
        be told by its references, so this is none.
    """

    __slots__ = ("_i", "_table", "last")

    def __init__(self, table: Any, i: int) -> None:
        self._table = table
        self._i = i
        self.last: Callable[[], Any] = _nothing

    def __call__(self, x: Any) -> Any:
        """Set the address, and return the array in row-major order."""
        array = np.asarray(x)
        if not array.flags.c_contiguous:
            array = array.copy()
        self._table[self._i] = _address(array)
        self.last = ref(array) if array is x else _nothing
        return array
