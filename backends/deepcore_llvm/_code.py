"""The code of a program: functions that compute its steps one after another."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from llvmlite import ir

from . import _product as products
from ._compiler import Library
from ._lanes import CONTRACT, DOUBLE, INT32, INT64
from ._loops import alloca, function
from ._memory import TABLE, base, pointer_type
from ._share import Crew, symbols
from ._step import Frame, Functions

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
    """The code of a program, as it is written.

    Parameters
    ----------
    places
        Where each value is that it reads or writes.
    numbers
        The position of each number of the host, by identity.
    scratch
        For each step that needs memory for its shares, by identity, the entry of the table that has it.
    """

    def __init__(self, places: dict[Value, Place], numbers: dict[int, int], scratch: dict[int, int]) -> None:
        self.module = ir.Module("deepcore")
        self.places = places
        self.numbers = numbers
        self.scratch = scratch
        self.names: list[str] = []
        self._functions = Functions(self.module)

    def function(self, steps: Sequence[Step]) -> str:
        """Write a function that computes some steps, and return its name."""
        name = f"run{len(self.names)}"
        self.names.append(name)
        made = ir.Function(self.module, FUNCTION, name)
        build = ir.IRBuilder(made.append_basic_block("entry"))
        frame = self._frame(build, (INT64(0), (), ()))
        for together, run in groupby(steps, lambda step: step.is_shared):
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
        return name

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
        slot = self.scratch.get(id(step))
        memory = INT64(0) if slot is None else build.load(build.gep(table, [INT64(slot)]))
        host = [build.load(build.gep(numbers, [INT64(self.numbers[id(x)])])) for x in step.numbers]
        return memory, host, [base(build, table, self.places[value], value) for value in step.values]

    def compiled(self, *, exact: bool) -> Library:
        """Return the functions, with or without instructions that round once for two operations."""
        others = symbols(self.module)
        text = str(self.module)
        text = text.replace(f" {CONTRACT[0]} ", " ") if exact else text
        return Library(text, self.names, products.symbols() | others)
