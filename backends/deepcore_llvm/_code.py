"""The code of a program: its kernels, and functions that call them and BLAS one after another."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from llvmlite import ir

from . import _product as products
from ._compiler import Library
from ._ends import scratch_bytes
from ._kernel import NUMBERS, Kernel, units
from ._lanes import CONTRACT, INT32, INT64
from ._loops import alloca
from ._memory import TABLE, base
from ._pool import PIECES
from ._product import Product, cost, write
from ._routine import Work
from ._share import Crew, symbols

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
"""What a thread computes: of the table, the numbers, which thread it is, of how many, and the first phase.

What the shares are depends on the number of threads alone, so that results do not depend on who computes them.
"""

WORTH_POINTS: Final = 8192
"""The points of a kernel from which several threads compute it."""
WORTH_PRODUCTS: Final = 100_000
"""The multiplications of a product from which several threads compute it."""
LONG_POINTS: Final = 1_000_000
"""The points of a kernel from which a thread has several shares. Those of a product would take longer in all."""


class Module:
    """The code of a program, as it is written.

    Parameters
    ----------
    places
        Where each value is that it reads or writes.
    numbers
        The position of each number of the host, by identity.
    scratch
        For each group with ends, routine, and product whose shares are added up, by identity, the entry of the table
        with memory for it, if it needs any.
    """

    def __init__(self, places: dict[Value, Place], numbers: dict[int, int], scratch: dict[int, int]) -> None:
        self.module = ir.Module("deepcore")
        self.places = places
        self.numbers = numbers
        self.scratch = scratch
        self.names: list[str] = []
        self._n_kernels = 0

    def function(self, steps: Sequence[Step]) -> str:
        """Write a function that computes some steps, and return its name."""
        name = f"run{len(self.names)}"
        self.names.append(name)
        function = ir.Function(self.module, FUNCTION, name)
        build = ir.IRBuilder(function.append_basic_block("entry"))
        crew = Crew(build)
        wrong = alloca(build, INT32)
        build.store(INT32(0), wrong)
        for together, run in groupby(steps, is_shared):
            if together:
                for step in run:
                    self._shared(build, step, crew, wrong)
                continue
            with crew.first():
                for step in run:
                    self._single(build, step, wrong)
        build.ret(build.load(wrong))
        return name

    def _shared(self, build: Any, step: Step, crew: Crew, wrong: Any) -> None:
        """Write a step that all threads compute together."""
        if isinstance(step, RoutineStep):
            self._routine(crew, step.routine)
        elif isinstance(step, ProductStep):
            self._product(build, step, crew)
        else:
            kernel, memory = self._kernel(build, step)
            points = step.group.rows * step.group.width
            with crew.shares(PIECES if points >= LONG_POINTS and not step.group.ends else 1) as share:
                own = build.add(memory, build.mul(share.id, INT64(scratch_bytes(step.group))))
                self._compute(build, kernel, (*share.of(build, units(*step), 1), own), wrong)
            if step.group.ends:
                with crew.first():
                    build.call(kernel.finish, [build.function.args[0], memory, crew.threads])

    def _product(self, build: Any, step: ProductStep, crew: Crew) -> None:
        """Write a product that all threads compute together."""
        addresses, dtype = self._addresses(build, step), step.values[0].dtype
        if not products.sums_rows(step.how):
            with crew.shares() as share:
                write(build, step.how, dtype, addresses, share)
            return
        memory = self._memory(build, step)
        with crew.shares() as share:
            products.write_rows(build, step.how, dtype, addresses, share, memory)
        with crew.first():
            products.write_sum(build, step.how, dtype, addresses[2], memory, crew.threads)

    def _single(self, build: Any, step: Step, wrong: Any) -> None:
        """Write a step that one thread computes."""
        if isinstance(step, ProductStep):
            write(build, step.how, step.values[0].dtype, self._addresses(build, step), None)
        elif isinstance(step, KernelStep):
            kernel, memory = self._kernel(build, step)
            self._compute(build, kernel, (INT64(0), INT64(units(*step)), memory), wrong)
            if step.group.ends:
                build.call(kernel.finish, [build.function.args[0], memory, INT64(1)])

    def _kernel(self, build: Any, step: KernelStep) -> tuple[Kernel, Any]:
        """Return a kernel, and the address of the memory for its ends."""
        group, space = step
        kernel = Kernel(self.module, f"kernel{self._n_kernels}", group, space, self.places, self.numbers)
        self._n_kernels += 1
        return kernel, self._memory(build, group)

    def _memory(self, build: Any, owner: Any) -> Any:
        """Return the address of the memory that something has for each thread, or 0 where it needs none."""
        slot = self.scratch.get(id(owner))
        return INT64(0) if slot is None else build.load(build.gep(build.function.args[0], [INT64(slot)]))

    @staticmethod
    def _compute(build: Any, kernel: Kernel, rows: tuple[Any, Any, Any], wrong: Any) -> None:
        table, numbers, *_ = build.function.args
        found = build.call(kernel.function, [table, numbers, *rows])
        build.store(build.or_(build.load(wrong), found), wrong)

    def _addresses(self, build: Any, step: ProductStep) -> list[Any]:
        return [base(build, build.function.args[0], self.places[value], value) for value in step.values]

    def _routine(self, crew: Crew, routine: Routine) -> None:
        name = f"routine{self._n_kernels}"
        self._n_kernels += 1
        function = ir.Function(self.module, FUNCTION, name)
        crew.call(function, len(routine.phases))
        build = ir.IRBuilder(function.append_basic_block("entry"))
        table, inside = function.args[0], Crew(build)
        bases = {value: base(build, table, self.places[value], value) for value in routine.values}
        memory = self._memory(build, routine)
        for phase in routine.phases:
            with inside.shares() as share:
                phase(Work(build, routine.dtype, bases, share, (memory, routine.scratch_bytes)))
        build.ret(INT32(0))

    def compiled(self, *, exact: bool) -> Library:
        """Return the functions, with or without instructions that round once for two operations."""
        others = symbols(self.module)
        text = str(self.module)
        text = text.replace(f" {CONTRACT[0]} ", " ") if exact else text
        return Library(text, self.names, products.symbols() | others)


def is_shared(step: Step) -> bool:
    """Whether a step is worth several threads."""
    if isinstance(step, ProductStep):
        return cost(step.how) >= WORTH_PRODUCTS
    if isinstance(step, KernelStep):
        return step.group.rows * step.group.width >= WORTH_POINTS and units(*step) > 1
    return True
