"""The code of a program: its kernels, and functions that call them and BLAS one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from llvmlite import ir

from ._compiler import Library
from ._ends import scratch_bytes
from ._kernel import NUMBERS, Kernel, units
from ._lanes import CONTRACT, INT32, INT64
from ._loops import alloca
from ._memory import TABLE, base
from ._pool import pool
from ._product import Product, cost, symbols, write
from ._routine import Work
from ._share import Crew

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deepcore.graph.group import Group
    from deepcore.graph.program import Value

    from ._places import Place
    from ._routine import Routine
    from ._space import Space


class KernelStep(NamedTuple):
    """A group that a kernel computes, and the axes along which it goes."""

    group: Group
    space: Space


class ProductStep(NamedTuple):
    """The factors and the result of a product, and how BLAS computes it."""

    values: Sequence[Value]
    how: Product


class RoutineStep(NamedTuple):
    """A call that is written out by hand."""

    routine: Routine


Step: TypeAlias = KernelStep | ProductStep | RoutineStep

FUNCTION: Final = ir.FunctionType(INT32, [TABLE, NUMBERS, INT64, INT64, INT64])
"""What a thread computes: of the table, the numbers, the first of its shares, the one behind its last, and of how many.

A thread has one share, or, where it computes alone, all of them. So results do not depend on who computes them.
"""

WORTH_POINTS: Final = 8192
"""The points of a kernel from which several threads compute it."""
WORTH_PRODUCTS: Final = 100_000
"""The multiplications of a product from which several threads compute it."""


class Module:
    """The code of a program, as it is written.

    Parameters
    ----------
    places
        Where each value is that it reads or writes.
    numbers
        The position of each number of the host, by identity.
    scratch
        For each group with ends, and each routine, by identity, the entry of the table with memory for it, if it needs
        any.
    """

    def __init__(self, places: dict[Value, Place], numbers: dict[int, int], scratch: dict[int, int]) -> None:
        self.module = ir.Module("deepcore")
        self.places = places
        self.numbers = numbers
        self.scratch = scratch
        self.names: list[str] = []
        self._n_kernels = 0
        self._barrier = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [INT64, INT64]), "barrier")
        if pool() is None:  # one thread, which waits for nobody
            ir.IRBuilder(self._barrier.append_basic_block("entry")).ret_void()

    def function(self, steps: Sequence[Step]) -> str:
        """Write a function that computes some steps, and return its name."""
        name = f"run{len(self.names)}"
        self.names.append(name)
        function = ir.Function(self.module, FUNCTION, name)
        build = ir.IRBuilder(function.append_basic_block("entry"))
        crew = Crew.of(build, self._barrier)
        wrong = alloca(build, INT32)
        build.store(INT32(0), wrong)
        for step in steps:
            if isinstance(step, ProductStep):
                self._product(build, step, crew)
            elif isinstance(step, RoutineStep):
                self._routine(build, step.routine)
            else:
                self._kernel(build, step, crew, wrong)
            crew.wait(build)
        build.ret(build.load(wrong))
        return name

    def _kernel(self, build: Any, step: KernelStep, crew: Crew, wrong: Any) -> None:
        group, space = step
        kernel = Kernel(self.module, f"kernel{self._n_kernels}", group, space, self.places, self.numbers)
        self._n_kernels += 1
        table, numbers, *_ = build.function.args
        count = units(group, space)
        memory: Any = INT64(0)
        if group.ends:
            memory = build.load(build.gep(table, [INT64(self.scratch[id(group)])]))

        def compute(begin: Any, end: Any, own: Any) -> None:
            found = build.call(kernel.function, [table, numbers, begin, end, own])
            build.store(build.or_(build.load(wrong), found), wrong)

        if group.rows * group.width >= WORTH_POINTS and count > 1:
            with crew.shares(build) as share:
                own = build.add(memory, build.mul(share.id, INT64(scratch_bytes(group))))
                compute(*share.of(build, count, 1), own)
            if group.ends:
                crew.wait(build)
                with crew.first(build):
                    build.call(kernel.finish, [table, memory, crew.threads])
            return
        with crew.first(build):
            compute(INT64(0), INT64(count), memory)
            if group.ends:
                build.call(kernel.finish, [table, memory, INT64(1)])

    def _product(self, build: Any, step: ProductStep, crew: Crew) -> None:
        values, how = step
        table = build.function.args[0]
        addresses = [base(build, table, self.places[value], value) for value in values]
        if cost(how) >= WORTH_PRODUCTS:
            with crew.shares(build) as share:
                write(build, how, values[0].dtype, addresses, share)
            return
        with crew.first(build):
            write(build, how, values[0].dtype, addresses, None)

    def _routine(self, build: Any, routine: Routine) -> None:
        name = f"routine{self._n_kernels}"
        self._n_kernels += 1
        function = ir.Function(self.module, FUNCTION, name)
        build.call(function, build.function.args)
        inside = ir.IRBuilder(function.append_basic_block("entry"))
        crew = Crew.of(inside, self._barrier)
        table = function.args[0]
        bases = {value: base(inside, table, self.places[value], value) for value in routine.values}
        slot = self.scratch.get(id(routine))
        memory = INT64(0) if slot is None else inside.load(inside.gep(table, [INT64(slot)]))
        for i, phase in enumerate(routine.phases):
            if i:
                crew.wait(inside)
            with crew.shares(inside) as share:
                phase(Work(inside, routine.dtype, bases, share, (memory, routine.scratch_bytes)))
        inside.ret(INT32(0))

    def compiled(self, *, exact: bool) -> Library:
        """Return the functions, with or without instructions that round once for two operations."""
        text = str(self.module)
        threads = pool()
        barrier = {} if threads is None else {"barrier": threads.barrier}
        return Library(text.replace(f" {CONTRACT[0]} ", " ") if exact else text, self.names, symbols() | barrier)
