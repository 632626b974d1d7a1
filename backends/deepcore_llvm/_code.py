"""The code of a program: functions that compute its steps one after another."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir

from . import _product as products
from ._blas import blas
from ._compiler import Library
from ._description import description
from ._lanes import CONTRACT, DOUBLE, INT32, INT64
from ._loops import alloca, function
from ._memory import TABLE, base, pointer_type
from ._share import Crew, symbols, write_alone
from ._step import Frame, Functions
from ._tile import registers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deepcore.graph.program import Value

    from ._places import Place
    from ._step import Step

FUNCTION: Final = ir.FunctionType(INT32, [TABLE, DOUBLE.as_pointer(), INT64, INT64, INT64])
"""What a thread computes: of the table, the numbers, which thread it is, of how many, and the first phase.

What the shares are depends on the number of threads alone, so that results do not depend on who computes them.
"""


class Module:
    """The code of a program.

    Parameters
    ----------
    parts
        The steps, in lists that are computed by a function each.
    places
        Where each value is that they read or write.
    numbers
        The position of each number of the host, by identity.
    scratch
        For each step that needs memory for its shares, by identity, the entry of the table that has it.
    exact
        Whether every operation is rounded by itself, without instructions that round once for two.
    """

    def __init__(
        self,
        parts: Sequence[Sequence[Step]],
        places: dict[Value, Place],
        numbers: dict[int, int],
        scratch: dict[int, int],
        *,
        exact: bool,
    ) -> None:
        self.parts = parts
        self.places = places
        self.numbers = numbers
        self.scratch = scratch
        self.exact = exact

    def compiled(self) -> Library:
        """Return the functions, in the order of the parts."""
        names = [f"run{i}" for i in range(len(self.parts))]
        shares, library = symbols(), blas()
        source = description(self._source(), self.exact, bool(shares), registers(), library and library.bits)
        return Library(source, names, products.symbols() | shares, partial(self.text, names, alone=not shares))

    def _source(self) -> list[list[Any]]:
        """Return all that the steps of each part are written from."""
        return [
            [
                (
                    *(type(step).__name__, step.about, [self.places[value][:2] for value in step.values]),
                    *([self.numbers[id(x)] for x in step.numbers], self.scratch.get(id(step))),
                )
                for step in part
            ]
            for part in self.parts
        ]

    def text(self, names: Sequence[str], *, alone: bool) -> str:
        """Return the functions in LLVM's language, for one thread alone or for several."""
        writer = _Writer(self)
        for name, steps in zip(names, self.parts, strict=True):
            writer.function(name, steps)
        if alone:
            write_alone(writer.module)
        text = str(writer.module)
        return text.replace(f" {CONTRACT[0]} ", " ") if self.exact else text


class _Writer:
    """The writer of the functions of a module.

    Parameters
    ----------
    of
        What they are.
    """

    def __init__(self, of: Module) -> None:
        self.of = of
        self.module = ir.Module("deepcore")
        self._functions = Functions(self.module)

    def function(self, name: str, steps: Sequence[Step]) -> None:
        """Write a function that computes some steps."""
        made = ir.Function(self.module, FUNCTION, name)
        build = ir.IRBuilder(made.append_basic_block("entry"))
        frame = self._frame(build, (INT64(0), (), ()))
        for together, run in groupby(steps, attrgetter("is_shared")):
            if together:
                for step in run:
                    written, phases = self._functions.get("step", step.about, partial(self._together, step))
                    memory, numbers, bases = self._operands(build, step)
                    frame.note(frame.crew.call(written, [memory, *numbers, *bases], phases))
                continue
            with frame.crew.first():
                for step in run:
                    memory, numbers, bases = self._operands(build, step)
                    step.alone(frame._replace(memory=memory, numbers=numbers, bases=bases))
        build.ret(build.load(frame.wrong))

    def _frame(self, build: Any, operands: tuple[Any, Sequence[Any], Sequence[Any]]) -> Frame:
        """Return a new function for the threads that compute it together."""
        wrong = alloca(build, INT32)
        build.store(INT32(0), wrong)
        return Frame(build, self._functions, Crew(build), *operands, wrong)

    def _together(self, step: Step, name: str) -> tuple[Any, int]:
        """Write a step that all threads compute together as a function, and return it with its number of phases.

        It is given its operands, which thread it is, of how many, and the first phase.
        """
        n = len(step.numbers)
        arguments = [INT64, *[DOUBLE] * n, *map(pointer_type, step.values), *[INT64] * 3]
        made, build = function(self.module, name, arguments, INT32)
        memory, *others = made.args[:-3]
        frame = self._frame(build, (memory, others[:n], others[n:]))
        step.together(frame)
        build.ret(build.load(frame.wrong))
        return made, frame.crew.phases

    def _operands(self, build: Any, step: Step) -> tuple[Any, list[Any], list[Any]]:
        """Return the memory of a step, the numbers of the host that it reads, and where its values are."""
        table, numbers, *_ = build.function.args
        slot = self.of.scratch.get(id(step))
        memory = INT64(0) if slot is None else build.load(build.gep(table, [INT64(slot)]))
        host = [build.load(build.gep(numbers, [INT64(self.of.numbers[id(x)])])) for x in step.numbers]
        return memory, host, [base(build, table, self.of.places[value], value) for value in step.values]
