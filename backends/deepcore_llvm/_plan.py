"""Programs as machine code: what the code for this processor can do of a program, one function does in one call.

Groups of elementwise operations and reductions become kernels, and products calls of BLAS; all of them work on arrays
that are there already, whose addresses are in a table. What has no instructions here runs in between, by NumPy.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from deepcore._backend import numpy_dtypes
from deepcore._tracing import Number
from deepcore.graph.fusion import Group, fused
from deepcore.graph.passes import expanded
from deepcore.graph.program import Call, Value
from deepcore_numpy._layout import Layout, aligned, viewed
from deepcore_numpy._plan import Executor, write

from ._code import Module
from ._kernel import Place, scratch_bytes
from ._pool import pool
from ._operations import is_native
from ._product import product

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deepcore.graph.program import Program
    from deepcore.graph.replay import Source

    Array = np.ndarray[Any, Any]

KERNEL = "kernel"
SPLIT = False
FUNCS = []


def grouped(program: Program, overridden: Callable[[str], bool]) -> Program:
    """Return a program whose calls of one kernel are one call, ``kernel``, of what it reads.

    Parameters
    ----------
    program
        The program.
    overridden
        Whether NumPy has a kernel of its own for an operation, so that it stays one call.
    """
    from dataclasses import replace

    plain = expanded(program, keep=lambda call: overridden(call.operation) or is_native(call))
    calls = [_call(item) if isinstance(item, Group) else item for item in fused(plain, fusible=is_native)]
    return replace(plain, calls=calls)


def _call(group: Group) -> Call:
    numbers = {id(x): x for call in group.calls for x in (*call.arguments, *call.parameters.values()) if isinstance(x, Number)}
    first = group.calls[0]
    arguments = (*group.inputs, *numbers.values())
    return Call(KERNEL, arguments, {"group": group}, tuple(group.outputs), first.where, first.layer)


class NativeLayout(Layout):
    """Where values are, for kernels and BLAS, which write all they compute to where it is wanted."""

    def _is_written(self, call: Call) -> bool:
        return call.operation == KERNEL or super()._is_written(call)

    def _may_overwrite(self, call: Call, result: Value, operand: Value) -> bool:
        if call.operation != KERNEL:
            return super()._may_overwrite(call, result, operand)
        if any(x is not operand and self._root(x) is operand for x in call.operands()):
            return False
        group: Group = call.parameters["group"]
        return operand in group.inputs and group.may_overwrite(result, operand)


class NativeExecutor(Executor):
    """A program as machine code, on arrays of its own: see :class:`deepcore_numpy._plan.Executor`."""

    def __init__(self, program: Program, overridden: Callable[[str], bool]) -> None:
        self._library: Any = None
        self.threads = int(os.environ.get("T","1"))
        self.scratch: list[Any] = []
        super().__init__(grouped(program, overridden))

    def _layout(self) -> Layout:
        return NativeLayout(self.program)

    def _write(self, source: Source, layout: Layout) -> None:
        """Write the lines of the calls: a line for all in a row that are native, and one for each other."""
        _Lines(self, source, layout).write()


class _Lines:
    """The lines of a program, as they are written."""

    def __init__(self, executor: NativeExecutor, source: Source, layout: Layout) -> None:
        self.executor = executor
        self.program = layout.program
        self.source = source
        self.layout = layout
        self.views = {call.results[0]: call for call in self.program.calls if layout.is_view(call)}
        self.prototypes: dict[Value, Array] = {}  # what values that come as new arrays look like
        self.slots: dict[int, int] = {}  # by the address of an array, or the identity of a value
        self.addresses: list[int] = []
        self.moving: dict[Value, int] = {}  # the slots of values that come as new arrays
        self.places: dict[Value, Place] = {}
        self.numbers: dict[int, int] = {}
        self.scratch: dict[int, int] = {}  # the slots of memory for ends, by the identity of a group

    def write(self) -> None:
        layout, source = self.layout, self.source
        steps: list[list[Any] | Call] = []
        for call in self.program.calls:
            if layout.is_view(call) and (call.results[0] in layout.arrays or self._is_place(call.results[0])):
                continue
            step = self._native(call)
            if step is None:
                steps.append(call)
            elif steps and isinstance(steps[-1], list) and not SPLIT:
                steps[-1].append(step)
            else:
                steps.append([step])
        read_by_numpy = self._read_by_numpy(steps)
        module = Module(self.places, self.numbers, self.scratch)
        names = [module.function(step) if isinstance(step, list) else "" for step in steps]
        if self.executor._library is None and any(names):
            self.executor._library = module.compiled()
        table = np.array(self.addresses or [0], np.int64)
        numbers = np.empty(max(len(self.numbers), 1))
        threads = pool()
        assert threads is not None
        threads.start(self.executor.threads)
        launch = source.constant(ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 4, ctypes.c_int64)(threads.launch), "launch")
        pointers = f"{table.ctypes.data}, {numbers.ctypes.data}, {self.executor.threads}"
        texts = {id(x): source.text(x) for x in self.program.numbers()}
        t, n = source.constant(table, "table"), source.constant(numbers, "numbers")
        source.lines += [f"{n}[{i}] = {texts[identity]}" for identity, i in self.numbers.items()]
        for value in (*self.program.inputs, *(v for draw in self.program.draws for v, _ in draw.arrays)):
            self._place_new(value, t, read_by_numpy)
        for step, name in zip(steps, names, strict=True):
            if isinstance(step, list):
                if SPLIT: FUNCS.append((step, threads, self.executor._library.addresses[name], table, numbers))
                function = f"{launch}({threads.address}, {self.executor._library.addresses[name]}, {pointers})"
                source.lines.append(f"if {function}: raise IndexError({OUTSIDE!r})")
                continue
            write(source, step, layout)
            for value in step.results:
                self._place_new(value, t, read_by_numpy)

    def _place_new(self, value: Value, table: str, read_by_numpy: set[Value]) -> None:
        """Write where a new array is, if a kernel reads it, and the views of it that NumPy reads."""
        if value in self.layout.arrays:
            return
        name = self.source.names[value]
        if value in self.moving:
            self.source.lines.append(f"{name} = {self.source.constant(contiguous, 'f')}({name})")
            self.source.lines.append(f"{table}[{self.moving[value]}] = {name}.ctypes.data")
        for result, call in self.views.items():
            if call.arguments[0] is value and result not in self.layout.arrays and result in read_by_numpy:
                write(self.source, call, self.layout)
                self._place_new(result, table, read_by_numpy)

    def _read_by_numpy(self, steps: list[list[Any] | Call]) -> set[Value]:
        """Return the values that calls of NumPy read, and the program's results, and what these are views of."""
        found = {x for step in steps if isinstance(step, Call) for x in step.operands()} | set(self.program.outputs)
        waiting = list(found)
        while waiting:
            call = self.views.get(waiting.pop())
            if call is not None and call.arguments[0] not in found:
                found.add(call.arguments[0])
                waiting.append(call.arguments[0])
        return found

    # -------------------------------------------------------------------------------------------------------- places

    def _native(self, call: Call) -> Any:
        """Return a call as a step of native code, if it can be one."""
        if call.operation == KERNEL:
            group = call.parameters["group"]
            for x in call.arguments:
                if isinstance(x, Number):
                    self.numbers.setdefault(id(x), len(self.numbers))
            for value in (*group.inputs, *group.outputs):
                self._place(value)
            if group.ends:
                memory = aligned(scratch_bytes(group) * self.executor.threads)
                self.executor.scratch.append(memory)
                self.scratch[id(group)] = len(self.addresses)
                self.addresses.append(memory.ctypes.data)
            return group, None
        if call.operation == "matmul" and not call.parameters and call.results[0] in self.layout.arrays:
            values = (*call.arguments, *call.results)
            if not all(isinstance(x, Value) for x in values):
                return None
            how = product(values, [self._strides(value) for value in values])
            if how is not None:
                for value in values:
                    self._place(value)
                return values, how
        return None

    def _is_place(self, value: Value) -> bool:
        """Whether a view of a new array is in its memory."""
        return self._prototype(value) is not None

    def _prototype(self, value: Value) -> Array | None:
        """Return an array that looks like a new one, or None for what is not a view in place."""
        if value in self.prototypes:
            return self.prototypes[value]
        call = self.views.get(value)
        if call is None:
            array = np.empty(value.shape, numpy_dtypes()[value.dtype])
        else:
            source = self._prototype(call.arguments[0])
            if source is None:
                return None
            array = viewed(source, call)
            if array.size and not np.may_share_memory(array, source):
                return None
        self.prototypes[value] = array
        return array

    def _array(self, value: Value) -> Array:
        array = self.layout.arrays.get(value)
        found = self._prototype(value) if array is None else array
        assert found is not None
        return found

    def _strides(self, value: Value) -> tuple[int, ...]:
        array = self._array(value)
        return tuple(step // array.itemsize for step in array.strides)

    def _place(self, value: Value) -> None:
        """Find out where a value is."""
        if value in self.places:
            return
        array = self._array(value)
        address = array.__array_interface__["data"][0]
        if value in self.layout.arrays:
            if address not in self.slots:
                self.slots[address] = len(self.addresses)
                self.addresses.append(address)
            slot, offset = self.slots[address], 0
        else:
            root = value
            while root in self.views and self._prototype(root) is not None:
                root = self.views[root].arguments[0]
            if root not in self.moving:
                self.moving[root] = len(self.addresses)
                self.addresses.append(0)
            slot = self.moving[root]
            offset = address - self._array(root).__array_interface__["data"][0]
        self.places[value] = Place(slot, offset, self._strides(value))


OUTSIDE = "an index, such as a label, is not within the axis that it chooses from"


def contiguous(x: Any) -> Array:
    """Return an array in row-major order."""
    array = np.asarray(x)
    return array if array.flags.c_contiguous else array.copy()
